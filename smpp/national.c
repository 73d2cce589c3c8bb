/* SPDX-License-Identifier: Apache-2.0 */
/* A Latin table is written as what it has beyond the default one: each keeps the other septets of the
 * default alphabet, or of its extension table. A table of another script is a frame that all of them
 * share, and letters by their place in the script's block of Unicode. */
#include "smpp/national.h"

#include <string.h>

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

/* ---- scripts ---- */

#define NOTHING 0x04 /* the place in a block that no table has a character of */

/* The places in the block that begins at `base`, a row for each column of the standard's table; of the
 * single shift tables only the columns 1 to 3 have letters. In the blocks of India 0x64 and 0x65 are
 * the dandas that all these scripts take from Devanagari. */
struct script {
    uint16_t base;
    uint8_t locking[128];
    uint8_t single[48];
};
#define SINGLE_BEGIN 0x10

/* What has no letter, in Latin-1. Of the single shift tables it is what they have beyond the default
 * extension table. */
/* clang-format off */
static const char locking_frame[128] =
    "\0\0\0\0\0\0\0\0\0\0\n\0\0\r\0\0"
    "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0"
    " !\0\0\0\0\0\0)(\0\0,\0.\0"
    "0123456789:;\0\0\0?"
    "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0"
    "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0"
    "\0abcdefghijklmno"
    "pqrstuvwxyz";
static const char single_frame[128] =
    "@\xa3$\xa5\xbf\"\xa4%&'\0*+\0-/"
    "<=>\xa1\0\xa1_#*\0\0\0\0\0\0\0"
    "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0"
    "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0"
    "\0ABCDEFGHIJKLMNO"
    "PQRSTUVWXYZ";

/* A.2.4 to A.2.13, A.3.4 to A.3.13. Where releases of the standard have a misprint, the letter that
 * belongs there and that handsets show: tests/vectors/national.tsv names these places. */
static const struct script bengali = {
    0x0980,
    "\x01\x02\x03\x05\x06\x07\x08\x09\x0a\x0b\4\x0c\4\4\4\x0f"
    "\x10\4\4\x13\x14\x15\x16\x17\x18\x19\x1a\4\x1b\x1c\x1d\x1e"
    "\4\4\x1f\x20\x21\x22\x23\x24\4\4\x25\x26\4\x27\4\x28"
    "\4\4\4\4\4\4\4\4\4\4\4\4\4\x2a\x2b\4"
    "\x2c\x2d\x2e\x2f\x30\4\x32\4\4\4\x36\x37\x38\x39\x3c\x3d"
    "\x3e\x3f\x40\x41\x42\x43\x44\4\4\x47\x48\4\4\x4b\x4c\x4d"
    "\x4e\4\4\4\4\4\4\4\4\4\4\4\4\4\4\4"
    "\4\4\4\4\4\4\4\4\4\4\4\x57\x5c\x5d\x70\x71",
    "\4\4\4\4\4\4\4\4\4\x66\x67\4\x68\x69\x6a\x6b"
    "\x6c\x6d\x6e\x6f\x5f\x60\x61\x62\4\4\x63\x72\x73\x74\x75\4"
    "\x76\x77\x78\x79\x7a\4\4\4\4\4\4\4\4\4\4\4",
};
static const struct script gujarati = {
    0x0a80,
    "\x01\x02\x03\x05\x06\x07\x08\x09\x0a\x0b\4\x0c\x0d\4\4\x0f"
    "\x10\x11\4\x13\x14\x15\x16\x17\x18\x19\x1a\4\x1b\x1c\x1d\x1e"
    "\4\4\x1f\x20\x21\x22\x23\x24\4\4\x25\x26\4\x27\4\x28"
    "\4\4\4\4\4\4\4\4\4\4\4\4\4\x2a\x2b\4"
    "\x2c\x2d\x2e\x2f\x30\4\x32\x33\4\x35\x36\x37\x38\x39\x3c\x3d"
    "\x3e\x3f\x40\x41\x42\x43\x44\x45\4\x47\x48\x49\4\x4b\x4c\x4d"
    "\x50\4\4\4\4\4\4\4\4\4\4\4\4\4\4\4"
    "\4\4\4\4\4\4\4\4\4\4\4\x60\x61\x62\x63\x71",
    "\4\4\4\4\4\4\4\4\4\x64\x65\4\x66\x67\x68\x69"
    "\x6a\x6b\x6c\x6d\x6e\x6f\4\4\4\4\4\4\4\4\4\4"
    "\4\4\4\4\4\4\4\4\4\4\4\4\4\4\4\4",
};
static const struct script hindi = {
    0x0900,
    "\x01\x02\x03\x05\x06\x07\x08\x09\x0a\x0b\4\x0c\x0d\4\x0e\x0f"
    "\x10\x11\x12\x13\x14\x15\x16\x17\x18\x19\x1a\4\x1b\x1c\x1d\x1e"
    "\4\4\x1f\x20\x21\x22\x23\x24\4\4\x25\x26\4\x27\4\x28"
    "\4\4\4\4\4\4\4\4\4\4\4\4\x29\x2a\x2b\4"
    "\x2c\x2d\x2e\x2f\x30\x31\x32\x33\x34\x35\x36\x37\x38\x39\x3c\x3d"
    "\x3e\x3f\x40\x41\x42\x43\x44\x45\x46\x47\x48\x49\x4a\x4b\x4c\x4d"
    "\x50\4\4\4\4\4\4\4\4\4\4\4\4\4\4\4"
    "\4\4\4\4\4\4\4\4\4\4\4\x72\x7b\x7c\x7e\x7f",
    "\4\4\4\4\4\4\4\4\4\x64\x65\4\x66\x67\x68\x69"
    "\x6a\x6b\x6c\x6d\x6e\x6f\x51\x52\4\4\x53\x54\x58\x59\x5a\4"
    "\x5b\x5c\x5d\x5e\x5f\x60\x61\x62\x63\x70\x71\4\4\4\4\4",
};
static const struct script kannada = {
    0x0c80,
    "\4\x02\x03\x05\x06\x07\x08\x09\x0a\x0b\4\x0c\4\4\x0e\x0f"
    "\x10\4\x12\x13\x14\x15\x16\x17\x18\x19\x1a\4\x1b\x1c\x1d\x1e"
    "\4\4\x1f\x20\x21\x22\x23\x24\4\4\x25\x26\4\x27\4\x28"
    "\4\4\4\4\4\4\4\4\4\4\4\4\4\x2a\x2b\4"
    "\x2c\x2d\x2e\x2f\x30\x31\x32\x33\4\x35\x36\x37\x38\x39\x3c\x3d"
    "\x3e\x3f\x40\x41\x42\x43\x44\4\x46\x47\x48\4\x4a\x4b\x4c\x4d"
    "\x55\4\4\4\4\4\4\4\4\4\4\4\4\4\4\4"
    "\4\4\4\4\4\4\4\4\4\4\4\x56\x60\x61\x62\x63",
    "\4\4\4\4\4\4\4\4\4\x64\x65\4\x66\x67\x68\x69"
    "\x6a\x6b\x6c\x6d\x6e\x6f\x5e\x71\4\4\x72\4\4\4\4\4"
    "\4\4\4\4\4\4\4\4\4\4\4\4\4\4\4\4",
};
static const struct script malayalam = {
    0x0d00,
    "\4\x02\x03\x05\x06\x07\x08\x09\x0a\x0b\4\x0c\4\4\x0e\x0f"
    "\x10\4\x12\x13\x14\x15\x16\x17\x18\x19\x1a\4\x1b\x1c\x1d\x1e"
    "\4\4\x1f\x20\x21\x22\x23\x24\4\4\x25\x26\4\x27\4\x28"
    "\4\4\4\4\4\4\4\4\4\4\4\4\4\x2a\x2b\4"
    "\x2c\x2d\x2e\x2f\x30\x31\x32\x33\x34\x35\x36\x37\x38\x39\4\x3d"
    "\x3e\x3f\x40\x41\x42\x43\x44\4\x46\x47\x48\4\x4a\x4b\x4c\x4d"
    "\x57\4\4\4\4\4\4\4\4\4\4\4\4\4\4\4"
    "\4\4\4\4\4\4\4\4\4\4\4\x60\x61\x62\x63\x79",
    "\4\4\4\4\4\4\4\4\4\x64\x65\4\x66\x67\x68\x69"
    "\x6a\x6b\x6c\x6d\x6e\x6f\x70\x71\4\4\x72\x73\x74\x75\x7a\4"
    "\x7b\x7c\x7d\x7e\x7f\4\4\4\4\4\4\4\4\4\4\4",
};
static const struct script oriya = {
    0x0b00,
    "\x01\x02\x03\x05\x06\x07\x08\x09\x0a\x0b\4\x0c\4\4\4\x0f"
    "\x10\4\4\x13\x14\x15\x16\x17\x18\x19\x1a\4\x1b\x1c\x1d\x1e"
    "\4\4\x1f\x20\x21\x22\x23\x24\4\4\x25\x26\4\x27\4\x28"
    "\4\4\4\4\4\4\4\4\4\4\4\4\4\x2a\x2b\4"
    "\x2c\x2d\x2e\x2f\x30\4\x32\x33\4\x35\x36\x37\x38\x39\x3c\x3d"
    "\x3e\x3f\x40\x41\x42\x43\x44\4\4\x47\x48\4\4\x4b\x4c\x4d"
    "\x56\4\4\4\4\4\4\4\4\4\4\4\4\4\4\4"
    "\4\4\4\4\4\4\4\4\4\4\4\x57\x60\x61\x62\x63",
    "\4\4\4\4\4\4\4\4\4\x64\x65\4\x66\x67\x68\x69"
    "\x6a\x6b\x6c\x6d\x6e\x6f\x5c\x5d\4\4\x5f\x70\x71\4\4\4"
    "\4\4\4\4\4\4\4\4\4\4\4\4\4\4\4\4",
};
static const struct script punjabi = {
    0x0a00,
    "\x01\x02\x03\x05\x06\x07\x08\x09\x0a\4\4\4\4\4\4\x0f"
    "\x10\4\4\x13\x14\x15\x16\x17\x18\x19\x1a\4\x1b\x1c\x1d\x1e"
    "\4\4\x1f\x20\x21\x22\x23\x24\4\4\x25\x26\4\x27\4\x28"
    "\4\4\4\4\4\4\4\4\4\4\4\4\4\x2a\x2b\4"
    "\x2c\x2d\x2e\x2f\x30\4\x32\x33\4\x35\x36\4\x38\x39\x3c\4"
    "\x3e\x3f\x40\x41\x42\4\4\4\4\x47\x48\4\4\x4b\x4c\x4d"
    "\x51\4\4\4\4\4\4\4\4\4\4\4\4\4\4\4"
    "\4\4\4\4\4\4\4\4\4\4\4\x70\x71\x72\x73\x74",
    "\4\4\4\4\4\4\4\4\4\x64\x65\4\x66\x67\x68\x69"
    "\x6a\x6b\x6c\x6d\x6e\x6f\x59\x5a\4\4\x5b\x5c\x5e\x75\4\4"
    "\4\4\4\4\4\4\4\4\4\4\4\4\4\4\4\4",
};
static const struct script tamil = {
    0x0b80,
    "\4\x02\x03\x05\x06\x07\x08\x09\x0a\4\4\4\4\4\x0e\x0f"
    "\x10\4\x12\x13\x14\x15\4\4\4\x19\x1a\4\4\x1c\4\x1e"
    "\4\4\x1f\4\4\4\x23\x24\4\4\4\4\4\4\4\x28"
    "\4\4\4\4\4\4\4\4\4\4\4\4\x29\x2a\4\4"
    "\4\4\x2e\x2f\x30\x31\x32\x33\x34\x35\x36\x37\x38\x39\4\4"
    "\x3e\x3f\x40\x41\x42\4\4\4\x46\x47\x48\4\x4a\x4b\x4c\x4d"
    "\x50\4\4\4\4\4\4\4\4\4\4\4\4\4\4\4"
    "\4\4\4\4\4\4\4\4\4\4\4\x57\x70\x71\x72\x79",
    "\4\4\4\4\4\4\4\4\4\x64\x65\4\x66\x67\x68\x69"
    "\x6a\x6b\x6c\x6d\x6e\x6f\x73\x74\4\4\x75\x76\x77\x78\x7a\4"
    "\4\4\4\4\4\4\4\4\4\4\4\4\4\4\4\4",
};
static const struct script telugu = {
    0x0c00,
    "\x01\x02\x03\x05\x06\x07\x08\x09\x0a\x0b\4\x0c\4\4\x0e\x0f"
    "\x10\4\x12\x13\x14\x15\x16\x17\x18\x19\x1a\4\x1b\x1c\x1d\x1e"
    "\4\4\x1f\x20\x21\x22\x23\x24\4\4\x25\x26\4\x27\4\x28"
    "\4\4\4\4\4\4\4\4\4\4\4\4\4\x2a\x2b\4"
    "\x2c\x2d\x2e\x2f\x30\x31\x32\x33\4\x35\x36\x37\x38\x39\4\x3d"
    "\x3e\x3f\x40\x41\x42\x43\x44\4\x46\x47\x48\4\x4a\x4b\x4c\x4d"
    "\x55\4\4\4\4\4\4\4\4\4\4\4\4\4\4\4"
    "\4\4\4\4\4\4\4\4\4\4\4\x56\x60\x61\x62\x63",
    "\4\4\4\4\4\4\4\4\4\4\4\4\x66\x67\x68\x69"
    "\x6a\x6b\x6c\x6d\x6e\x6f\x58\x59\4\4\x78\x79\x7a\x7b\x7c\4"
    "\x7d\x7e\x7f\4\4\4\4\4\4\4\4\4\4\4\4\4",
};
static const struct script urdu = {
    0x0600,
    "\x27\x22\x28\x7b\x80\x7e\xa6\x2a\xc2\x7f\4\x79\x7d\4\x7a\x7c"
    "\x2b\x2c\x81\x84\x83\x85\x86\x87\x2d\x2e\x2f\4\x8c\x88\x89\x8a"
    "\4\4\x8f\x8d\x30\x31\x91\x93\4\4\x99\x32\4\x96\4\x98"
    "\4\4\4\4\4\4\4\4\4\4\4\4\x9a\x33\x34\4"
    "\x35\x36\x37\x38\x39\x41\x42\xa9\xaa\xab\xaf\xb3\xb1\x44\x45\x46"
    "\xba\xbb\xbc\x48\xc4\xd5\xc1\xbe\x21\xcc\xd0\xd2\x4d\x50\x4f\x57"
    "\x54\4\4\4\4\4\4\4\4\4\4\4\4\4\4\4"
    "\4\4\4\4\4\4\4\4\4\4\4\x55\x51\x53\x56\x70",
    "\4\4\4\4\4\4\4\4\4\x00\x01\4\xf0\xf1\xf2\xf3"
    "\xf4\xf5\xf6\xf7\xf8\xf9\x0c\x0d\4\4\x0e\x0f\x10\x11\x12\4"
    "\x13\x14\x1b\x1f\x40\x52\x58\x6b\x6c\x72\x73\xcd\4\4\4\xd4",
};
/* clang-format on */

/* ---- languages ---- */

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
    const struct script *script;
} languages[NATIONAL_COUNT] = {
    [NATIONAL_TURKISH] = {"turkish", ROWS(turkish_locking), ROWS(turkish_single), NULL},
    [NATIONAL_SPANISH] = {"spanish", {NULL, 0}, ROWS(spanish_single), NULL},
    [NATIONAL_PORTUGUESE] = {"portuguese", ROWS(portuguese_locking), ROWS(portuguese_single), NULL},
    [NATIONAL_BENGALI] = {.name = "bengali", .script = &bengali},
    [NATIONAL_GUJARATI] = {.name = "gujarati", .script = &gujarati},
    [NATIONAL_HINDI] = {.name = "hindi", .script = &hindi},
    [NATIONAL_KANNADA] = {.name = "kannada", .script = &kannada},
    [NATIONAL_MALAYALAM] = {.name = "malayalam", .script = &malayalam},
    [NATIONAL_ORIYA] = {.name = "oriya", .script = &oriya},
    [NATIONAL_PUNJABI] = {.name = "punjabi", .script = &punjabi},
    [NATIONAL_TAMIL] = {.name = "tamil", .script = &tamil},
    [NATIONAL_TELUGU] = {.name = "telugu", .script = &telugu},
    [NATIONAL_URDU] = {.name = "urdu", .script = &urdu},
};

static const struct language *language_of(unsigned language)
{
    return &languages[language < NATIONAL_COUNT ? language : NATIONAL_NONE];
}

const char *national_name(unsigned language)
{
    return language_of(language)->name;
}

bool national_has(unsigned language, unsigned table)
{
    const struct language *of = language_of(language);
    return of->script != NULL ||
           (table == NATIONAL_LOCKING ? &of->locking : &of->single)->count > 0;
}

/* ---- rows ---- */

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

/* ---- letters and frames ---- */

static bool is_danda(uint32_t character)
{
    return character == 0x0964 || character == 0x0965;
}

static uint32_t letter_at(const struct script *script, uint8_t place)
{
    uint32_t danda = 0x0900u + place;
    return script != &urdu && is_danda(danda) ? danda : script->base + (uint32_t)place;
}

/* The place of a character in the script's block; NOTHING for one that is not of it. */
static uint8_t place_of(const struct script *script, uint32_t character)
{
    uint32_t place = character - (is_danda(character) ? 0x0900 : script->base);
    return place <= 0xff && letter_at(script, (uint8_t)place) == character ? (uint8_t)place
                                                                           : NOTHING;
}

/* The septet of a character, in a table of `size` letters from septet `begin` on; or GSM7_NONE. */
static uint16_t find(const struct script *script, const uint8_t *letters, size_t size,
                     unsigned begin, const char frame[128], uint32_t character)
{
    if (character == 0)
        return GSM7_NONE;
    if (character <= 0xff) {
        const char *at = memchr(frame, (int)character, 128);
        return at != NULL ? (uint16_t)(at - frame) : GSM7_NONE;
    }
    uint8_t place = place_of(script, character);
    const uint8_t *at = place != NOTHING ? memchr(letters, place, size) : NULL;
    return at != NULL ? (uint16_t)(begin + (size_t)(at - letters)) : GSM7_NONE;
}

/* 0 where the table has nothing. */
static uint32_t letter_or_frame(const struct script *script, uint8_t place, char framed)
{
    return place != NOTHING ? letter_at(script, place) : (uint8_t)framed;
}

/* ---- one table ---- */

/* The septet of a character that the locking table has beyond the default alphabet, or has at all
 * where it is of another script. */
static uint16_t locking_encode(const struct language *of, uint32_t character)
{
    const struct script *script = of->script;
    if (script != NULL)
        return find(script, script->locking, sizeof script->locking, 0, locking_frame, character);
    const struct row *row = row_of_character(&of->locking, character);
    return row != NULL ? row->septet : GSM7_NONE;
}

/* The same of the single shift table and the extension table. */
static uint16_t single_encode(const struct language *of, uint32_t character)
{
    const struct script *script = of->script;
    if (script != NULL)
        return find(script, script->single, sizeof script->single, SINGLE_BEGIN, single_frame,
                    character);
    const struct row *row = row_of_character(&of->single, character);
    return row != NULL ? row->septet : GSM7_NONE;
}

/* True where the septet is no longer the default alphabet's. */
static bool is_locked(const struct language *of, uint8_t septet)
{
    return of->script != NULL || row_of_septet(&of->locking, septet) != NULL;
}

static uint32_t locking_decode(const struct language *of, uint8_t septet)
{
    if (of->script != NULL)
        return letter_or_frame(of->script, of->script->locking[septet], locking_frame[septet]);
    const struct row *row = row_of_septet(&of->locking, septet);
    return row != NULL ? row->character : 0;
}

static uint32_t single_decode(const struct language *of, uint8_t septet)
{
    if (of->script != NULL) {
        unsigned at = (unsigned)septet - SINGLE_BEGIN;
        bool lettered = septet >= SINGLE_BEGIN && at < sizeof of->script->single;
        return letter_or_frame(of->script, lettered ? of->script->single[at] : NOTHING,
                               single_frame[septet]);
    }
    const struct row *row = row_of_septet(&of->single, septet);
    return row != NULL ? row->character : 0;
}

/* ---- both ---- */

/* Where the default alphabet's own place for a character is taken by another one, the character is
 * gone, unless it stands behind an escape. */
uint16_t national_encode(uint8_t shift, uint32_t character)
{
    const struct language *of = language_of(shift & NATIONAL_LANGUAGE);
    uint16_t code = gsm7_encode(character);
    if (shift & NATIONAL_LOCKING) {
        uint16_t septet = locking_encode(of, character);
        if (septet != GSM7_NONE)
            return septet;
        if (code <= 0x7f && is_locked(of, (uint8_t)code))
            code = GSM7_NONE;
    }
    if (code == GSM7_NONE && (shift & NATIONAL_SINGLE)) {
        uint16_t septet = single_encode(of, character);
        if (septet != GSM7_NONE)
            return (uint16_t)(GSM7_ESCAPE << 8 | septet);
    }
    return code;
}

uint32_t national_decode(uint8_t locking, uint8_t septet)
{
    uint32_t character = locking_decode(language_of(locking), septet & 0x7f);
    return character != 0 ? character : gsm7_decode(septet);
}

uint32_t national_decode_escaped(uint8_t locking, uint8_t single, uint8_t septet)
{
    uint32_t character = single_decode(language_of(single), septet & 0x7f);
    if (character != 0)
        return character;
    character = gsm7_decode_escaped(septet & 0x7f);
    bool extended = character != gsm7_decode(septet);
    return extended ? character : national_decode(locking, septet);
}
