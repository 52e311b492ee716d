/* serve.h -- the worker's loop: commands from the kernel, replies to it.
 *
 * A command is a frame whose first byte says what to do with the rest:
 *
 *   R          is the machine ready?               reply "."
 *   ?BYTES     globalThis.handleCommand(ArrayBuffer), run until idle
 *   eSOURCE    eval(SOURCE), run until idle
 *   sPATH      run a program file               mPATH  run a module file
 *   wPATH      write an XS snapshot; collects garbage first
 *   IPATH      write an image of the machine as it stands (ours)
 *   q          end
 *
 * PATH may be "@FD".  Replies: ".{meter}\1RESULT", or "!MESSAGE" after an exception (or, for
 * I, a failure to write).  While ? and e run, "?BYTES" goes to the kernel for each
 * issueCommand(), and "/BYTES" must come back.  Anything else ends the worker with code 2.
 */
#pragma once

#include <stdint.h>

#include "engine/xs_api.h"

/* Serve until 'q' or end of file; returns the exit code of the process.
 *
 * in    interval  computrons between two looks at the limit, 0 for the default. */
int serve(xsMachine *machine, uint32_t interval);
