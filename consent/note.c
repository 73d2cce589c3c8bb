/* SPDX-License-Identifier: Apache-2.0 */
#include "consent/note.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>

#include "consent/signing.h"
#include "proto/base/base64.h"
#include "proto/base/check.h"

#define ALGORITHM_ED25519 0x01
#define KEY_ID_SIZE       4
#define DASH              "\xe2\x80\x94 " /* U+2014 and a blank begin each signature's line */

static bool name_is_good(struct span name)
{
    if (name.length == 0 || name.length >= NOTE_NAME_SIZE)
        return false;
    for (size_t i = 0; i < name.length; i++)
        if (name.data[i] <= ' ' || name.data[i] == '+' || name.data[i] >= 0x7f)
            return false;
    return true;
}

/* Keys ---------------------------------------------------------------------------------------- */

uint32_t note_key_id(const struct note_key *key)
{
    uint8_t input[NOTE_NAME_SIZE + 2 + NOTE_PUBLIC_KEY_SIZE];
    size_t length = strlen(key->name);
    memcpy(input, key->name, length);
    input[length++] = '\n';
    input[length++] = ALGORITHM_ED25519;
    memcpy(input + length, key->public_key, NOTE_PUBLIC_KEY_SIZE);
    struct digest digest = sha256(span_of(input, length + NOTE_PUBLIC_KEY_SIZE));
    const uint8_t *octets = digest.octets;
    return (uint32_t)octets[0] << 24 | (uint32_t)octets[1] << 16 | (uint32_t)octets[2] << 8 |
           octets[3];
}

char *note_key_text(const struct note_key *key, char out[NOTE_KEY_TEXT_SIZE])
{
    uint8_t octets[1 + NOTE_PUBLIC_KEY_SIZE] = {ALGORITHM_ED25519};
    char text[BASE64_SIZE(sizeof octets) + 1];
    memcpy(octets + 1, key->public_key, NOTE_PUBLIC_KEY_SIZE);
    snprintf(out, NOTE_KEY_TEXT_SIZE, "%s+%08" PRIx32 "+%s", key->name, note_key_id(key),
             base64_encode(span_of(octets, sizeof octets), text));
    return out;
}

enum err note_key_parse(const char *text, struct note_key *ret_key)
{
    const char *id = strchr(text, '+');
    const char *key = id == NULL ? NULL : strchr(id + 1, '+');
    uint8_t octets[1 + NOTE_PUBLIC_KEY_SIZE];
    size_t length;
    char again[NOTE_KEY_TEXT_SIZE];
    if (key == NULL || !name_is_good(span_of(text, (size_t)(id - text))) ||
        !base64_decode(span_from_string(key + 1), octets, sizeof octets, &length) ||
        length != sizeof octets || octets[0] != ALGORITHM_ED25519)
        return ERR_BAD_INPUT;
    snprintf(ret_key->name, sizeof ret_key->name, "%.*s", (int)(id - text), text);
    memcpy(ret_key->public_key, octets + 1, NOTE_PUBLIC_KEY_SIZE);
    return strcmp(note_key_text(ret_key, again), text) == 0 ? ERR_OK : ERR_BAD_INPUT;
}

/* Notes --------------------------------------------------------------------------------------- */

/* Octets of the text that is signed: up to the newline before the empty line. 0: this is no note. */
static size_t text_length(struct span note)
{
    for (size_t i = 0; i + 1 < note.length; i++)
        if (note.data[i] == '\n' && note.data[i + 1] == '\n')
            return i + 1;
    return 0;
}

/* Cuts the first line, without its newline, off the front of `rest`. False: there is none. */
static bool take_line(struct span *rest, struct span *ret_line)
{
    const uint8_t *end = rest->length == 0 ? NULL : memchr(rest->data, '\n', rest->length);
    if (end == NULL)
        return false;
    *ret_line = span_of(rest->data, (size_t)(end - rest->data));
    *rest = span_of(end + 1, rest->length - ret_line->length - 1);
    return true;
}

static bool is_signature(struct span line)
{
    return line.length > strlen(DASH) && memcmp(line.data, DASH, strlen(DASH)) == 0;
}

size_t note_sign(const struct note_signer *signer, char note[NOTE_SIZE], size_t length)
{
    uint8_t octets[KEY_ID_SIZE + NOTE_SIGNATURE_SIZE];
    char text[BASE64_SIZE(sizeof octets) + 1];
    const struct note_key *key = note_signer_key(signer);
    uint32_t id = note_key_id(key);
    size_t signed_length = text_length(span_of(note, length));
    for (int i = 0; i < KEY_ID_SIZE; i++)
        octets[i] = (uint8_t)(id >> (24 - 8 * i));
    note_signer_signature(signer, span_of(note, signed_length ? signed_length : length),
                          octets + KEY_ID_SIZE);
    int n =
        snprintf(note + length, NOTE_SIZE - length, "%s" DASH "%s %s\n", signed_length ? "" : "\n",
                 key->name, base64_encode(span_of(octets, sizeof octets), text));
    CHECK(n > 0 && (size_t)n < NOTE_SIZE - length);
    return length + (size_t)n;
}

/* Whether the line is of this key; its signature then. */
static bool signature_of(struct span line, const struct note_key *key,
                         uint8_t out[NOTE_SIGNATURE_SIZE])
{
    uint8_t octets[KEY_ID_SIZE + NOTE_SIGNATURE_SIZE];
    size_t length, name_length = strlen(key->name), skip = strlen(DASH) + name_length + 1;
    uint32_t id = note_key_id(key);
    if (line.length < skip || memcmp(line.data + strlen(DASH), key->name, name_length) != 0 ||
        line.data[skip - 1] != ' ' ||
        !base64_decode(span_of(line.data + skip, line.length - skip), octets, sizeof octets,
                       &length) ||
        length != sizeof octets)
        return false;
    for (int i = 0; i < KEY_ID_SIZE; i++)
        if (octets[i] != (uint8_t)(id >> (24 - 8 * i)))
            return false;
    memcpy(out, octets + KEY_ID_SIZE, NOTE_SIGNATURE_SIZE);
    return true;
}

bool note_is_signed(struct span note, const struct note_key *key)
{
    uint8_t signature[NOTE_SIGNATURE_SIZE];
    size_t length = text_length(note);
    if (length == 0)
        return false;
    struct span rest = span_of(note.data + length + 1, note.length - length - 1), line;
    while (take_line(&rest, &line) && is_signature(line))
        if (signature_of(line, key, signature) &&
            note_signature_holds(span_of(note.data, length), signature, key->public_key))
            return true;
    return false;
}

/* Checkpoints --------------------------------------------------------------------------------- */

size_t checkpoint_text(const struct checkpoint *checkpoint, char out[NOTE_SIZE])
{
    char root[BASE64_SIZE(DIGEST_SIZE) + 1];
    int n = snprintf(out, NOTE_SIZE, "%s\n%" PRIu64 "\n%s\n", checkpoint->origin, checkpoint->size,
                     base64_encode(span_of(checkpoint->root.octets, DIGEST_SIZE), root));
    CHECK(n > 0 && n < NOTE_SIZE);
    return (size_t)n;
}

/* Decimal without leading zeros; a tree without leaves has no checkpoint here. */
static bool read_size(struct span line, uint64_t *ret_size)
{
    uint64_t size = 0;
    if (line.length == 0 || line.length > 15 || line.data[0] == '0')
        return false;
    for (size_t i = 0; i < line.length; i++) {
        if (!isdigit(line.data[i]))
            return false;
        size = size * 10 + (line.data[i] - '0');
    }
    *ret_size = size;
    return true;
}

enum err checkpoint_read(struct span notes, struct checkpoint *ret_checkpoint, size_t *ret_length)
{
    struct span rest = notes, line;
    size_t length, signatures = 0;
    if (!take_line(&rest, &line) || !name_is_good(line))
        return ERR_BAD_INPUT;
    memcpy(ret_checkpoint->origin, line.data, line.length);
    ret_checkpoint->origin[line.length] = '\0';
    if (!take_line(&rest, &line) || !read_size(line, &ret_checkpoint->size) ||
        !take_line(&rest, &line) ||
        !base64_decode(line, ret_checkpoint->root.octets, DIGEST_SIZE, &length) ||
        length != DIGEST_SIZE)
        return ERR_BAD_INPUT;
    do
        if (!take_line(&rest, &line))
            return ERR_BAD_INPUT;
    while (line.length > 0);
    *ret_length = notes.length - rest.length;
    for (; take_line(&rest, &line) && is_signature(line); signatures++)
        *ret_length = notes.length - rest.length;
    return signatures > 0 && *ret_length < NOTE_SIZE ? ERR_OK : ERR_BAD_INPUT;
}
