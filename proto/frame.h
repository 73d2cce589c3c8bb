/* SPDX-License-Identifier: Apache-2.0 */
/* Framing of the submission protocol: a 4-byte big-endian length, then one assent.v1.Frame. Pure:
 * octets in, a body or a reason out; both sides use it. */
#ifndef PROTO_FRAME_H
#define PROTO_FRAME_H

#include "proto/assent.pb-c.h"
#include "proto/base/arena.h"
#include "proto/base/bytes.h"

#define FRAME_HEADER 4 /* octets of the length word */

enum frame_look {
    FRAME_WHOLE,    /* *ret_body is the body; consume FRAME_HEADER + its length */
    FRAME_MORE,     /* the stream ends before the frame does */
    FRAME_EMPTY,    /* length 0: a frame always has a body */
    FRAME_TOO_LONG, /* length above `max` */
};

/* Looks at the front of a stream. After FRAME_EMPTY and FRAME_TOO_LONG nothing behind can be trusted. */
MUST_CHECK enum frame_look frame_look(struct span stream, uint32_t max, struct span *ret_body);

/* Decodes a body into the arena; NULL when it is malformed or would swell above the arena's limit.
 *
 * protobuf-c keeps strings NUL-terminated and lets any octets pass. So that nothing hides behind an
 * embedded NUL, each NUL in a string field becomes 0xFF first, which is not UTF-8: whoever checks the
 * text (frame_strings_valid()) refuses that string, and only the message that it is in. */
Assent__V1__Frame *frame_decode(struct span body, struct arena *arena);

/* True when every string directly in `message` is UTF-8; otherwise *ret_field is the field's name.
 * Does not descend into submessages. */
MUST_CHECK bool frame_strings_valid(const ProtobufCMessage *message, const char **ret_field);

/* True when `text` is UTF-8 (RFC 3629: no surrogates, no overlong forms). */
MUST_CHECK bool frame_text_valid(struct span text);

/* Appends the frame with its header. False when it does not fit the buffer. */
MUST_CHECK bool frame_append(struct buffer *out, const Assent__V1__Frame *frame);

/* Appends a watch event without decoding it: `event` and `personal` are serialised Event and
 * Personal (maybe empty) as the ledger holds them. */
MUST_CHECK bool frame_append_watch_event(struct buffer *out, uint64_t call, uint64_t sequence,
                                         struct span event, struct span personal);

#endif
