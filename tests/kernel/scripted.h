/* scripted.h -- a vat_port whose machines are scripts: no process, no engine.
 *
 * The second implementation of the port.  A machine (a "puppet") does at each delivery what it finds in its own vatstore under plan.TYPE (TYPE as the delivery
 * names it: message, notify, bringOutYourDead, dropExports …), and forgets it by that.  The
 * test writes plans there between cranks; replay, snapshots and forks need nothing of their
 * own, since what was read is in the transcript, and what will be is in the store.
 *
 * A plan is lines.  What a vat can say:
 *
 *   send TARGET SLOT… [-> RESULT]      subscribe P
 *   resolve P SLOT…     (to an array)  become P SLOT     (to that one reference)
 *   reject P SLOT…                     data P            (to a string)
 *   drop V…   retire V…   retire-export V…   abandon V…
 *   set K V   get K   delete K   next K
 *   exit SLOT…   fail SLOT…            call DEVICE METHOD BODY SLOT…
 *   [ …JSON… ]                         any syscall, or what looks like one
 *   @result, @0, @1 …                  stand for names in the message delivered
 *
 * and how its machine ends the delivery:
 *
 *   !error TEXT    the vat reports an error      !meter !stack !memory   its limit is met
 *   !die           the machine is gone           !babble !strange       it sends what is no
 *   !reply TEXT    answers TEXT                                          JSON, no known kind
 *   !keep          leaves the result promise alone
 *   !spend N       this delivery counts N computrons (0: none are reported), not 1000 and
 *                  one more for each delivery the machine has had
 *   !say WORDS…    the vat writes to its console       !testlog    and to the test log
 *   !upcall TEXT   the machine sends TEXT
 *
 * In plans ' stands for ".  A vat whose bundle is called "auto" resolves the result of each
 * message without a plan; "puppet" leaves it; "broken" fails in setBundle, "greedy" meets its
 * limit there.  One from a zip bundle is "auto", and its heap has a header as XS's has.
 */
#pragma once

#include "kernel/vat_port.h"

struct scripted {
    unsigned machines;   /* alive now */
    unsigned starts, commands;
    unsigned metered;    /* of the starts: under a limit of computrons */
    unsigned misuse;     /* a dead machine spoken to, a speaking one stopped */
    bool fail_start, fail_snapshot;
};

/* Fill in the port; `s` must outlive its machines. */
void scripted_port(struct scripted *s, struct vat_port *out);
/* The text of the bundle that makes a vat behave so. */
void scripted_bundle(const char *behaviour, struct buf *json_text);
