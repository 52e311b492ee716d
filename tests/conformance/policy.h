/* policy.h -- a run policy as data (tests/oracle/policy.mjs says what it may hold). */
#pragma once

#include "base/json.h"
#include "kernel/kernel.h"

enum { POLICY_CALLBACKS = 5, POLICY_ANSWERS_MAX = 64 };

struct scenario_policy {
    struct run_policy policy;         /* to run by */
    uint64_t stop[POLICY_CALLBACKS];  /* 0: never */
    uint64_t computrons_max;          /* 0: no sum is made */
    struct jval answers[POLICY_ANSWERS_MAX];
    size_t answer_count;
    uint64_t asked, counts[POLICY_CALLBACKS], computrons;
    struct buf calls;                 /* what the kernel told, JSON items */
};

/* fails  EXIT_USAGE  a member that is not known */
int scenario_policy_init(struct scenario_policy *p, struct jval v, struct err *e) MUST_CHECK;
void scenario_policy_fini(struct scenario_policy *p);
