/* SPDX-License-Identifier: Apache-2.0 */
/* The framer and its header: a stream must give the same PDUs whole and octet by octet, and a bad length
 * is known from its four octets on. */
#include "proto/base/check.h"
#include "smpp/decode.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define LIMIT 256 /* so that small inputs hold several PDUs */

/* The first PDU, by what a reader sees that gets one octet more each time. */
static enum frame_result frame_slowly(struct span stream, struct pdu_header *ret_header)
{
    for (size_t length = 0; length < stream.length; length++) {
        enum frame_result result = decode_frame(span_of(stream.data, length), LIMIT, ret_header);
        if (result != FRAME_NEED_MORE)
            return result;
    }
    return decode_frame(stream, LIMIT, ret_header);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct span rest = span_of(data, size);
    for (;;) {
        struct pdu_header at_once = {0}, slowly = {0};
        enum frame_result result = decode_frame(rest, LIMIT, &at_once);
        CHECK(frame_slowly(rest, &slowly) == result);
        CHECK(at_once.command_length == slowly.command_length);
        if (result == FRAME_BAD_LENGTH)
            CHECK(at_once.command_length < SMPP_HEADER_SIZE || at_once.command_length > LIMIT);
        if (result != FRAME_WHOLE)
            return 0;
        CHECK(at_once.command_id == slowly.command_id);
        CHECK(at_once.command_status == slowly.command_status);
        CHECK(at_once.sequence_number == slowly.sequence_number);
        CHECK(at_once.command_length >= SMPP_HEADER_SIZE && at_once.command_length <= rest.length);
        rest = span_of(rest.data + at_once.command_length, rest.length - at_once.command_length);
    }
}
