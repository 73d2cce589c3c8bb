/* SPDX-License-Identifier: Apache-2.0 */
/* Arbitrary octets as a signed note, as a checkpoint, as a key that an outsider was given, and as a record
 * that is looked into. What reads as a checkpoint or a key is written again and must read the same. */
#include <stdlib.h>

#include "consent/note.h"
#include "consent/record_peek.h"
#include "proto/base/check.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void as_key(const uint8_t *data, size_t size)
{
    struct note_key key;
    char text[NOTE_KEY_TEXT_SIZE], *copy = check_malloc(size + 1);
    memcpy(copy, data, size);
    copy[size] = '\0';
    if (note_key_parse(copy, &key) == ERR_OK)
        CHECK(strcmp(note_key_text(&key, text), copy) == 0);
    free(copy);
}

static void as_note(const uint8_t *data, size_t size)
{
    struct note_key key = {.name = "assent/gw1"};
    struct checkpoint checkpoint, again;
    char note[NOTE_SIZE];
    size_t length, used;
    CHECK(!note_is_signed(span_of(data, size), &key));
    if (checkpoint_read(span_of(data, size), &checkpoint, &length) != ERR_OK)
        return;
    CHECK(length <= size && checkpoint.size > 0);
    used = checkpoint_text(&checkpoint, note);
    memcpy(note + used, "\n\xe2\x80\x94 a A\n", 9);
    CHECK(checkpoint_read(span_of(note, used + 9), &again, &length) == ERR_OK);
    CHECK(memcmp(&checkpoint.root, &again.root, sizeof again.root) == 0 &&
          checkpoint.size == again.size && strcmp(checkpoint.origin, again.origin) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct record_peek peek;
    struct span octets = span_of(data, size);
    as_key(data, size);
    as_note(data, size);
    if (record_peek(octets, &peek) && peek.octets.length > 0)
        CHECK(peek.octets.data >= data && peek.octets.data + peek.octets.length <= data + size);
    struct span key = peek_signing_key(octets);
    if (key.length > 0)
        CHECK(key.data >= data && key.data + key.length <= data + size);
    return 0;
}
