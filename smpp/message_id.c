/* SPDX-License-Identifier: Apache-2.0 */
#include "smpp/message_id.h"

#define HEX_DIGITS_MAX 16 /* of 64 bits */

const char *id_form_name(enum id_form form)
{
    static const char *const names[ID_FORMS] = {"raw", "hex", "dec"};
    return names[form];
}

static int digit_of(uint8_t octet)
{
    if (octet >= '0' && octet <= '9')
        return octet - '0';
    octet |= 0x20;
    return octet >= 'a' && octet <= 'f' ? octet - 'a' + 10 : -1;
}

/* Without zeros in front; one digit at least. */
static struct span significant(struct span digits)
{
    while (digits.length > 1 && digits.data[0] == '0')
        digits = span_of(digits.data + 1, digits.length - 1);
    return digits;
}

static bool is_number(struct span id, int base)
{
    for (size_t i = 0; i < id.length; i++) {
        int digit = digit_of(id.data[i]);
        if (digit < 0 || digit >= base)
            return false;
    }
    return id.length > 0;
}

static struct span to_decimal(struct span hex, char out[MESSAGE_ID_MAX])
{
    uint64_t value = 0;
    size_t at = MESSAGE_ID_MAX;
    for (size_t i = 0; i < hex.length; i++)
        value = value << 4 | (uint64_t)digit_of(hex.data[i]);
    do {
        out[--at] = (char)('0' + value % 10);
        value /= 10;
    } while (value > 0);
    return span_of(out + at, MESSAGE_ID_MAX - at);
}

struct span message_id_comparable(struct span id, enum id_form form, char out[MESSAGE_ID_MAX])
{
    if (id.length > MESSAGE_ID_MAX)
        id.length = MESSAGE_ID_MAX;
    switch (form) {
    case ID_HEX:
        if (is_number(id, 16) && significant(id).length <= HEX_DIGITS_MAX)
            return to_decimal(significant(id), out);
        return id;
    case ID_DEC:
        return is_number(id, 10) ? significant(id) : id;
    case ID_RAW:
    case ID_FORMS:
        break;
    }
    return id;
}
