/* SPDX-License-Identifier: Apache-2.0 */
/* The facts of a check in one word, for tests that care about the sum of them. */
#ifndef TESTS_UNIT_VERDICT_H
#define TESTS_UNIT_VERDICT_H

#include "consent/gate.h"

enum verdict { VERDICT_UNKNOWN, VERDICT_PASS, VERDICT_OPTED_OUT, VERDICT_NO_OPT_IN };

static inline enum verdict verdict_of(const struct check_result *result, bool need_opt_in)
{
    if (!result->known)
        return VERDICT_UNKNOWN;
    if (result->denied != 0)
        return VERDICT_OPTED_OUT;
    return need_opt_in && !result->opted_in ? VERDICT_NO_OPT_IN : VERDICT_PASS;
}

/* With an opt-out, the first scope denies. */
static inline struct check_result result_of(enum verdict verdict, uint64_t cookie)
{
    return (struct check_result){.cookie = cookie,
                                 .known = verdict != VERDICT_UNKNOWN,
                                 .denied = verdict == VERDICT_OPTED_OUT,
                                 .opted_in = verdict == VERDICT_PASS};
}

#endif
