/* SPDX-License-Identifier: Apache-2.0 */
/* Places under frequency caps: who has one, and until when. A cap of N texts in a window lets a text take a place
 * while fewer than N are taken under its key, and the place is its own for a window.
 *
 * Gateways that share a Redis write what they ask for into one log there, a batch in an entry, and each applies
 * the log in its order and by its times (consent/store_caps.c). So all have the same table, and every one sees
 * by itself which of its texts had room: exact over all of them, for one command a batch.
 *
 * A key is a keyed fingerprint of a number and a program (cap_key()): there is no number here or in the log. */
#ifndef CONSENT_CAPS_H
#define CONSENT_CAPS_H

#include "consent/person.h"
#include "proto/base/err.h"
#include "proto/base/limits.h"
#include "proto/base/span.h"

struct cap_request {
    uint64_t key;
    uint64_t message; /* of the node that asks: it has one place, however often it asks */
    uint64_t window_ms;
    uint8_t count; /* places in a window */
};

/* As an entry of the log has them, CAP_OCTETS each, at most CAPS_BATCH. */
#define CAP_OCTETS 22
void cap_write(const struct cap_request *request, uint8_t out[CAP_OCTETS]);
/* How many there are; -1 where it is no batch. */
int caps_in_batch(struct span batch);
/* False: it asks for what no gateway asks for. */
MUST_CHECK bool cap_read(struct span batch, size_t index, struct cap_request *ret_request);

uint64_t cap_key(uint16_t scope, uint64_t number);

enum place_answer {
    PLACE_TAKEN,
    PLACE_NONE,    /* all are others' */
    PLACE_UNKNOWN, /* the table is full */
};

struct caps;
/* So many places at most, those among them that are over and not found yet. */
struct caps *caps_new(uint64_t max);
void caps_free(struct caps *caps);
void caps_clear(struct caps *caps);

/* `at_ms` never goes back, by Redis' clock. `node`: of the one that asked, any number that stands for it. Who has a
 * place keeps it from now on for a window. */
enum place_answer caps_take(struct caps *caps, uint64_t node, const struct cap_request *request,
                            uint64_t at_ms);
/* How long until one of `count` is free: 0 where one is. Takes nothing. */
uint64_t caps_wait_ms(const struct caps *caps, uint64_t key, uint8_t count, uint64_t now_ms);
void caps_prefetch(const struct caps *caps, uint64_t key);

#endif
