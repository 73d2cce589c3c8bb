/* SPDX-License-Identifier: Apache-2.0 */
#include "consent/country.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#define LEADS           10000 /* the first four digits of a number */
#define COUNT_OF(array) (sizeof(array) / sizeof *(array))

#define AREA(place, zones, codes) {codes, place},
#define CALLING(code, countries)  {code, countries},
static const struct row {
    const char *codes, *countries; /* "US-TX" counts as "US" */
} areas[] =
    {
#include "consent/data/area_codes.inc"
},
  callings[] = {
#include "consent/data/calling_codes.inc"
};

static const char *by_lead[LEADS]; /* NULL: of no country */

/* Every number that begins with `digits`, of which there are up to four. */
static void set_lead(const char *before, const char *digits, size_t length, const char *countries)
{
    char lead[8];
    size_t used = strlen(before);
    memcpy(lead, before, used);
    memcpy(lead + used, digits, length);
    lead[used + length] = '\0';
    unsigned from = (unsigned)strtoul(lead, NULL, 10), count = 1;
    for (used += length; used < 4; used++) {
        from *= 10;
        count *= 10;
    }
    for (unsigned i = 0; i < count; i++)
        by_lead[from + i] = countries;
}

static void set_row(const char *before, const struct row *row)
{
    const char *codes = row->codes;
    while (*codes != '\0') {
        size_t length = strcspn(codes, " ");
        set_lead(before, codes, length, row->countries);
        codes += length + strspn(codes + length, " ");
    }
}

static void build(void)
{
    set_lead("1", "", 0, "US");
    for (size_t i = 0; i < COUNT_OF(areas); i++)
        set_row("1", &areas[i]);
    for (size_t i = 0; i < COUNT_OF(callings); i++) /* the longer ones follow the shorter */
        set_row("", &callings[i]);
}

/* "GB GG JE IM" names "JE", "US-TX" names "US". */
static bool names(const char *countries, const char *country)
{
    while (*countries != '\0') {
        if (strncmp(countries, country, 2) == 0)
            return true;
        countries += strcspn(countries, " ");
        countries += strspn(countries, " ");
    }
    return false;
}

bool number_may_be_of(uint64_t number, const char *country)
{
    if (by_lead[1000] == NULL)
        build();
    while (number >= (uint64_t)LEADS * 10000)
        number /= 10000;
    while (number >= LEADS)
        number /= 10;
    return by_lead[number] != NULL && names(by_lead[number], country);
}

bool country_is_known(const char *country)
{
    if (strlen(country) != 2)
        return false;
    for (size_t i = 0; i < COUNT_OF(areas); i++)
        if (names(areas[i].countries, country))
            return true;
    for (size_t i = 0; i < COUNT_OF(callings); i++)
        if (names(callings[i].countries, country))
            return true;
    return false;
}
