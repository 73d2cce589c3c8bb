/* SPDX-License-Identifier: Apache-2.0 */
/* What the law adds to the reach of a STOP: rows of data, each with its source and the day from which it
 * holds. Pure. Where no row holds, the program's own `stop_reach` decides. */
#ifndef CONSENT_REVOCATION_H
#define CONSENT_REVOCATION_H

#include <stdint.h>

struct revocation_rule {
    const char *name;      /* "us/revoke-all@2027", as the opt-out's record has it */
    const char *prefix;    /* numbers that begin so */
    uint64_t from_wall_ms; /* a STOP that takes effect at this time or later */
    const char *source;
};

/* The rule by which a STOP from this number, which takes effect at this time, ends all that the brand
 * sends but emergencies. NULL: none. */
const struct revocation_rule *revocation_of_all(uint64_t number, uint64_t wall_ms);

#endif
