/* SPDX-License-Identifier: Apache-2.0 */
/* Each table is written as what it has beyond the default one: every locking table here keeps the
 * other septets of the default alphabet, every single shift table those of its extension table. */
#include "smpp/national.h"

#include "smpp/gsm7.h"

struct row {
    uint8_t septet;
    uint16_t character;
};

/* 3GPP TS 23.038, A.3.1 */
static const struct row turkish_locking[] = {
    {0x04, 0x20ac}, {0x07, 0x0131}, {0x0b, 0x011e}, {0x0c, 0x011f},
    {0x1c, 0x015e}, {0x1d, 0x015f}, {0x40, 0x0130}, {0x60, 0x00e7},
};

/* A.2.1 */
static const struct row turkish_single[] = {
    {0x47, 0x011e}, {0x49, 0x0130}, {0x53, 0x015e}, {0x63, 0x00e7},
    {0x67, 0x011f}, {0x69, 0x0131}, {0x73, 0x015f},
};

/* A.2.2; A.3.2 is the default alphabet */
static const struct row spanish_single[] = {
    {0x09, 0x00e7}, {0x41, 0x00c1}, {0x49, 0x00cd}, {0x4f, 0x00d3}, {0x55, 0x00da},
    {0x61, 0x00e1}, {0x69, 0x00ed}, {0x6f, 0x00f3}, {0x75, 0x00fa},
};

/* A.3.3 */
static const struct row portuguese_locking[] = {
    {0x04, 0x00ea}, {0x06, 0x00fa}, {0x07, 0x00ed}, {0x08, 0x00f3}, {0x09, 0x00e7}, {0x0b, 0x00d4},
    {0x0c, 0x00f4}, {0x0e, 0x00c1}, {0x0f, 0x00e1}, {0x12, 0x00aa}, {0x13, 0x00c7}, {0x14, 0x00c0},
    {0x15, 0x221e}, {0x16, '^'},    {0x17, '\\'},   {0x18, 0x20ac}, {0x19, 0x00d3}, {0x1a, '|'},
    {0x1c, 0x00c2}, {0x1d, 0x00e2}, {0x1e, 0x00ca}, {0x24, 0x00ba}, {0x40, 0x00cd}, {0x5b, 0x00c3},
    {0x5c, 0x00d5}, {0x5d, 0x00da}, {0x60, '~'},    {0x7b, 0x00e3}, {0x7c, 0x00f5}, {0x7d, '`'},
};

/* A.2.3 */
static const struct row portuguese_single[] = {
    {0x05, 0x00ea}, {0x09, 0x00e7}, {0x0b, 0x00d4}, {0x0c, 0x00f4}, {0x0e, 0x00c1}, {0x0f, 0x00e1},
    {0x12, 0x03a6}, {0x13, 0x0393}, {0x15, 0x03a9}, {0x16, 0x03a0}, {0x17, 0x03a8}, {0x18, 0x03a3},
    {0x19, 0x0398}, {0x1f, 0x00ca}, {0x41, 0x00c0}, {0x49, 0x00cd}, {0x4f, 0x00d3}, {0x55, 0x00da},
    {0x5b, 0x00c3}, {0x5c, 0x00d5}, {0x61, 0x00c2}, {0x69, 0x00ed}, {0x6f, 0x00f3}, {0x75, 0x00fa},
    {0x7b, 0x00e3}, {0x7c, 0x00f5}, {0x7f, 0x00e2},
};

struct rows {
    const struct row *items;
    size_t count;
};

#define ROWS(table)                                                                                \
    {                                                                                              \
        table, sizeof table / sizeof table[0]                                                      \
    }

static const struct language {
    const char *name;
    struct rows locking, single;
} languages[NATIONAL_COUNT] = {
    [NATIONAL_TURKISH] = {"turkish", ROWS(turkish_locking), ROWS(turkish_single)},
    [NATIONAL_SPANISH] = {"spanish", {NULL, 0}, ROWS(spanish_single)},
    [NATIONAL_PORTUGUESE] = {"portuguese", ROWS(portuguese_locking), ROWS(portuguese_single)},
};

static const struct rows *rows_of(unsigned language, unsigned table)
{
    if (language >= NATIONAL_COUNT)
        language = NATIONAL_NONE;
    return table == NATIONAL_LOCKING ? &languages[language].locking : &languages[language].single;
}

const char *national_name(unsigned language)
{
    return language < NATIONAL_COUNT ? languages[language].name : NULL;
}

bool national_has(unsigned language, unsigned table)
{
    return rows_of(language, table)->count > 0;
}

static const struct row *row_of_character(const struct rows *rows, uint32_t character)
{
    for (size_t i = 0; i < rows->count; i++)
        if (rows->items[i].character == character)
            return &rows->items[i];
    return NULL;
}

static const struct row *row_of_septet(const struct rows *rows, uint8_t septet)
{
    for (size_t i = 0; i < rows->count; i++)
        if (rows->items[i].septet == septet)
            return &rows->items[i];
    return NULL;
}

/* Where the default alphabet's own place for a character is taken by another one, the character is
 * gone, unless it stands behind an escape. */
uint16_t national_encode(uint8_t shift, uint32_t character)
{
    unsigned language = shift & NATIONAL_LANGUAGE;
    uint16_t code = gsm7_encode(character);
    if (shift & NATIONAL_LOCKING) {
        const struct rows *rows = rows_of(language, NATIONAL_LOCKING);
        const struct row *row = row_of_character(rows, character);
        if (row != NULL)
            return row->septet;
        if (code <= 0x7f && row_of_septet(rows, (uint8_t)code) != NULL)
            code = GSM7_NONE;
    }
    if (code == GSM7_NONE && (shift & NATIONAL_SINGLE)) {
        const struct row *row = row_of_character(rows_of(language, NATIONAL_SINGLE), character);
        if (row != NULL)
            return (uint16_t)(GSM7_ESCAPE << 8 | row->septet);
    }
    return code;
}

uint32_t national_decode(uint8_t language, uint8_t septet)
{
    const struct row *row = row_of_septet(rows_of(language, NATIONAL_LOCKING), septet & 0x7f);
    return row != NULL ? row->character : gsm7_decode(septet);
}

uint32_t national_decode_escaped(uint8_t language, uint8_t septet)
{
    const struct row *row = row_of_septet(rows_of(language, NATIONAL_SINGLE), septet & 0x7f);
    return row != NULL ? row->character : gsm7_decode_escaped(septet);
}
