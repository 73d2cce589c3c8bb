/* SPDX-License-Identifier: Apache-2.0 */
/* Replies of Redis (RESP2), read by hiredis behind a guard. Nothing here knows what was asked.
 *
 * Invariants
 * - hiredis sees only octets that resp_measure() has found to be one whole reply within every limit
 *   (elements, values, nesting, line and string length), so it never allocates by a peer's word.
 * - A reply is a flat list in pre-order: an array's value is followed by its elements. It lies in a
 *   fixed pool and its spans point into the octets given to resp_take(); both live until the next
 *   call. */
#ifndef CONSENT_STORE_REPLY_H
#define CONSENT_STORE_REPLY_H

#include "proto/base/err.h"
#include "proto/base/limits.h"
#include "proto/base/span.h"

enum resp {
    RESP_WHOLE, /* one reply */
    RESP_MORE,  /* the beginning of one */
    RESP_BAD,   /* can never become one, or passes a limit */
};

enum resp_type {
    RESP_STATUS,
    RESP_ERROR,
    RESP_INTEGER,
    RESP_STRING,
    RESP_NIL,
    RESP_ARRAY,
};

struct resp_value {
    enum resp_type type;
    int64_t integer;  /* RESP_INTEGER; for RESP_ARRAY the number of elements */
    struct span text; /* RESP_STATUS, RESP_ERROR, RESP_STRING */
};

struct resp_reply {
    size_t count;
    struct resp_value values[STORE_REPLY_VALUES];
};

/* Length of the reply at the front of `octets`. Pure; *ret_length only with RESP_WHOLE, *ret_why (a
 * static sentence) only with RESP_BAD. */
MUST_CHECK enum resp resp_measure(struct span octets, size_t *ret_length, const char **ret_why);

/* hiredis' reader with our pool. After RESP_BAD only resp_reader_free() makes sense. */
struct resp_reader;
struct resp_reader *resp_reader_new(void);
void resp_reader_free(struct resp_reader *reader);

/* Reads the reply at the front of `octets`; *ret_length octets are done with. An integer of one digit, an
 * array of nine of them at most and a string of nine octets, which are nearly all replies, need no hiredis. */
MUST_CHECK enum resp resp_take(struct resp_reader *reader, struct span octets,
                               const struct resp_reply **ret_reply, size_t *ret_length,
                               const char **ret_why);

/* The same, always by hiredis. */
MUST_CHECK enum resp resp_take_any(struct resp_reader *reader, struct span octets,
                                   const struct resp_reply **ret_reply, size_t *ret_length,
                                   const char **ret_why);

static inline bool resp_text_is(const struct resp_value *value, const char *text)
{
    return span_equal(value->text, span_from_string(text));
}

#endif
