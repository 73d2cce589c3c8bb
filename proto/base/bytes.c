/* SPDX-License-Identifier: Apache-2.0 */
#include "proto/base/bytes.h"

#include <stdlib.h>
#include <string.h>

#include "proto/base/check.h"

#define BUFFER_FIRST_SIZE 4096
#define BUFFER_KEEP_SIZE  (1u << 20) /* an emptied buffer above this gives its memory back */

void buffer_init(struct buffer *buffer, size_t limit)
{
    *buffer = (struct buffer){.limit = limit};
}

/* Texts and one-time codes pass through buffers: what is no longer in use does not stay in memory. */
static void wipe(struct buffer *buffer, size_t start, size_t end)
{
    if (start < end)
        explicit_bzero(buffer->data + start, end - start);
}

void buffer_release(struct buffer *buffer)
{
    wipe(buffer, buffer->start, buffer->end);
    free(buffer->data);
    *buffer = (struct buffer){0};
}

uint8_t *buffer_reserve(struct buffer *buffer, size_t length)
{
    size_t used = buffer_length(buffer);
    if (length > buffer->limit || used > buffer->limit - length)
        return NULL;
    if (buffer->end + length <= buffer->size)
        return buffer->data + buffer->end;
    if (used + length > buffer->size || buffer->start < buffer->size / 2) {
        size_t size = buffer->size ? buffer->size * 2 : BUFFER_FIRST_SIZE;
        while (size < used + length)
            size *= 2;
        if (size > buffer->limit * 2 && buffer->limit >= used + length)
            size = buffer->limit * 2 > used + length ? buffer->limit * 2 : used + length;
        uint8_t *data = check_malloc(size);
        if (used > 0)
            memcpy(data, buffer->data + buffer->start, used);
        wipe(buffer, buffer->start, buffer->end);
        free(buffer->data);
        buffer->data = data;
        buffer->size = size;
    } else if (used > 0) {
        memmove(buffer->data, buffer->data + buffer->start, used);
        wipe(buffer, buffer->start > used ? buffer->start : used, buffer->end);
    }
    buffer->start = 0;
    buffer->end = used;
    return buffer->data + buffer->end;
}

bool buffer_append(struct buffer *buffer, const void *data, size_t length)
{
    if (length == 0)
        return true;
    uint8_t *room = buffer_reserve(buffer, length);
    if (room == NULL)
        return false;
    memcpy(room, data, length);
    buffer_commit(buffer, length);
    return true;
}

void buffer_consume(struct buffer *buffer, size_t length)
{
    CHECK(length <= buffer_length(buffer));
    wipe(buffer, buffer->start, buffer->start + length);
    buffer->start += length;
    if (buffer->start != buffer->end)
        return;
    buffer->start = buffer->end = 0;
    if (buffer->size > BUFFER_KEEP_SIZE) {
        free(buffer->data);
        buffer->data = NULL;
        buffer->size = 0;
    }
}
