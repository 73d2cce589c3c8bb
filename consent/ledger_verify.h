/* SPDX-License-Identifier: Apache-2.0 */
/* Hashes a whole ledger again and holds it against its checkpoints. Reads only; also beside a gateway that
 * writes: what comes meanwhile is left out. */
#ifndef CONSENT_LEDGER_VERIFY_H
#define CONSENT_LEDGER_VERIFY_H

#include "consent/note.h"

struct verify_order {
    const char *directory;
    const struct note_key
        *trusted;      /* whom the caller believes; NULL: the first key that the ledger names */
    struct span notes; /* checkpoints from elsewhere, one behind the other; may be empty */

    /* One sentence for each thing that is not as it should be. */
    void (*finding)(void *context, const char *sentence);
    /* Now and then. `octets` of `octets_all` have been read. */
    void (*progress)(void *context, uint64_t octets, uint64_t octets_all);
    void *context;
};

struct verify_report {
    uint64_t segments, records, octets; /* records that are there */
    uint64_t personal;                  /* parts that were there and are what was committed to */
    uint64_t destroyed;                 /* parts that erasures of a person account for, */
    uint64_t erasures;                  /* so many that are done */
    uint64_t cut, segments_cut;         /* records that retention has taken, and from how many */
    uint64_t
        inside; /* checkpoints that end among these: only the later ones can be held against them */
    uint64_t hashes, blocks;  /* calls of SHA-256 and the blocks that they hash */
    uint64_t findings;        /* 0: nothing is wrong */
    uint64_t checkpoints;     /* that agree with the records */
    struct checkpoint newest; /* of these; size 0: none */
    struct note_key key;      /* that signed it; no name: none */
    unsigned keys;            /* that have signed this ledger, one after the other */
};

/* ERR_OK also where there are findings. ERR_NOT_FOUND, ERR_IO or ERR_BAD_INPUT and a sentence when it could
 * not be done. */
MUST_CHECK enum err ledger_verify(const struct verify_order *order,
                                  struct verify_report *ret_report, const char **ret_why);

#endif
