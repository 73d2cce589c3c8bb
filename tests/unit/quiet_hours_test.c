/* SPDX-License-Identifier: Apache-2.0 */
/* Quiet hours: the rules as people read them, and the search against a judge that walks every quarter of
 * an hour of whole years. That the clocks themselves are right, Python's zoneinfo judges in
 * tests/e2e/hours_test.py. */
#include "consent/quiet_hours.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "consent/calendar.h"

#define QUARTER_MS (15 * 60 * 1000ull)
#define DAY_MS     (24 * 60 * 60 * 1000ull)

static const struct zone_table *zones;
static struct quiet_book *book;  /* without a fallback */
static struct quiet_book *daily; /* 9-20 where nothing is known */

static int set_up(void **state)
{
    (void)state;
    struct daily_hours hours;
    zones = zones_system();
    if (zones == NULL || !daily_hours_parse("9-20", &hours))
        return -1;
    book = quiet_book_new(zones, NULL);
    daily = quiet_book_new(zones, &hours);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    quiet_book_free(book);
    quiet_book_free(daily);
    return 0;
}

/* "2026-07-05 16:00" of UTC, or of the clock `ahead_minutes` before it. */
static uint64_t at(const char *text, int ahead_minutes)
{
    int year;
    unsigned month, day, hour, minute;
    assert_int_equal(sscanf(text, "%d-%u-%u %u:%u", &year, &month, &day, &hour, &minute), 5);
    int64_t minutes = calendar_day(year, month, day) * 1440ll + hour * 60 + minute;
    return (uint64_t)(minutes - ahead_minutes) * 60000;
}

static const char *show(uint64_t wall_ms)
{
    static char text[32];
    int year;
    unsigned month, day;
    if (wall_ms == QUIET_NEVER)
        return "never";
    calendar_date((int32_t)(wall_ms / DAY_MS), &year, &month, &day);
    snprintf(text, sizeof text, "%04d-%02u-%02u %02u:%02u", year % 10000, month, day,
             (unsigned)(wall_ms / 3600000 % 24), (unsigned)(wall_ms / 60000 % 60));
    return text;
}

static struct quiet_answer ask(const struct quiet_book *b, uint64_t number, const char *zone,
                               uint64_t wall_ms)
{
    uint16_t said = zone[0] ? zone_find(zones, zone) : 0;
    assert_true(zone[0] == '\0' || said != 0);
    return quiet_ask(b, quiet_place(b, number), said, wall_ms);
}

/* ---- the rules ---- */

#define DC   12025550100ull
#define TX   12145550100ull
#define RI   14015550100ull
#define FL   13055550100ull
#define FL_W 18505550100ull
#define CT   12035550100ull
#define OR_E 15415550100ull
#define TOLL 18885550100ull
#define FR   33612345601ull
#define UAE  971501234560ull
#define KSA  966512345603ull
#define IND  919812345600ull
#define GB   447700900123ull
#define CAN  16135550100ull

static const struct rule_case {
    uint64_t number;
    const char *zone, *when; /* local, by: */
    int ahead;
    const char *next; /* local too */
} cases[] = {
    /* the borders of a day */
    {DC, "", "2026-07-06 07:59", -240, "2026-07-06 08:00"},
    {DC, "", "2026-07-06 08:00", -240, "2026-07-06 08:00"},
    {DC, "", "2026-07-06 20:59", -240, "2026-07-06 20:59"},
    {DC, "", "2026-07-06 21:00", -240, "2026-07-07 08:00"},
    {DC, "", "2026-12-07 21:00", -300, "2026-12-08 08:00"},
    {FL, "", "2026-07-06 20:00", -240, "2026-07-07 08:00"},
    {CT, "", "2026-07-06 08:30", -240, "2026-07-06 09:00"},
    /* Texas on a Sunday; El Paso's code is in the mountains' time too */
    {TX, "", "2026-07-04 08:30", -300, "2026-07-04 09:00"},
    {TX, "", "2026-07-04 21:00", -300, "2026-07-05 12:00"},
    {TX, "", "2026-07-05 11:59", -300, "2026-07-05 12:00"},
    {TX, "", "2026-07-05 20:30", -300, "2026-07-05 20:30"},
    {TX, "", "2025-08-31 08:30", -300, "2025-08-31 08:30"}, /* a Sunday before the law */
    {19155550100ull, "", "2026-07-05 20:30", -360, "2026-07-06 09:00"},
    /* Rhode Island: weekdays and weekends */
    {RI, "", "2026-07-03 17:59", -240, "2026-07-03 17:59"},
    {RI, "", "2026-07-03 18:00", -240, "2026-07-04 10:00"},
    {RI, "", "2026-07-04 17:00", -240, "2026-07-05 10:00"},
    {RI, "", "2026-07-05 17:00", -240, "2026-07-06 09:00"},
    /* two zones in one code: both must be awake */
    {FL_W, "", "2026-07-06 08:30", -240, "2026-07-06 09:00"},
    {FL_W, "", "2026-07-06 20:00", -240, "2026-07-07 09:00"},
    {OR_E, "", "2026-07-06 19:30", -420, "2026-07-07 08:00"},
    {OR_E, "America/Los_Angeles", "2026-07-06 19:30", -420, "2026-07-06 19:30"},
    {OR_E, "America/Los_Angeles", "2025-07-07 20:30", -420,
     "2025-07-07 20:30"}, /* before the law */
    /* toll-free: awake from Honolulu to New York by every state's law; no hour of a Sunday is */
    {TOLL, "", "2026-07-06 13:00", -240, "2026-07-06 15:00"},
    {TOLL, "", "2026-07-06 18:00", -240, "2026-07-07 15:00"},
    {TOLL, "", "2026-07-04 17:00", -240, "2026-07-06 15:00"},
    {TOLL, "America/New_York", "2026-07-06 12:59", -240, "2026-07-06 12:59"},
    /* the submitter knows better: who moved to Texas' time is under the laws of its states */
    {DC, "US/Eastern", "2026-07-06 20:30", -240, "2026-07-06 20:30"},
    {DC, "America/Chicago", "2026-07-05 11:00", -300, "2026-07-05 12:00"},
    {DC, "America/Chicago", "2026-07-06 20:00", -300, "2026-07-07 09:00"},
    {DC, "Europe/Paris", "2026-07-06 20:30", 120, "2026-07-06 20:30"},
    {DC, "America/St_Johns", "2026-07-06 07:59", -150, "2026-07-06 08:00"},
    /* France: working days until the charter of March 2026, in that month both, then every day */
    {FR, "", "2026-02-28 21:59", 60, "2026-02-28 21:59"},
    {FR, "", "2026-02-28 22:00", 60, "2026-03-02 08:00"}, /* a Sunday between */
    {FR, "", "2026-03-02 21:30", 60, "2026-03-03 08:00"},
    {FR, "", "2026-03-08 10:00", 60, "2026-03-09 08:00"},
    {FR, "", "2026-04-05 10:00", 120, "2026-04-05 10:00"}, /* Easter Sunday */
    {FR, "", "2026-04-06 21:29", 120, "2026-04-06 21:29"}, /* Easter Monday */
    {FR, "", "2026-04-06 21:30", 120, "2026-04-07 08:00"},
    {FR, "", "2025-04-18 10:00", 120, "2025-04-19 08:00"}, /* Good Friday, in Alsace */
    {FR, "", "2025-04-19 22:00", 120, "2025-04-22 08:00"}, /* Sunday and Easter Monday */
    {FR, "", "2025-05-29 10:00", 120, "2025-05-30 08:00"}, /* Ascension */
    {FR, "", "2025-06-09 10:00", 120, "2025-06-10 08:00"}, /* Whit Monday */
    {FR, "", "2024-12-24 22:00", 60, "2024-12-27 08:00"},
    /* the others */
    {UAE, "", "2026-07-06 06:59", 240, "2026-07-06 07:00"},
    {UAE, "", "2026-07-06 21:00", 240, "2026-07-07 07:00"},
    {KSA, "", "2026-07-06 21:59", 180, "2026-07-06 21:59"},
    {KSA, "", "2026-07-06 22:00", 180, "2026-07-07 07:00"},
    {IND, "", "2026-07-06 09:59", 330, "2026-07-06 10:00"},
    {IND, "", "2026-07-06 21:00", 330, "2026-07-07 10:00"},
    /* a leap day */
    {DC, "", "2028-02-28 21:00", -300, "2028-02-29 08:00"},
    {DC, "", "2028-02-29 21:00", -300, "2028-03-01 08:00"},
    /* the nights in which clocks are changed: the morning comes an hour sooner or later */
    {DC, "", "2027-03-13 23:00", -300, "2027-03-14 07:00"}, /* by the winter's clock */
    {DC, "", "2027-11-06 23:00", -240, "2027-11-07 09:00"},
    {FR, "", "2027-03-27 23:00", 60, "2027-03-28 07:00"},
    /* no hours are known */
    {GB, "", "2026-07-06 12:00", 60, "never"},
    {CAN, "", "2026-07-06 12:00", -240, "never"},
    {800123456789ull, "", "2026-07-06 12:00", 0, "never"},
    {800123456789ull, "America/New_York", "2026-07-06 12:00", 0, "never"},
};

static void rules_hold_at_their_borders(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const struct rule_case *c = &cases[i];
        struct quiet_answer a = ask(book, c->number, c->zone, at(c->when, c->ahead));
        uint64_t next = a.next_ms == QUIET_NEVER
                            ? a.next_ms
                            : a.next_ms + (uint64_t)((int64_t)c->ahead * 60000);
        if (strcmp(show(next), c->next) != 0)
            print_message("case %zu: at %s\n", i, c->when);
        assert_string_equal(show(next), c->next);
    }
}

/* Zones that are no whole hour from UTC, and the southern summer. */
static void odd_zones_keep_their_clocks(void **state)
{
    (void)state;
    static const struct {
        const char *zone, *when;
        int ahead;
    } odd[] = {
        {"Asia/Kathmandu", "2026-07-06 09:00", 345},
        {"Pacific/Chatham", "2026-07-06 09:00", 765},
        {"Pacific/Chatham", "2026-12-07 09:00", 825},
        {"Australia/Lord_Howe", "2026-07-06 09:00", 630},
        {"Australia/Lord_Howe", "2026-12-07 09:00", 660},
        {"Australia/Eucla", "2026-07-06 09:00", 525},
        {"America/St_Johns", "2026-07-06 09:00", -150},
        {"Pacific/Marquesas", "2026-07-06 09:00", -570},
        {"America/Santiago", "2026-01-05 09:00", -180},
        {"America/Santiago", "2026-07-06 09:00", -240},
        {"Africa/Casablanca", "2026-02-23 09:00", 0}, /* Ramadan */
        {"Africa/Casablanca", "2026-07-06 09:00", 60},
        {"Pacific/Kiritimati", "2026-07-06 09:00", 840},
        {"Pacific/Pago_Pago", "2026-07-06 09:00", -660},
    };
    for (size_t i = 0; i < sizeof odd / sizeof *odd; i++) {
        uint64_t nine = at(odd[i].when, odd[i].ahead);
        struct quiet_answer a = ask(daily, GB, odd[i].zone, nine - 60000);
        assert_string_equal(show(a.next_ms), show(nine));
        assert_int_equal(a.west_minutes, odd[i].ahead);
        assert_int_equal(a.source, ZONE_SUBMITTER);
    }
}

static void a_fallback_fills_what_is_not_known(void **state)
{
    (void)state;
    assert_string_equal(show(ask(daily, GB, "", at("2026-07-06 08:59", 60)).next_ms),
                        "2026-07-06 08:00");
    /* every zone of Canada's code, of Australia, of Russia (one hour is left) */
    assert_string_equal(show(ask(daily, 18075550100ull, "", at("2026-07-06 08:00", -240)).next_ms),
                        "2026-07-06 14:00");
    assert_string_equal(show(ask(daily, 61412345600ull, "", at("2026-07-06 00:00", 0)).next_ms),
                        "2026-07-06 02:30");
    assert_string_equal(show(ask(daily, 79161234567ull, "", at("2026-07-06 00:00", 0)).next_ms),
                        "2026-07-06 07:00");
    /* what has a rule of its own keeps it */
    assert_string_equal(show(ask(daily, IND, "", at("2026-07-06 09:30", 330)).next_ms),
                        "2026-07-06 04:30");
    /* of no country: somewhere, but when? */
    assert_true(ask(daily, 800123456789ull, "", at("2026-07-06 12:00", 0)).next_ms == QUIET_NEVER);
    assert_true(ask(daily, 800123456789ull, "Europe/Paris", at("2026-07-06 12:00", 0)).next_ms ==
                at("2026-07-06 12:00", 0));
}

static void missing_countries_are_named(void **state)
{
    (void)state;
    char list[1024];
    assert_true(quiet_missing(book, "44", list, sizeof list));
    assert_string_equal(list, "GB GG JE IM");
    assert_false(quiet_missing(book, "33", list, sizeof list));
    assert_false(quiet_missing(book, "336", list, sizeof list));
    assert_false(quiet_missing(book, "1212", list, sizeof list));
    assert_false(quiet_missing(book, "1888", list, sizeof list));
    assert_false(quiet_missing(book, "120255501", list, sizeof list));
    assert_true(quiet_missing(book, "1", list, sizeof list));
    assert_non_null(strstr(list, "CA"));
    assert_non_null(strstr(list, "JM"));
    assert_null(strstr(list, "US"));
    assert_true(quiet_missing(book, "", list, sizeof list));
    assert_non_null(strstr(list, "DE"));
    assert_null(strstr(list, "FR"));
    assert_true(quiet_missing(book, "", list, 8)); /* as many as fit */
    assert_int_equal(strlen(list), 5);
    assert_false(quiet_missing(daily, "", list, sizeof list));
}

/* ---- places ---- */

static void every_area_code_has_a_place(void **state)
{
    (void)state;
    unsigned found = 0;
    for (uint64_t code = 200; code < 1000; code++) {
        struct quiet_answer a =
            ask(daily, 10005550100ull + code * 10000000, "", at("2026-07-06 19:00", 0));
        assert_true(a.next_ms != QUIET_NEVER);
        found += a.source == ZONE_AREA_CODE;
        assert_true(a.west_minutes >= -660 && a.east_minutes <= 600);
    }
    assert_true(found > 450);
}

static void shared_codes_are_all_their_countries(void **state)
{
    (void)state;
    static const struct {
        uint64_t number;
        int west, east; /* in July 2026 */
    } shared[] = {
        {77011234567ull, 300, 300},                               /* Kazakhstan, inside +7 */
        {79161234567ull, 120, 720},                               /* Russia */
        {390612345678ull, 120, 120},                              /* Italy and the Vatican */
        {37966912345ull, 120, 120},    {212612345678ull, 60, 60}, /* Morocco and Western Sahara */
        {262692123456ull, 180, 300}, /* Reunion, Mayotte, the southern lands */
        {290512345ull, 0, 0},          {358401234567ull, 180, 180}, /* Finland and Aland */
        {4740123456ull, 120, 120},                                  /* Norway and Svalbard */
        {61412345678ull, 390, 630}, /* Australia, Christmas and Cocos Islands */
        {590690123456ull, -240, -240}, {59995123456ull, -240, -240}, /* Curacao */
        {447700900123ull, 60, 60},     {18685550100ull, -240, -240}, /* Trinidad, inside +1 */
        {16715550100ull, 600, 600},                                  /* Guam */
        {38344123456ull, 120, 120},                                  /* Kosovo */
    };
    for (size_t i = 0; i < sizeof shared / sizeof *shared; i++) {
        struct quiet_answer a = ask(daily, shared[i].number, "", at("2026-07-06 12:00", 0));
        if (a.west_minutes != shared[i].west || a.east_minutes != shared[i].east)
            print_message("case %zu\n", i);
        assert_int_equal(a.west_minutes, shared[i].west);
        assert_int_equal(a.east_minutes, shared[i].east);
    }
}

/* ---- the search ---- */

/* Every quarter of an hour of the years: the answer's next moment is the first at which an answer allows,
 * and it stays as it is as long as it says. */
static void walk_years(const struct quiet_book *b, uint64_t number, const char *zone)
{
    uint64_t first = at("2025-12-20 00:00", 0), last = at("2027-01-10 00:00", 0);
    uint64_t next_allowed = QUIET_NEVER;
    struct quiet_answer promise = {0};
    bool promised = false;
    for (uint64_t now = last; now >= first; now -= QUARTER_MS) {
        struct quiet_answer a = ask(b, number, zone, now);
        if (quiet_is_allowed(&a, now))
            next_allowed = now;
        else if (next_allowed != QUIET_NEVER)
            assert_true(a.next_ms == next_allowed);
        if (promised && now + QUARTER_MS < a.until_ms) /* the later answer was within this one */
            assert_true(quiet_is_allowed(&a, now) ? quiet_is_allowed(&promise, now + QUARTER_MS)
                                                  : promise.next_ms == a.next_ms);
        promise = a;
        promised = true;
    }
}

static void the_search_finds_the_first_moment(void **state)
{
    (void)state;
    walk_years(book, DC, "");
    walk_years(book, TX, "");
    walk_years(book, RI, "");
    walk_years(book, FL_W, "");
    walk_years(book, TOLL, "");
    walk_years(book, FR, "");
    walk_years(book, IND, "");
    walk_years(daily, 61412345678ull, "");
    walk_years(daily, GB, "Australia/Lord_Howe");
    walk_years(daily, GB, "Africa/Casablanca");
}

static void the_cache_gives_the_same(void **state)
{
    (void)state;
    struct quiet_cache *cache = calloc(1, sizeof *cache);
    uint64_t now = at("2026-10-20 00:00", 0);
    for (int i = 0; i < 200000; i++) {
        uint64_t number = 10005550100ull + (uint64_t)(200 + rand() % 800) * 10000000;
        uint16_t zone = rand() % 4 == 0 ? (uint16_t)(rand() % (int)zone_count(zones)) : 0;
        now += (uint64_t)(rand() % 60000);
        if (rand() % 1000 == 0)
            now -= 3600000; /* the wall clock is set back */
        const struct quiet_answer *a = quiet_check(cache, daily, number, zone, now);
        if (i % 16 != 0)
            continue;
        struct quiet_answer b = quiet_ask(daily, quiet_place(daily, number), zone, now);
        assert_int_equal(quiet_is_allowed(a, now), quiet_is_allowed(&b, now));
        assert_true(quiet_is_allowed(&b, now) || a->next_ms == b.next_ms);
        assert_int_equal(a->source, b.source);
        assert_true(!quiet_is_allowed(&b, now) || a->west_minutes == b.west_minutes);
    }
    struct timespec begun, ended;
    uint64_t allowed = 0;
    clock_gettime(CLOCK_MONOTONIC, &begun);
    for (uint64_t i = 0; i < 1000000; i++)
        allowed += quiet_is_allowed(
            quiet_check(cache, daily, 12025550100ull + i % 400 * 10000000, 0, now), now);
    clock_gettime(CLOCK_MONOTONIC, &ended);
    print_message(
        "%.1f ns a question (%llu)\n",
        ((double)(ended.tv_sec - begun.tv_sec) * 1e9 + (double)(ended.tv_nsec - begun.tv_nsec)) /
            1e6,
        (unsigned long long)allowed);
    free(cache);
}

/* ---- the small parts ---- */

static void hours_are_read(void **state)
{
    (void)state;
    struct daily_hours h;
    assert_true(daily_hours_parse("9-20", &h));
    assert_int_equal(h.from, 540);
    assert_int_equal(h.until, 1200);
    assert_true(daily_hours_parse("8:30-21:15", &h));
    assert_int_equal(h.from, 510);
    assert_int_equal(h.until, 1275);
    assert_true(daily_hours_parse("0-24", &h));
    assert_int_equal(h.until, 1440);
    static const char *const bad[] = {"",
                                      "9",
                                      "9-",
                                      "-20",
                                      "20-9",
                                      "9-9",
                                      "9-25",
                                      "9-24:01",
                                      "9:5-20",
                                      "9:60-20",
                                      "9-20 ",
                                      " 9-20",
                                      "+9-20",
                                      "9--20",
                                      "9-20h",
                                      "9:-20",
                                      "9.5-20.5",
                                      "x",
                                      "99999999999999999999-20"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_false(daily_hours_parse(bad[i], &h));
}

static void days_are_counted(void **state)
{
    (void)state;
    assert_int_equal(calendar_day(1970, 1, 1), 0);
    assert_int_equal(calendar_day(2000, 3, 1), 11017);
    assert_int_equal(calendar_weekday(calendar_day(2026, 11, 22)), 6);
    assert_int_equal(calendar_weekday(-1), 2);
    for (int32_t day = calendar_day(1890, 1, 1); day < calendar_day(2110, 1, 1); day++) {
        int year;
        unsigned month, of_month;
        calendar_date(day, &year, &month, &of_month);
        assert_int_equal(calendar_day(year, month, of_month), day);
        struct tm tm = {0};
        time_t seconds = (time_t)day * 86400;
        gmtime_r(&seconds, &tm);
        assert_true(tm.tm_year + 1900 == year && tm.tm_mon + 1 == (int)month &&
                    tm.tm_mday == (int)of_month);
        assert_int_equal((tm.tm_wday + 6) % 7, calendar_weekday(day));
    }
    static const struct {
        int year;
        unsigned month, day;
    } easter[] = {{1954, 4, 18}, {1981, 4, 19}, {2000, 4, 23}, {2008, 3, 23}, {2011, 4, 24},
                  {2019, 4, 21}, {2024, 3, 31}, {2025, 4, 20}, {2026, 4, 5},  {2027, 3, 28},
                  {2038, 4, 25}, {2049, 4, 18}, {2076, 4, 19}};
    for (size_t i = 0; i < sizeof easter / sizeof *easter; i++)
        assert_int_equal(calendar_easter(easter[i].year),
                         calendar_day(easter[i].year, easter[i].month, easter[i].day));
}

static void lines_of_the_table_are_read(void **state)
{
    (void)state;
    char country[3], name[ZONE_NAME_SIZE];
    assert_true(zone_tab_line(span_from_string("FR\t+4852+00220\tEurope/Paris"), country, name));
    assert_string_equal(country, "FR");
    assert_string_equal(name, "Europe/Paris");
    assert_true(zone_tab_line(span_from_string("US\t+1\tAmerica/Boise\tMountain"), country, name));
    assert_string_equal(name, "America/Boise");
    assert_false(zone_tab_line(span_from_string("# comment"), country, name));
    assert_false(zone_tab_line(span_from_string(""), country, name));
    assert_false(zone_tab_line(span_from_string("FRA\tx\ty"), country, name));
    assert_false(zone_tab_line(span_from_string("FR\tx"), country, name));
    assert_int_equal(zone_find(zones, "Mars/Olympus"), 0);
    assert_int_equal(zone_find(zones, ""), 0);
    assert_int_equal(zone_find(zones, "../../etc/passwd"), 0);
    assert_true(
        zone_same(zones, zone_find(zones, "US/Central"), zone_find(zones, "America/Chicago")));
    assert_null(getenv("TZ"));
}

int main(void)
{
    unsetenv("TZ");
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rules_hold_at_their_borders),
        cmocka_unit_test(odd_zones_keep_their_clocks),
        cmocka_unit_test(a_fallback_fills_what_is_not_known),
        cmocka_unit_test(missing_countries_are_named),
        cmocka_unit_test(every_area_code_has_a_place),
        cmocka_unit_test(shared_codes_are_all_their_countries),
        cmocka_unit_test(the_search_finds_the_first_moment),
        cmocka_unit_test(the_cache_gives_the_same),
        cmocka_unit_test(hours_are_read),
        cmocka_unit_test(days_are_counted),
        cmocka_unit_test(lines_of_the_table_are_read),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
