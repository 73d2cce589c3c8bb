/* SPDX-License-Identifier: Apache-2.0 */
/* What a record is about, without unpacking it: the members of its Event (proto/event.proto) are passed over
 * by their tags. Never reads outside the part; what is no protobuf message is about nothing. */
#ifndef CONSENT_RECORD_PEEK_H
#define CONSENT_RECORD_PEEK_H

#include "proto/base/span.h"

struct record_peek {
    uint64_t wall_ms;
    uint64_t message;
    uint32_t program;
    uint32_t body;      /* number of the member in Event's oneof; 0: none */
    struct span octets; /* the body's */
};

/* False where the part is no Event. */
bool record_peek(struct span public_part, struct record_peek *ret_peek);

/* The phone number in a personal part; 0: none. */
uint64_t peek_number(struct span personal_part);

/* The number of the body where nothing but a time stands before it: quick, and 0 for most. */
uint32_t peek_early_body(struct span public_part);

/* The public key that a SigningKey record names, else empty. */
struct span peek_signing_key(struct span public_part);

#endif
