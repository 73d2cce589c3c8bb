/* SPDX-License-Identifier: Apache-2.0 */
#include "consent/pending.h"

#include <string.h>

#include "proto/base/words.h"

static bool hex_digit(uint8_t c, uint8_t *ret_value)
{
    if (c >= '0' && c <= '9')
        *ret_value = c - '0';
    else if (c >= 'a' && c <= 'f')
        *ret_value = c - 'a' + 10;
    else
        return false;
    return true;
}

static bool take_number(struct span *text, uint64_t *ret_number)
{
    return take_decimal(text, UINT64_MAX, ret_number) && take_space(text);
}

static bool take_digest(struct span *text, uint8_t digest[32])
{
    if (text->length < 65 || text->data[64] != ' ')
        return false;
    for (size_t i = 0; i < 32; i++) {
        uint8_t high, low;
        if (!hex_digit(text->data[2 * i], &high) || !hex_digit(text->data[2 * i + 1], &low))
            return false;
        digest[i] = (uint8_t)(high << 4 | low);
    }
    *text = span_of(text->data + 65, text->length - 65);
    return true;
}

static bool is_declined(const struct consent_state *state, struct span rest)
{
    return state->request == 0 && rest.length == strlen(PENDING_DECLINED) &&
           memcmp(rest.data, PENDING_DECLINED, rest.length) == 0;
}

bool pending_parse(struct span text, struct consent_state *ret_state)
{
    if (!take_number(&text, &ret_state->request) ||
        !take_number(&text, &ret_state->asked_wall_ms) ||
        !take_number(&text, &ret_state->expires_wall_ms))
        return false;
    if (is_declined(ret_state, text))
        return true;
    if (!take_digest(&text, ret_state->token_sha256) || text.length >= sizeof ret_state->asker ||
        memchr(text.data, '\0', text.length) != NULL)
        return false;
    memcpy(ret_state->asker, text.data, text.length);
    ret_state->asker[text.length] = '\0';
    ret_state->pending = strchr(ret_state->asker, ' ') != NULL;
    return ret_state->pending;
}
