/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of erasures share: erasure.c (the order of the steps), erasure_list.c (which there are),
 * erasure_join.c (those of other gateways), erasure_replay.c (in the ledger and its snapshots). Nobody else
 * includes this. */
#ifndef GATEWAY_ERASURE_STATE_H
#define GATEWAY_ERASURE_STATE_H

#include "consent/person.h"
#include "gateway/engine_state.h"

enum erasure_phase {
    ERASURE_ASKED,
    ERASURE_ENDING,
    ERASURE_RECORDED,
    ERASURE_LOOKING, /* Redis is asked what it keeps */
    ERASURE_READY,
    ERASURE_FINDING,
    ERASURE_LISTING, /* `records` from `listed` on are to be recorded */
    ERASURE_LISTED,
    ERASURE_DESTROYING,
    ERASURE_DONE,
};

struct erasure {
    TAILQ_ENTRY(erasure) link;
    enum erasure_phase phase;
    struct person_mark person;
    uint64_t number; /* 0: not known any more */
    uint64_t sequence, wall_ms, done_wall_ms;
    bool joined;            /* wall_ms is of who was asked; */
    uint64_t consent_until; /* and consent from this record on came to Redis later */
    uint32_t place, places; /* the fingerprint's in Redis; 0 places: not known */
    char request[ERASURE_REQUEST_MAX + 1];
    uint64_t call; /* to be answered when it is recorded */
    bool has_call;
    uint64_t asked_behind; /* ASKED: the consent record that Redis is to have first */
    bool asking;           /*   it has it, and is asked */
    bool held;             /* a hold was recorded since: it is not for erasing any more */
    bool kept, kept_known; /* an opt-out's fingerprint stays */
    uint64_t kept_at;      /* the record that says so, and that Redis needs; 0: none */
    bool lifted;           /* a START came since */
    bool skipped;      /* joined: an opt-out is not replayed, of which the fingerprint is to stay */
    bool alone;        /* a hold came meanwhile: the other gateways do not join */
    uint64_t *records; /* ascending */
    size_t count, listed;
    uint64_t listed_at; /* the last record that names some of them */
    uint64_t destroyed;
};

struct erasures {
    TAILQ_HEAD(erasure_list, erasure) open, done;
    size_t open_count, done_count;
    uint64_t retry_us; /* the files could not be read or written */
};

/* ---- erasure_list.c ---- */
struct erasure *erasure_add(struct engine *e, const struct person_mark *person, uint64_t number,
                            const char *request);
void erasure_drop(struct engine *e, struct erasure *x); /* it is not under way any more */
void erasure_end(struct engine *e, struct erasure *x, uint64_t wall_ms); /* it is done */
/* By the record that says so, under way or done; NULL: none. */
struct erasure *erasure_find(const struct engine *e, uint64_t sequence);
const char *erasure_phase_name(const struct erasure *x);

/* ---- erasure.c ---- */
/* What snapshots would bring back. */
void erasure_forget(struct engine *e, const struct person_mark *person);

/* ---- erasure_replay.c ---- */
/* The next of the records that are to be destroyed, as many as one record names. */
struct records_body {
    Assent__V1__Event event;
    Assent__V1__ErasedRecords body;
    Assent__V1__Personal personal;
    Assent__V1__ErasedPlace place;
    uint8_t octets[PERSON_KEY_SIZE];
    uint64_t steps[ERASED_STEPS_MAX];
    size_t count;
};

void erasure_describe(const struct erasure *x, size_t from, struct records_body *r);
int erasure_ascending(const void *a, const void *b); /* uint64_t */

#endif
