/* SPDX-License-Identifier: Apache-2.0 */
/* Any octets as what stands in Redis about a question; and, split at the first line end, as a program's join word
 * and a reply to it. */
#include <string.h>

#include "consent/join.h"
#include "consent/pending.h"
#include "proto/base/check.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void join(struct span octets)
{
    char word[JOIN_WORD_MAX + 2], said[JOIN_WORD_MAX + 8] = "join ";
    const uint8_t *end = octets.length > 0 ? memchr(octets.data, '\n', octets.length) : NULL;
    size_t length = end != NULL ? (size_t)(end - octets.data) : octets.length;
    if (length >= sizeof word)
        length = sizeof word - 1;
    if (length > 0)
        memcpy(word, octets.data, length);
    word[length] = '\0';
    bool usable = join_word_fault(word) == NULL;
    if (end != NULL)
        (void)join_matches(span_of(end + 1, (size_t)(octets.data + octets.length - end - 1)), word);
    if (!usable)
        return;
    strcat(said, word); /* a word that a program may have is understood */
    CHECK(join_matches(span_from_string(said), word));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct consent_state state = {0};
    if (pending_parse(span_of(data, size), &state))
        CHECK(state.pending
                  ? strlen(state.asker) < sizeof state.asker && strchr(state.asker, ' ') != NULL
                  : state.request == 0);
    join(span_of(data, size));
    return 0;
}
