/* SPDX-License-Identifier: Apache-2.0 */
#include "consent/zones.h"

#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "proto/base/check.h"
#include "proto/base/limits.h"

#define ZONE_FOLDER "/usr/share/zoneinfo"
#define DAY_S       86400
#define STEP_S      (14 * DAY_S) /* no clock is changed twice in two weeks */

struct change {
    int64_t at_s;
    int32_t offset_s; /* from then on */
};

struct zone {
    char name[ZONE_NAME_SIZE];
    ino_t file;            /* aliases share it */
    uint32_t first, count; /* of `changes`; the first one is before everything */
    uint16_t same;         /* the first zone with the same changes */
};

struct country_zone {
    char country[3];
    uint16_t zone;
};

struct zone_table {
    struct zone zones[ZONES_MAX + 1]; /* [0] is none; by name */
    unsigned count;
    struct change *changes;
    size_t change_count, change_size;
    struct country_zone by_country[ZONES_MAX];
    unsigned country_count;
};

/* ---- lookups ---- */

static int by_name(const void *key, const void *zone)
{
    return strcmp(key, ((const struct zone *)zone)->name);
}

uint16_t zone_find(const struct zone_table *table, const char *name)
{
    const struct zone *found =
        bsearch(name, table->zones + 1, table->count, sizeof *found, by_name);
    return found != NULL ? (uint16_t)(found - table->zones) : 0;
}

const char *zone_name(const struct zone_table *table, uint16_t zone)
{
    return table->zones[zone].name;
}

unsigned zone_count(const struct zone_table *table)
{
    return table->count;
}

int32_t zone_offset_s(const struct zone_table *table, uint16_t zone, int64_t at_s,
                      int64_t *ret_until_s)
{
    const struct zone *z = &table->zones[zone];
    const struct change *changes = table->changes + z->first;
    size_t low = 0, high = z->count; /* changes[low].at_s <= at_s < changes[high].at_s */
    while (high - low > 1) {
        size_t middle = (low + high) / 2;
        if (changes[middle].at_s <= at_s)
            low = middle;
        else
            high = middle;
    }
    if (ret_until_s != NULL)
        *ret_until_s = high < z->count ? changes[high].at_s : INT64_MAX;
    return changes[low].offset_s;
}

bool zone_same(const struct zone_table *table, uint16_t a, uint16_t b)
{
    return table->zones[a].same == table->zones[b].same;
}

unsigned zones_of_country(const struct zone_table *table, const char *country, uint16_t *out,
                          unsigned max)
{
    unsigned count = 0;
    for (unsigned i = 0; i < table->country_count && count < max; i++)
        if (strcmp(table->by_country[i].country, country) == 0)
            out[count++] = table->by_country[i].zone;
    return count;
}

/* ---- reading a zone through the C library ---- */

static int32_t libc_offset_s(int64_t at_s)
{
    time_t at = (time_t)at_s;
    struct tm local;
    CHECK(localtime_r(&at, &local) != NULL);
    return (int32_t)local.tm_gmtoff;
}

static void add_change(struct zone_table *t, int64_t at_s, int32_t offset_s)
{
    if (t->change_count == t->change_size) {
        t->change_size = t->change_size ? t->change_size * 2 : 4096;
        t->changes = check_realloc(t->changes, t->change_size * sizeof *t->changes);
    }
    t->changes[t->change_count++] = (struct change){.at_s = at_s, .offset_s = offset_s};
}

/* The first second at which the offset is no longer that of `from_s`. */
static int64_t find_change(int64_t from_s, int64_t to_s, int32_t offset_s)
{
    while (to_s - from_s > 1) {
        int64_t middle = from_s + (to_s - from_s) / 2;
        if (libc_offset_s(middle) == offset_s)
            from_s = middle;
        else
            to_s = middle;
    }
    return to_s;
}

static void read_changes(struct zone_table *t, struct zone *z, int64_t from_s, int64_t to_s)
{
    char name[ZONE_NAME_SIZE + 1];
    snprintf(name, sizeof name, ":%s", z->name);
    setenv("TZ", name, 1);
    tzset();
    z->first = (uint32_t)t->change_count;
    int32_t offset_s = libc_offset_s(from_s);
    add_change(t, INT64_MIN, offset_s);
    for (int64_t at = from_s; at < to_s; at += STEP_S) {
        int32_t next = libc_offset_s(at + STEP_S);
        if (next == offset_s)
            continue;
        add_change(t, find_change(at, at + STEP_S, offset_s), next);
        offset_s = next;
    }
    z->count = (uint32_t)t->change_count - z->first;
}

static bool equal_changes(const struct zone_table *t, const struct zone *a, const struct zone *b)
{
    if (a->count != b->count)
        return false;
    for (uint32_t i = 0; i < a->count; i++)
        if (t->changes[a->first + i].at_s != t->changes[b->first + i].at_s ||
            t->changes[a->first + i].offset_s != t->changes[b->first + i].offset_s)
            return false;
    return true;
}

static uint16_t first_alike(const struct zone_table *t, uint16_t zone)
{
    for (uint16_t i = 1; i < zone; i++)
        if (t->zones[i].same == i && equal_changes(t, &t->zones[i], &t->zones[zone]))
            return i;
    return zone;
}

static int64_t year_begins_s(int year)
{
    struct tm first = {.tm_year = year - 1900, .tm_mday = 1};
    return (int64_t)timegm(&first);
}

static void read_zones(struct zone_table *t)
{
    int64_t from_s = year_begins_s(ZONE_YEAR_FIRST), to_s = year_begins_s(ZONE_YEAR_LAST + 1);
    for (uint16_t i = 1; i <= t->count; i++) {
        struct zone *z = &t->zones[i];
        uint16_t alias = 1;
        while (t->zones[alias].file != z->file)
            alias++;
        if (alias < i) {
            z->first = t->zones[alias].first;
            z->count = t->zones[alias].count;
            z->same = t->zones[alias].same;
        } else {
            read_changes(t, z, from_s, to_s);
            z->same = first_alike(t, i);
        }
    }
}

/* ---- which zones there are ---- */

static struct zone_table *filling; /* nftw() passes nothing on */

static bool is_zone_file(const char *path)
{
    char magic[4] = "";
    FILE *file = fopen(path, "re");
    if (file == NULL)
        return false;
    size_t length = fread(magic, 1, sizeof magic, file);
    fclose(file);
    return length == sizeof magic && memcmp(magic, "TZif", sizeof magic) == 0;
}

/* Other forms of the same zones, and what stands for the machine's own. */
static bool is_left_out(const char *name)
{
    static const char *const left_out[] = {"posix/", "right/", "localtime", "posixrules",
                                           "Factory"};
    for (size_t i = 0; i < sizeof left_out / sizeof *left_out; i++)
        if (strncmp(name, left_out[i], strlen(left_out[i])) == 0)
            return true;
    return strlen(name) >= ZONE_NAME_SIZE;
}

/* An alias is a link of either kind. */
static int note_zone(const char *path, const struct stat *status, int type, struct FTW *walk)
{
    (void)status, (void)walk;
    const char *name = path + strlen(ZONE_FOLDER "/");
    struct stat target;
    if ((type != FTW_F && type != FTW_SL) || is_left_out(name) || !is_zone_file(path) ||
        stat(path, &target) != 0 || filling->count == ZONES_MAX)
        return 0;
    struct zone *z = &filling->zones[++filling->count];
    snprintf(z->name, sizeof z->name, "%s", name);
    z->file = target.st_ino;
    return 0;
}

static int compare_zones(const void *a, const void *b)
{
    return strcmp(((const struct zone *)a)->name, ((const struct zone *)b)->name);
}

/* ---- which country has which ---- */

static struct span cut_column(struct span *line)
{
    const uint8_t *tab = memchr(line->data, '\t', line->length);
    size_t length = tab != NULL ? (size_t)(tab - line->data) : line->length;
    size_t used = tab != NULL ? length + 1 : length;
    struct span column = span_of(line->data, length);
    *line = span_of(line->data + used, line->length - used);
    return column;
}

bool zone_tab_line(struct span line, char ret_country[3], char ret_name[ZONE_NAME_SIZE])
{
    if (line.length == 0 || line.data[0] == '#')
        return false;
    struct span country = cut_column(&line);
    cut_column(&line);
    struct span name = cut_column(&line);
    if (country.length != 2 || name.length == 0 || name.length >= ZONE_NAME_SIZE ||
        memchr(name.data, '\0', name.length) != NULL ||
        memchr(country.data, '\0', country.length) != NULL)
        return false;
    memcpy(ret_country, country.data, 2);
    ret_country[2] = '\0';
    memcpy(ret_name, name.data, name.length);
    ret_name[name.length] = '\0';
    return true;
}

static bool read_countries(struct zone_table *t)
{
    FILE *file = fopen(ZONE_FOLDER "/zone.tab", "re");
    if (file == NULL)
        return false;
    char line[512], name[ZONE_NAME_SIZE];
    while (fgets(line, sizeof line, file) != NULL && t->country_count < ZONES_MAX) {
        struct country_zone *next = &t->by_country[t->country_count];
        struct span text = span_of(line, strcspn(line, "\n"));
        if (!zone_tab_line(text, next->country, name))
            continue;
        next->zone = zone_find(t, name);
        t->country_count += next->zone != 0;
    }
    fclose(file);
    return t->country_count > 0;
}

static bool read_system(struct zone_table *t)
{
    filling = t;
    if (nftw(ZONE_FOLDER, note_zone, 16, FTW_PHYS) != 0 || t->count == 0)
        return false;
    qsort(t->zones + 1, t->count, sizeof *t->zones, compare_zones);
    char *kept = getenv("TZ") != NULL ? check_strdup(getenv("TZ")) : NULL;
    setenv("TZDIR", ZONE_FOLDER, 1);
    read_zones(t);
    unsetenv("TZDIR");
    if (kept != NULL)
        setenv("TZ", kept, 1);
    else
        unsetenv("TZ");
    tzset();
    free(kept);
    return read_countries(t);
}

const struct zone_table *zones_system(void)
{
    static struct zone_table *table;
    static bool tried;
    if (tried)
        return table;
    tried = true;
    table = check_calloc(1, sizeof *table);
    if (!read_system(table)) {
        free(table->changes);
        free(table);
        table = NULL;
    }
    return table;
}
