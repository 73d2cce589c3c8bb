/* SPDX-License-Identifier: Apache-2.0 */
/* Framing and decoding of any octets: no crash, no growth above the arena's limit, and what decodes
 * encodes again. */
#include <stdlib.h>

#include "proto/base/check.h"
#include "proto/base/limits.h"
#include "proto/frame.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_again(const Assent__V1__Frame *frame)
{
    struct buffer out;
    buffer_init(&out, FRAME_HEADER + FRAME_MAX);
    struct span body;
    if (frame_append(&out, frame))
        CHECK(frame_look(buffer_span(&out), FRAME_MAX, &body) == FRAME_WHOLE ||
              buffer_length(&out) == FRAME_HEADER);
    buffer_release(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct arena arena;
    if (arena.limit == 0)
        arena_init(&arena, FRAME_ARENA_MAX);
    struct span stream = span_of(data, size), body;
    (void)frame_text_valid(stream);
    arena_reset(&arena);
    (void)frame_decode(stream, &arena); /* without framing, so that the fuzzer gets far quickly */
    while (frame_look(stream, FRAME_MAX, &body) == FRAME_WHOLE) {
        arena_reset(&arena);
        const Assent__V1__Frame *frame = frame_decode(body, &arena);
        if (frame != NULL)
            check_again(frame);
        stream.data += FRAME_HEADER + body.length;
        stream.length -= FRAME_HEADER + body.length;
    }
    return 0;
}
