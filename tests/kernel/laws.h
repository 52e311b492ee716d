/* laws.h -- what every crank must respect, whatever it does: laid down from the store before
 * a crank and the store after it, and from the crank's event alone.
 *
 *   isolation   the rows, transcript and snapshot of a living vat change only in cranks that are its
 *               own: where it is delivered to, forked from, made, or cleaned up.  In a fork of
 *               a vat whose snapshot is current they do not change at all.
 *   authority   a vat's c-list gains only what it was given (by the message, the notify and
 *               what the promise's data reaches, the vatParameters) and what it made itself.
 *               A fork's child has what its parent has and fresh objects of its own under its
 *               parent's names; whoever asked is told of the child's own objects only.
 *   promises    a fork leaves every promise that was there as it was, but for the child's
 *               waiting on it; a promise that child and parent both have is decided by
 *               neither; those that are new have no queue, and the child or nobody decides.
 *   messages    a message that was sent is in a queue until it is delivered or its result is
 *               rejected: none is lost, none is doubled.
 *
 *     struct laws l = { 0 };
 *     laws_watch(&l, &w);          before the first crank, and after what is no crank
 *     world_step(&w); laws_check(&l, &w);
 *     laws_fini(&l);
 *
 * What is broken goes to w->breaches, a line each.  Messages are counted by the method that
 * scripted vats send; vat-admin's are the kernel's own. */
#pragma once

#include "world.h"

enum { LAWS_VATS_MAX = 64 };

struct laws_vat {
    bool alive;
    uint64_t rows;        /* of all its keys but plans, its transcript, its snapshot */
    uint64_t position;    /* where its transcript ends */
    bool current;         /* a fork needs no new snapshot of it */
    kref *has;            /* its c-list, sorted */
    size_t count, room;
};

/* The store between two cranks. */
struct laws_view {
    struct laws_vat vats[LAWS_VATS_MAX];
    uint64_t objects, promises;          /* names given out */
    uint64_t accepted;                   /* the acceptance queue's tail */
    uint64_t run_head;
    uint64_t messages;                   /* that wait in queues */
    struct buf known;                    /* each promise's rows, a line each */
};

struct laws {
    struct laws_view before, after;
    kref *told;              /* what a notify at the head of the run queue would reach */
    size_t told_count, told_room;
    uint64_t forks, cranks;  /* seen */
};

void laws_watch(struct laws *l, struct world *w);
/* True if the crank that w->event tells of broke none; the next may follow. */
bool laws_check(struct laws *l, struct world *w);
void laws_fini(struct laws *l);
