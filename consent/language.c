/* SPDX-License-Identifier: Apache-2.0 */
#include "consent/language.h"

#include <string.h>

#include "proto/number.h"

/* Country codes (ITU-T E.164) of countries with one official language, of those that we answer in. No
 * code is the beginning of another. */
static const struct {
    const char *language;
    const char *codes;
} countries[] = {
    {"ar", " 20 218 249 962 963 965 966 967 968 970 971 973 974 "},
    {"de", " 43 49 423 "},
    {"en", " 44 61 64 "},
    {"es", " 34 51 52 53 54 56 57 58 502 503 504 505 506 507 591 593 595 598 "},
    {"fr", " 33 221 223 225 226 227 228 229 241 242 243 262 377 508 590 594 596 687 689 "},
    {"id", " 62 "},
    {"it", " 39 378 "},
    {"ja", " 81 "},
    {"ko", " 82 "},
    {"nl", " 31 597 "},
    {"pt", " 55 238 239 244 258 351 "},
    {"tr", " 90 "},
    {"zh", " 86 "},
};

static bool has_code(const char *codes, const char *digits, size_t length)
{
    char code[8] = " ";
    memcpy(code + 1, digits, length);
    memcpy(code + 1 + length, " ", 2);
    return strstr(codes, code) != NULL;
}

const char *language_of_number(uint64_t number)
{
    char digits[NUMBER_TEXT_SIZE];
    number_format(number, digits);
    size_t most = strlen(digits) < 3 ? strlen(digits) : 3;
    for (size_t i = 0; i < sizeof countries / sizeof *countries; i++)
        for (size_t length = 2; length <= most; length++)
            if (has_code(countries[i].codes, digits, length))
                return countries[i].language;
    return "";
}

const char *language_of_reply(const struct keyword_match *match, uint64_t number)
{
    return match->shared ? language_of_number(number) : match->language;
}
