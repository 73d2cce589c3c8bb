/* SPDX-License-Identifier: Apache-2.0 */
#include "consent/quiet_hours.h"

#include <stdlib.h>
#include <string.h>

#include "consent/calendar.h"
#include "proto/base/check.h"
#include "proto/base/limits.h"

#define DAY_S       86400
#define MINUTE_S    60
#define LEADS       10000 /* the first four digits of a number */
#define LAWS_MAX    64    /* a bit each */
#define PLACES_MAX  512
#define NOWHERE     0 /* places[0]: the number is of no country */
#define AHEAD_S     (QUIET_AHEAD_DAYS * (int64_t)DAY_S)
#define RULE_LENGTH 8

enum { NO_DAY = INT32_MIN, NO_END = INT32_MAX };

/* ---- the data ---- */

#define WEEKDAYS  0x1fu /* Monday is bit 0 */
#define SATURDAY  0x20u
#define SUNDAY    0x40u
#define HOLIDAYS  0x80u
#define EVERY_DAY 0xffu

struct rule {
    char place[RULE_LENGTH];
    uint32_t valid_from, valid_until; /* YYYYMMDD */
    uint16_t days;
    uint16_t from, until; /* minutes */
    const char *source;
};

#define T(hour, minute) ((hour)*60 + (minute))
#define HOURS(place, valid_from, valid_until, days, from, until, source)                           \
    {place, valid_from, valid_until, days, from, until, source},
static const struct rule rules[] = {
#include "consent/data/quiet_hours.inc"
};

struct area {
    const char *place, *zones, *codes;
};
#define AREA(place, zones, codes) {place, zones, codes},
static const struct area areas[] = {
#include "consent/data/area_codes.inc"
};

struct calling {
    const char *code, *countries;
};
#define CALLING(code, countries) {code, countries},
static const struct calling callings[] = {
#include "consent/data/calling_codes.inc"
};

#define COUNT_OF(array) (sizeof(array) / sizeof *(array))

/* ---- the book ---- */

/* Rows of one place and one date: what they do not name is not allowed. */
struct law {
    char place[RULE_LENGTH];
    int32_t from_day, until_day;
    const struct rule *rules;
    size_t count;
};

struct place {
    const char *names; /* of the data: "US-TX", "GB GG JE IM" */
    enum zone_source source;
    uint64_t laws; /* bits */
    bool lacking;  /* a country of it has no law of its own, nor a fallback */
    uint16_t first_zone, zone_count;
};

struct quiet_book {
    const struct zone_table *zones;
    struct rule fallback;
    bool has_fallback;
    struct law laws[LAWS_MAX];
    unsigned law_count;
    struct place places[PLACES_MAX];
    unsigned place_count;
    uint16_t by_lead[LEADS];
    uint16_t zone_list[PLACES_MAX * 8]; /* what first_zone and zone_count cut out */
    size_t zone_list_count;
};

static int32_t day_or(uint32_t date, int32_t otherwise)
{
    return date != 0 ? calendar_day((int)(date / 10000), date / 100 % 100, date % 100) : otherwise;
}

static void add_law(struct quiet_book *b, const struct rule *first, size_t count)
{
    CHECK(b->law_count < LAWS_MAX);
    struct law *law = &b->laws[b->law_count++];
    memcpy(law->place, first->place, RULE_LENGTH);
    law->from_day = day_or(first->valid_from, NO_DAY);
    law->until_day = day_or(first->valid_until, NO_END);
    law->rules = first;
    law->count = count;
}

static void add_laws(struct quiet_book *b)
{
    for (size_t i = 0, count; i < COUNT_OF(rules); i += count) {
        count = 1;
        while (i + count < COUNT_OF(rules) && strcmp(rules[i + count].place, rules[i].place) == 0 &&
               rules[i + count].valid_from == rules[i].valid_from)
            count++;
        add_law(b, &rules[i], count);
    }
}

/* The laws of a country or of one of its parts: those of the place, and its country's. */
static uint64_t laws_of(const struct quiet_book *b, const char *place)
{
    uint64_t laws = 0;
    for (unsigned i = 0; i < b->law_count; i++) {
        const char *of = b->laws[i].place;
        if (strcmp(of, place) == 0 || (strlen(of) == 2 && strncmp(of, place, 2) == 0))
            laws |= 1ull << i;
    }
    return laws;
}

static void add_zone(struct quiet_book *b, struct place *p, uint16_t zone)
{
    uint16_t *list = b->zone_list + p->first_zone;
    for (uint16_t i = 0; i < p->zone_count; i++)
        if (zone_same(b->zones, list[i], zone))
            return;
    CHECK(b->zone_list_count < COUNT_OF(b->zone_list));
    list[p->zone_count++] = zone;
    b->zone_list_count++;
}

static void add_country_zones(struct quiet_book *b, struct place *p, const char *country)
{
    uint16_t zones[64];
    /* Kosovo keeps Serbia's time, and the database does not list it. */
    const char *listed = strcmp(country, "XK") == 0 ? "RS" : country;
    unsigned count = zones_of_country(b->zones, listed, zones, COUNT_OF(zones));
    for (unsigned i = 0; i < count; i++)
        add_zone(b, p, zones[i]);
}

/* Takes the next word off a list with spaces between; false: there is none. */
static bool next_word(const char **list, char *word, size_t size)
{
    size_t length = strcspn(*list, " ");
    if (length == 0 || length >= size)
        return false;
    memcpy(word, *list, length);
    word[length] = '\0';
    *list += length + ((*list)[length] == ' ');
    return true;
}

static struct place *add_place(struct quiet_book *b, const char *names, enum zone_source source)
{
    CHECK(b->place_count < PLACES_MAX);
    struct place *p = &b->places[b->place_count++];
    p->names = names;
    p->source = source;
    p->first_zone = (uint16_t)b->zone_list_count;
    return p;
}

/* A country or a part of one that the place may be. */
static void add_jurisdiction(struct quiet_book *b, struct place *p, const char *name)
{
    uint64_t laws = laws_of(b, name);
    if (laws == 0 && b->has_fallback)
        laws = 1; /* laws[0] */
    p->lacking |= laws == 0;
    p->laws |= laws;
}

static uint16_t index_of(const struct quiet_book *b, const struct place *p)
{
    return (uint16_t)(p - b->places);
}

static void set_lead(struct quiet_book *b, const char *digits, uint16_t place)
{
    unsigned from = (unsigned)strtoul(digits, NULL, 10), count = 1;
    for (size_t length = strlen(digits); length < 4; length++) {
        from *= 10;
        count *= 10;
    }
    for (unsigned i = 0; i < count; i++)
        b->by_lead[from + i] = place;
}

static void add_area(struct quiet_book *b, const struct area *area)
{
    struct place *p = add_place(b, area->place, ZONE_AREA_CODE);
    char country[3] = {area->place[0], area->place[1], '\0'}, zone[ZONE_NAME_SIZE], code[4];
    add_jurisdiction(b, p, area->place);
    const char *zones = area->zones, *codes = area->codes;
    while (next_word(&zones, zone, sizeof zone))
        add_zone(b, p, zone_find(b->zones, zone));
    if (area->zones[0] == '\0')
        add_country_zones(b, p, country);
    while (next_word(&codes, code, sizeof code)) {
        char lead[5] = {'1', code[0], code[1], code[2], '\0'};
        set_lead(b, lead, index_of(b, p));
    }
}

/* Any state: under all their laws, in all their zones. */
static void add_united_states(struct quiet_book *b)
{
    struct place *p = add_place(b, "US", ZONE_COUNTRY);
    for (unsigned i = 0; i < b->law_count; i++)
        if (strncmp(b->laws[i].place, "US", 2) == 0)
            p->laws |= 1ull << i;
    add_country_zones(b, p, "US");
    set_lead(b, "1", index_of(b, p));
}

static void add_calling(struct quiet_book *b, const struct calling *calling)
{
    struct place *p = add_place(b, calling->countries, ZONE_COUNTRY);
    const char *countries = calling->countries;
    char country[3];
    while (next_word(&countries, country, sizeof country)) {
        add_jurisdiction(b, p, country);
        add_country_zones(b, p, country);
    }
    set_lead(b, calling->code, index_of(b, p));
}

struct quiet_book *quiet_book_new(const struct zone_table *zones,
                                  const struct daily_hours *fallback)
{
    struct quiet_book *b = check_calloc(1, sizeof *b);
    b->zones = zones;
    b->has_fallback = fallback != NULL;
    b->fallback = (struct rule){.place = "", .days = EVERY_DAY, .source = "quiet_hours_default"};
    if (fallback != NULL) {
        b->fallback.from = fallback->from;
        b->fallback.until = fallback->until;
    }
    add_law(b, &b->fallback, 1); /* laws[0] */
    add_laws(b);
    struct place *nowhere = add_place(b, "", ZONE_UNKNOWN);
    nowhere->lacking = true;
    add_united_states(b);
    for (size_t i = 0; i < COUNT_OF(areas); i++)
        add_area(b, &areas[i]);
    for (size_t i = 0; i < COUNT_OF(callings); i++) /* the longer ones follow the shorter */
        add_calling(b, &callings[i]);
    return b;
}

void quiet_book_free(struct quiet_book *book)
{
    free(book);
}

uint16_t quiet_place(const struct quiet_book *book, uint64_t number)
{
    while (number >= (uint64_t)LEADS * 10000)
        number /= 10000;
    while (number >= LEADS)
        number /= 10;
    return book->by_lead[number];
}

/* ---- one law in one zone ---- */

struct window {
    int32_t from_s, until_s; /* of the local day; equal: closed */
};

static bool applies(const struct rule *rule, const char *country, int32_t day)
{
    if ((rule->days & (1u << calendar_weekday(day))) == 0)
        return false;
    return rule->days & HOLIDAYS || !calendar_is_holiday(country, day);
}

static bool in_force(const struct law *law, int32_t day)
{
    return day >= law->from_day && day < law->until_day;
}

static struct window window_of(const struct law *law, int32_t day)
{
    if (!in_force(law, day))
        return (struct window){0, DAY_S};
    char country[3] = {law->place[0], law->place[0] ? law->place[1] : '\0', '\0'};
    for (size_t i = 0; i < law->count; i++)
        if (applies(&law->rules[i], country, day))
            return (struct window){law->rules[i].from * MINUTE_S, law->rules[i].until * MINUTE_S};
    return (struct window){0, 0};
}

struct local {
    int32_t day, second;  /* of the day */
    int64_t same_until_s; /* until then the clock is not changed */
};

static struct local local_time(const struct quiet_book *b, uint16_t zone, int64_t at_s)
{
    struct local l;
    int64_t local_s = at_s + zone_offset_s(b->zones, zone, at_s, &l.same_until_s);
    int64_t day = local_s >= 0 ? local_s / DAY_S : (local_s - DAY_S + 1) / DAY_S;
    l.day = (int32_t)day;
    l.second = (int32_t)(local_s - day * DAY_S);
    return l;
}

/* The first second from `at_s` on at which the law allows; at most `limit_s`. While a clock is not
 * changed local time runs like UTC: the search goes from one change or midnight to the next. */
static int64_t law_next_s(const struct quiet_book *b, const struct law *law, uint16_t zone,
                          int64_t at_s, int64_t limit_s)
{
    while (at_s < limit_s) {
        struct local l = local_time(b, zone, at_s);
        struct window w = window_of(law, l.day);
        if (l.second >= w.from_s && l.second < w.until_s)
            return at_s;
        int32_t then = l.second < w.from_s && w.from_s < w.until_s ? w.from_s : DAY_S;
        int64_t next_s = at_s + (then - l.second);
        at_s = next_s < l.same_until_s ? next_s : l.same_until_s;
    }
    return limit_s;
}

/* It allows at `at_s`: for how long, at least? */
static int64_t law_until_s(const struct quiet_book *b, const struct law *law, uint16_t zone,
                           int64_t at_s)
{
    struct local l = local_time(b, zone, at_s);
    int64_t end_s = at_s + (window_of(law, l.day).until_s - l.second);
    return end_s < l.same_until_s ? end_s : l.same_until_s;
}

/* ---- all of them ---- */

struct question {
    const struct quiet_book *book;
    uint64_t laws;
    const uint16_t *zones;
    unsigned zone_count;
};

/* Every pair in turn moves the moment on, until none does. */
static int64_t next_s(const struct question *q, int64_t at_s, int64_t limit_s)
{
    int64_t before_s;
    do {
        before_s = at_s;
        for (unsigned z = 0; z < q->zone_count; z++)
            for (uint64_t left = q->laws; left != 0; left &= left - 1)
                at_s = law_next_s(q->book, &q->book->laws[__builtin_ctzll(left)], q->zones[z], at_s,
                                  limit_s);
    } while (at_s != before_s && at_s < limit_s);
    return at_s;
}

static int64_t until_s(const struct question *q, int64_t at_s)
{
    int64_t first_s = INT64_MAX;
    for (unsigned z = 0; z < q->zone_count; z++)
        for (uint64_t left = q->laws; left != 0; left &= left - 1) {
            int64_t end_s =
                law_until_s(q->book, &q->book->laws[__builtin_ctzll(left)], q->zones[z], at_s);
            first_s = end_s < first_s ? end_s : first_s;
        }
    return first_s;
}

static bool keeps_time_of(const struct quiet_book *b, const struct place *p, uint16_t zone)
{
    for (uint16_t i = 0; i < p->zone_count; i++)
        if (zone_same(b->zones, b->zone_list[p->first_zone + i], zone))
            return true;
    return false;
}

/* The recipient is in `zone`, which is none of the number's: where else in its country? */
static uint64_t laws_with_zone(const struct quiet_book *b, const struct place *p, uint16_t zone)
{
    uint64_t laws = 0;
    if (p->source != ZONE_AREA_CODE || keeps_time_of(b, p, zone))
        return 0;
    for (unsigned i = 1; i < b->place_count; i++)
        if (b->places[i].source == ZONE_AREA_CODE &&
            strncmp(b->places[i].names, p->names, 2) == 0 && keeps_time_of(b, &b->places[i], zone))
            laws |= b->places[i].laws;
    return laws;
}

static struct question make_question(const struct quiet_book *b, const struct place *p,
                                     const uint16_t *zone)
{
    struct question q = {.book = b,
                         .laws = p->laws,
                         .zones = b->zone_list + p->first_zone,
                         .zone_count = p->zone_count};
    if (p->source == ZONE_UNKNOWN && b->has_fallback)
        q.laws = 1;
    if (*zone != 0) {
        q.laws |= laws_with_zone(b, p, *zone);
        q.zones = zone;
        q.zone_count = 1;
    }
    return q;
}

static void tell_clocks(const struct question *q, int64_t at_s, struct quiet_answer *a)
{
    for (unsigned i = 0; i < q->zone_count; i++) {
        int16_t minutes =
            (int16_t)(zone_offset_s(q->book->zones, q->zones[i], at_s, NULL) / MINUTE_S);
        if (i == 0 || minutes < a->west_minutes)
            a->west_minutes = minutes;
        if (i == 0 || minutes > a->east_minutes)
            a->east_minutes = minutes;
    }
}

struct quiet_answer quiet_ask(const struct quiet_book *book, uint16_t place, uint16_t zone,
                              uint64_t wall_ms)
{
    const struct place *p = &book->places[place];
    struct question q = make_question(book, p, &zone);
    int64_t at_s = (int64_t)(wall_ms / 1000);
    struct quiet_answer a = {.next_ms = QUIET_NEVER,
                             .until_ms = wall_ms + DAY_S * 1000ull,
                             .source = zone != 0 ? ZONE_SUBMITTER : p->source};
    tell_clocks(&q, at_s, &a);
    if ((p->lacking && p->source != ZONE_UNKNOWN) || q.laws == 0 || q.zone_count == 0)
        return a;
    int64_t found_s = next_s(&q, at_s, at_s + AHEAD_S);
    if (found_s == at_s) {
        a.next_ms = wall_ms;
        a.until_ms = (uint64_t)until_s(&q, at_s) * 1000;
    } else if (found_s < at_s + AHEAD_S) {
        a.next_ms = a.until_ms = (uint64_t)found_s * 1000;
    }
    return a;
}

const struct quiet_answer *quiet_check(struct quiet_cache *cache, const struct quiet_book *book,
                                       uint64_t number, uint16_t zone, uint64_t wall_ms)
{
    uint16_t place = quiet_place(book, number);
    struct quiet_slot *slot = &cache->slots[(place + zone * 31u) % QUIET_CACHE_SLOTS];
    if (slot->place == place && slot->zone == zone && wall_ms >= slot->from_ms &&
        wall_ms < slot->answer.until_ms)
        return &slot->answer;
    *slot = (struct quiet_slot){.from_ms = wall_ms,
                                .answer = quiet_ask(book, place, zone, wall_ms),
                                .place = place,
                                .zone = zone};
    return &slot->answer;
}

/* ---- for people ---- */

const char *zone_source_name(enum zone_source source)
{
    switch (source) {
    case ZONE_UNKNOWN:
        return "unknown";
    case ZONE_SUBMITTER:
        return "submitter";
    case ZONE_AREA_CODE:
        return "area_code";
    case ZONE_COUNTRY:
        return "country";
    }
    return "unknown";
}

/* Hour and maybe minutes at the start of `text`: "9", "8:30". Gives what follows, or NULL. */
static const char *parse_time(const char *text, uint16_t *ret_minutes)
{
    char *end;
    if (text[0] < '0' || text[0] > '9')
        return NULL;
    unsigned long hour = strtoul(text, &end, 10), minute = 0;
    if (end[0] == ':' && end[1] >= '0' && end[1] <= '5' && end[2] >= '0' && end[2] <= '9')
        minute = strtoul(end + 1, &end, 10);
    if (hour > 24 || minute > 59 || hour * 60 + minute > 24 * 60)
        return NULL;
    *ret_minutes = (uint16_t)(hour * 60 + minute);
    return end;
}

bool daily_hours_parse(const char *text, struct daily_hours *ret)
{
    struct daily_hours hours;
    const char *rest = parse_time(text, &hours.from);
    if (rest == NULL || rest[0] != '-')
        return false;
    rest = parse_time(rest + 1, &hours.until);
    if (rest == NULL || rest[0] != '\0' || hours.from >= hours.until)
        return false;
    *ret = hours;
    return true;
}

static bool lead_has_prefix(unsigned lead, const char *prefix)
{
    char digits[8];
    size_t length = strlen(prefix) < 4 ? strlen(prefix) : 4;
    snprintf(digits, sizeof digits, "%04u", lead % LEADS);
    return strncmp(digits, prefix, length) == 0;
}

/* Appends a country that the list does not hold yet. */
static void list_country(const char *country, char *out, size_t size)
{
    size_t length = strlen(out);
    if (strstr(out, country) != NULL || length + strlen(country) + 2 > size)
        return;
    snprintf(out + length, size - length, "%s%s", length > 0 ? " " : "", country);
}

bool quiet_missing(const struct quiet_book *book, const char *prefix, char *out, size_t size)
{
    char country[RULE_LENGTH];
    out[0] = '\0';
    for (unsigned lead = LEADS / 10; lead < LEADS; lead++) {
        const struct place *p = &book->places[book->by_lead[lead]];
        const char *names = p->names;
        while (p->lacking && lead_has_prefix(lead, prefix) &&
               next_word(&names, country, sizeof country))
            if (laws_of(book, country) == 0)
                list_country(country, out, size);
    }
    return out[0] != '\0';
}

static void describe_rule(const struct rule *rule, FILE *out)
{
    static const char *const names[] = {"Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"};
    fprintf(out, "  %02d:%02d-%02d:%02d", rule->from / 60, rule->from % 60, rule->until / 60,
            rule->until % 60);
    for (unsigned day = 0; day < 7 && (rule->days & 0x7fu) != 0x7fu; day++)
        if (rule->days & (1u << day))
            fprintf(out, " %s", names[day]);
    fprintf(out, "%s", rule->days & HOLIDAYS ? "" : " but holidays");
    if (rule->valid_from != 0)
        fprintf(out, " from %u", rule->valid_from);
    if (rule->valid_until != 0)
        fprintf(out, " before %u", rule->valid_until);
    fprintf(out, "  %s%s%s\n", rule->place, rule->place[0] ? ": " : "", rule->source);
}

void quiet_describe(const struct quiet_book *book, uint16_t place, uint16_t zone, FILE *out)
{
    const struct place *p = &book->places[place];
    struct question q = make_question(book, p, &zone);
    for (uint64_t left = q.laws; left != 0; left &= left - 1) {
        const struct law *law = &book->laws[__builtin_ctzll(left)];
        for (size_t i = 0; i < law->count; i++)
            describe_rule(&law->rules[i], out);
    }
    for (unsigned i = 0; i < q.zone_count; i++)
        fprintf(out, "  %s\n", zone_name(book->zones, q.zones[i]));
}
