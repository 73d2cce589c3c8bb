/* SPDX-License-Identifier: Apache-2.0 */
/* What the gateways on one Redis tell each other of who was erased, so that one call erases at all of them, and so
 * that a gateway whose data_dir comes back from a backup learns whom it has to erase again. Nothing here is a number:
 * a keyed fingerprint, and where in Redis it stands. Pure. */
#ifndef CONSENT_ERASED_H
#define CONSENT_ERASED_H

#include "consent/person.h"
#include "proto/base/limits.h"
#include "proto/base/span.h"

struct erased_fact {
    struct person_mark person;
    uint64_t wall_ms; /* when it was recorded where it was asked for */
    /* The bucket of optout that the fingerprint belongs to, of so many (a power of two); 0 buckets: not known. */
    uint32_t place, places;
    bool kept; /* an opt-out's fingerprint stands there now; not part of the text */
    /* "": a hold came at the same time, and the others are not told */
    char request[ERASURE_REQUEST_MAX + 1];
};

/* Which records an erasure destroys: the person's below `until`. Of one that was asked for elsewhere, those of at most
 * `until_wall_ms` and of messages from before it, and of consent only those below `consent_until`: the others came to
 * Redis after it. */
struct erase_reach {
    struct person_mark person;
    uint64_t until, until_wall_ms, consent_until; /* UINT64_MAX: any */
};

/* "WALL_MS FINGERPRINT-IN-HEX PLACE PLACES MEMBER REQUEST", the member being person_member()'s. */
#define ERASED_TEXT_MAX (21 + PERSON_HEX_SIZE + 2 * 11 + 21 + ERASURE_REQUEST_MAX + 1)
size_t erased_format(const struct erased_fact *fact, char out[ERASED_TEXT_MAX]);
/* False, and *fact untouched, when it is no such text. */
bool erased_parse(struct span text, struct erased_fact *fact);

/* Those from one rank on, in the order of their times. */
struct erased_page {
    uint64_t total; /* that there are */
    size_t read;    /* of this page; those that can be read are in `facts` */
    struct erased_fact facts[ERASED_READ];
    size_t count;
};

#endif
