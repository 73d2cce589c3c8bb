/* SPDX-License-Identifier: Apache-2.0 */
/* assent consent rebuild and check: the sets in Redis against the ledgers that they are made from. Both read
 * the data directories, so they run where those are; gateways may run meanwhile. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "consent/ledgers.h"
#include "consent/person.h"
#include "consent/projection.h"
#include "consent/sets.h"
#include "gateway/cli/cli.h"
#include "gateway/cli/options.h"
#include "gateway/cli/person_key.h"
#include "gateway/cli/print.h"
#include "gateway/cli/when.h"
#include "gateway/config.h"
#include "proto/base/check.h"
#include "proto/base/clock.h"
#include "proto/base/table.h"
#include "proto/number.h"

#define DIRECTORIES_MAX 16
#define SETTLE_S        2 /* what is on its way into Redis is there by then */
#define MS_PER_DAY      (24ull * 3600 * 1000)
#define NUMBER_MASK     ((1ull << 50) - 1)

/* What both work on. */
struct sources {
    struct config *config;
    const char *directories[DIRECTORIES_MAX]; /* the configuration's first */
    unsigned count;
    struct ledgers *ledgers;
    struct sets *sets;
    struct table stopped;              /* rebuild: member to the time of its newest opt-out */
    uint64_t now_wall_ms;              /* when it began */
    uint8_t keeps_days[SCOPE_MAX + 1]; /* scopes of programs with a consent_max_age */
};

static void sources_close(struct sources *s)
{
    if (s->ledgers != NULL)
        ledgers_free(s->ledgers);
    sets_free(s->sets);
    config_free(s->config);
    table_release(&s->stopped);
}

static bool keeps_days(const void *context, uint32_t program_scope)
{
    const struct sources *s = context;
    return program_scope <= SCOPE_MAX && s->keeps_days[program_scope];
}

/* A program's scope is told before anybody consents in it. */
static void learn_scope(struct sources *s, const struct consent_write *write)
{
    int program = strncmp(write->name, "program:", 8) == 0
                      ? config_find_program(s->config, write->name + 8)
                      : -1;
    if (write->scopes[0] <= SCOPE_MAX)
        s->keeps_days[write->scopes[0]] =
            program >= 0 && s->config->programs[program].consent_max_age_ms != 0;
}

static bool take_event(struct sources *s, const struct ledgers_event *event,
                       struct consent_write *write)
{
    const struct projection_rules rules = {.keeps_days = keeps_days, .context = s};
    if (!write_of_event(event->sequence, event->event, event->personal, &rules, write))
        return false;
    if (write->kind == WRITE_SCOPE)
        learn_scope(s, write);
    return true;
}

static void keep_newest(struct table *table, uint64_t key, uint64_t value)
{
    uint64_t *newest = table_put(table, key);
    *newest = value > *newest ? value : *newest;
}

static bool open_ledgers(struct sources *s)
{
    const char *why = "";
    s->ledgers = ledgers_open(s->directories, s->count, &why);
    if (s->ledgers == NULL)
        complain("the ledgers cannot be read: %s", why);
    return s->ledgers != NULL;
}

static bool sources_open(struct sources *s, const struct cli *cli, char *const *words, size_t count)
{
    const char *why = "";
    s->now_wall_ms = clock_wall_ms();
    table_init(&s->stopped);
    s->config = cli_load_config(cli);
    if (s->config == NULL || !person_key_read(s->config->data_dir))
        return false;
    s->directories[s->count++] = s->config->data_dir;
    for (size_t i = 0; i < count; i++)
        s->directories[s->count++] = words[i];
    const char *password = s->config->redis_password;
    struct store_config config = {.url = s->config->redis_url,
                                  .password = password[0] != '\0' ? password : NULL,
                                  .node = s->config->node,
                                  .buckets = s->config->redis_buckets};
    if (!open_ledgers(s))
        return false;
    s->sets = sets_open(&config, &why);
    if (s->sets == NULL)
        complain("%s", why);
    return s->sets != NULL;
}

static int complain_of_sets(const struct sources *s)
{
    complain("%s", sets_why(s->sets));
    return EXIT_REFUSED;
}

/* ---- a gateway whose ledger is not here ---- */

struct missing {
    const struct sources *sources;
    bool but_gone; /* not those that will never come back */
    char names[256];
};

static void look_for(void *context, const char *node, bool gone)
{
    struct missing *missing = context;
    if (gone && missing->but_gone)
        return;
    for (unsigned i = 0; i < missing->sources->count; i++)
        if (strcmp(ledgers_node(missing->sources->ledgers, i), node) == 0)
            return;
    size_t used = strlen(missing->names);
    snprintf(missing->names + used, sizeof missing->names - used, "%s%s", used > 0 ? ", " : "",
             node);
}

/* Names of the gateways that have written into Redis and whose ledger was not given; false after a
 * complaint. */
static bool find_missing(const struct sources *s, bool but_gone, struct missing *ret_missing)
{
    *ret_missing = (struct missing){.sources = s, .but_gone = but_gone};
    if (sets_nodes(s->sets, look_for, ret_missing))
        return true;
    complain_of_sets(s);
    return false;
}

/* ---- rebuild ---- */

/* Reads every ledger to its end, for the names of their nodes, and begins anew. */
static bool read_names(struct sources *s)
{
    struct ledgers_event event;
    enum err err;
    struct missing missing;
    while ((err = ledgers_next(s->ledgers, &event)) == ERR_OK)
        continue;
    if (err != ERR_AGAIN) {
        complain("%s", ledgers_why(s->ledgers));
        return false;
    }
    if (!find_missing(s, true, &missing))
        return false;
    if (missing.names[0] != '\0') {
        complain("%s has written into this Redis too: give its data directory behind the command, "
                 "or say `assent consent forget-node` of one that will never come back",
                 missing.names);
        return false;
    }
    ledgers_free(s->ledgers);
    s->ledgers = NULL;
    return open_ledgers(s);
}

static bool is_recent(const struct sources *s, uint64_t taken_wall_ms)
{
    return taken_wall_ms + STOP_TIMES_MS > s->now_wall_ms;
}

static void note_opt_out_time(struct sources *s, struct consent_write *write)
{
    for (uint8_t i = 0; i < write->scope_count; i++)
        keep_newest(&s->stopped, consent_member(write->scopes[i], write->number),
                    write->taken_wall_ms);
    if (!is_recent(s, write->taken_wall_ms))
        write->taken_wall_ms = 0;
    write->written_wall_ms = s->now_wall_ms;
}

/* A START leaves what came after it, or with it. */
static void leave_later(const struct sources *s, struct consent_write *write)
{
    uint8_t lifted = 0;
    for (uint8_t i = 0; i < write->scope_count; i++) {
        const uint64_t *newest =
            table_find(&s->stopped, consent_member(write->scopes[i], write->number));
        if (newest == NULL || *newest < write->taken_wall_ms)
            write->scopes[lifted++] = write->scopes[i];
    }
    write->scope_count = lifted;
}

/* Redis is to know the times of those opt-outs alone that a START may still come before, which a gateway has
 * not brought yet; what the ledgers hold is put in its order here. */
static bool is_asked_now(struct sources *s, struct consent_write *write)
{
    if (write->kind == WRITE_OPT_OUT && write->taken_wall_ms != 0)
        note_opt_out_time(s, write);
    if (write->kind == WRITE_LIFT_OPT_OUT)
        leave_later(s, write);
    return write->kind != WRITE_LIFT_OPT_OUT || write->scope_count > 0;
}

static bool write_all(struct sources *s, uint64_t *ret_writes)
{
    struct ledgers_event event;
    enum err err;
    while ((err = ledgers_next(s->ledgers, &event)) == ERR_OK) {
        struct consent_write write = {0};
        if (!take_event(s, &event, &write) || !is_asked_now(s, &write))
            continue;
        ++*ret_writes;
        if (!sets_write(s->sets, &write)) {
            complain_of_sets(s);
            return false;
        }
    }
    if (err != ERR_AGAIN)
        complain("%s", ledgers_why(s->ledgers));
    return err == ERR_AGAIN;
}

/* From here on a gateway goes on with its own ledger. */
static bool set_positions(struct sources *s)
{
    for (unsigned i = 0; i < s->count; i++)
        if (ledgers_node(s->ledgers, i)[0] != '\0' &&
            !sets_set_position(s->sets, ledgers_node(s->ledgers, i),
                               ledgers_position(s->ledgers, i)))
            return false;
    return true;
}

static int rebuild(struct sources *s)
{
    uint64_t writes = 0;
    char text[COUNT_TEXT_SIZE];
    if (!read_names(s))
        return EXIT_REFUSED;
    if (!sets_hold(s->sets) || !sets_clear(s->sets, s->now_wall_ms))
        return complain_of_sets(s);
    if (!write_all(s, &writes))
        return EXIT_REFUSED;
    if (!set_positions(s) || !sets_release(s->sets))
        return complain_of_sets(s);
    printf("rebuilt from %s consent records\n", count_text(writes, text));
    return EXIT_DONE;
}

int consent_rebuild(const struct cli *cli, int argc, char **argv)
{
    struct sources sources = {0};
    const char *words[DIRECTORIES_MAX - 1];
    size_t count;
    const struct usage usage = {
        .synopsis = "assent -c FILE consent rebuild [DATA-DIR...]",
        .about = "Makes the consent sets in Redis again from the ledger of FILE's gateway, and "
                 "from the\n"
                 "data directories of all other gateways on the same Redis. Gateways may run: they "
                 "send\n"
                 "nothing meanwhile, and go on by themselves. Open questions come back with what "
                 "is left\n"
                 "of their time.",
    };
    enum options_result result =
        options_read(&usage, argc, argv, words, DIRECTORIES_MAX - 1, &count);
    if (result != OPTIONS_READ)
        return options_exit(result);
    int code = EXIT_REFUSED;
    if (sources_open(&sources, cli, (char *const *)words, count))
        code = rebuild(&sources);
    sources_close(&sources);
    return code;
}

/* ---- check ---- */

/* Bits of a member: what the ledgers say, and two higher what Redis says. */
#define IN_LEDGER(family) (1u << (family))
#define IN_REDIS(family)  (4u << (family))
/* Above them, when the number last opted out: an older START lifts nothing. */
#define TAKEN_SHIFT 4

struct comparison {
    struct sources sources;
    struct table members;
    char *scope_names[SCOPE_MAX + 1];
    struct table sides[SIDE_FAMILIES][2]; /* by key; [0] as the ledgers say, [1] as Redis says */
    uint64_t *doubtful;
    size_t doubtful_count;
    struct doubtful_side {
        enum side_family family;
        uint64_t key;
    } * doubtful_sides;
    size_t doubtful_side_count;
    uint64_t counts[SET_FAMILIES];
    enum set_family reading;
    enum side_family reading_side;
    bool whole_numbers;
};

static void note_opt_out(uint64_t *bits, uint64_t taken_ms)
{
    *bits |= IN_LEDGER(SET_OPT_OUT);
    if (taken_ms > *bits >> TAKEN_SHIFT)
        *bits = taken_ms << TAKEN_SHIFT | (*bits & ((1u << TAKEN_SHIFT) - 1));
}

/* An erasure whose records are not destroyed yet: what its script does in Redis. */
static void fold_erase(struct comparison *c, uint64_t number)
{
    size_t cursor = 0;
    struct table_slot *slot;
    bool stood = false;
    while ((slot = table_next(&c->members, &cursor)) != NULL) {
        uint64_t scope = slot->key >> 50;
        if ((slot->key & NUMBER_MASK) != number || scope == SCOPE_HOLD || scope == SCOPE_ERASED)
            continue;
        stood = stood || ((slot->value & IN_LEDGER(SET_OPT_OUT)) != 0 &&
                          (scope == SCOPE_EVERYTHING || scope >= SCOPES_RESERVED));
        slot->value &= ~(uint64_t)(IN_LEDGER(SET_OPT_OUT) | IN_LEDGER(SET_OPT_IN));
    }
    if (stood)
        *table_put(&c->members, consent_member(SCOPE_ERASED, number)) |= IN_LEDGER(SET_OPT_OUT);
}

static void fold_write(struct comparison *c, const struct consent_write *write)
{
    if (write->kind == WRITE_ERASE)
        fold_erase(c, write->number);
    if (write->kind == WRITE_ERASED && write->erased.kept)
        *table_put(&c->members, person_member(&write->erased.person)) |= IN_LEDGER(SET_OPT_OUT);
    for (uint8_t i = 0; i < write->scope_count; i++) {
        uint64_t member = consent_member(write->scopes[i], write->number);
        uint64_t *bits = table_put(&c->members, member);
        if (write->kind == WRITE_OPT_OUT)
            note_opt_out(bits, write->taken_wall_ms);
        else if (write->kind == WRITE_LIFT_OPT_OUT && write->taken_wall_ms > *bits >> TAKEN_SHIFT)
            *bits &= ~(uint64_t)IN_LEDGER(SET_OPT_OUT);
        else if (write->kind == WRITE_OPT_IN)
            *bits |= IN_LEDGER(SET_OPT_IN);
    }
    if (write->day != 0)
        keep_newest(&c->sides[SIDE_DAYS][0], consent_key(write->scopes[0], write->number),
                    write->day);
    for (uint8_t i = 0; i < write->scope_count && write->kind == WRITE_OPT_OUT; i++)
        keep_newest(&c->sides[SIDE_STOPS][0], consent_key(write->scopes[i], write->number),
                    write->taken_wall_ms);
    if (write->kind == WRITE_SCOPE && write->scopes[0] <= SCOPE_MAX) {
        free(c->scope_names[write->scopes[0]]);
        c->scope_names[write->scopes[0]] = check_strdup(write->name);
    }
}

/* Up to what the ledgers hold now. */
static bool fold(struct comparison *c)
{
    struct ledgers_event event;
    enum err err;
    while ((err = ledgers_next(c->sources.ledgers, &event)) == ERR_OK) {
        struct consent_write write = {0};
        if (take_event(&c->sources, &event, &write))
            fold_write(c, &write);
    }
    if (err != ERR_AGAIN)
        complain("%s", ledgers_why(c->sources.ledgers));
    return err == ERR_AGAIN;
}

static void note_in_redis(void *context, uint64_t member)
{
    struct comparison *c = context;
    *table_put(&c->members, member) |= IN_REDIS(c->reading);
    c->counts[c->reading]++;
}

static void note_side(void *context, uint64_t key, uint64_t value)
{
    struct comparison *c = context;
    keep_newest(&c->sides[c->reading_side][1], key, value);
}

static bool read_redis(struct comparison *c)
{
    for (c->reading = 0; c->reading < SET_FAMILIES; c->reading++)
        if (!sets_read(c->sources.sets, c->reading, note_in_redis, c)) {
            complain_of_sets(&c->sources);
            return false;
        }
    for (c->reading_side = 0; c->reading_side < SIDE_FAMILIES; c->reading_side++)
        if (!sets_read_side(c->sources.sets, c->reading_side, c->sources.now_wall_ms, note_side,
                            c)) {
            complain_of_sets(&c->sources);
            return false;
        }
    return true;
}

static bool differs(uint64_t bits, enum set_family family)
{
    return ((bits & IN_LEDGER(family)) != 0) != ((bits & IN_REDIS(family)) != 0);
}

static void collect_doubtful(struct comparison *c)
{
    size_t cursor = 0;
    const struct table_slot *slot;
    while ((slot = table_next(&c->members, &cursor)) != NULL)
        if (differs(slot->value, SET_OPT_OUT) || differs(slot->value, SET_OPT_IN)) {
            c->doubtful = check_realloc(c->doubtful, (c->doubtful_count + 1) * sizeof *c->doubtful);
            c->doubtful[c->doubtful_count++] = slot->key;
        }
}

static uint64_t side_value(const struct comparison *c, enum side_family family, unsigned of,
                           uint64_t key)
{
    const uint64_t *found = table_find(&c->sides[family][of], key);
    return found != NULL ? *found : 0;
}

/* The time of an opt-out need not be kept any more, and may stand there all the same. */
static bool side_differs(const struct comparison *c, enum side_family family, uint64_t key)
{
    uint64_t said = side_value(c, family, 0, key), stands = side_value(c, family, 1, key);
    bool over = family == SIDE_STOPS && stands == 0 && !is_recent(&c->sources, said);
    return said != stands && !over && key >> 50 != SCOPE_ERASED; /* its time is Redis' alone */
}

static void collect_sides(struct comparison *c, enum side_family family, unsigned of)
{
    size_t cursor = 0;
    const struct table_slot *slot;
    while ((slot = table_next(&c->sides[family][of], &cursor)) != NULL) {
        bool told = of == 1 && table_find(&c->sides[family][0], slot->key) != NULL;
        if (told || !side_differs(c, family, slot->key))
            continue;
        c->doubtful_sides = check_realloc(c->doubtful_sides,
                                          (c->doubtful_side_count + 1) * sizeof *c->doubtful_sides);
        c->doubtful_sides[c->doubtful_side_count++] = (struct doubtful_side){family, slot->key};
    }
}

static bool look_at_sides_again(struct comparison *c)
{
    for (size_t i = 0; i < c->doubtful_side_count; i++) {
        const struct doubtful_side *d = &c->doubtful_sides[i];
        if (!sets_side_of(c->sources.sets, d->family, c->sources.now_wall_ms, d->key,
                          table_put(&c->sides[d->family][1], d->key))) {
            complain_of_sets(&c->sources);
            return false;
        }
    }
    return true;
}

/* What a gateway has written meanwhile is no difference: each is looked at again. */
static bool look_again(struct comparison *c)
{
    if (c->doubtful_count == 0 && c->doubtful_side_count == 0)
        return true;
    sleep(SETTLE_S);
    if (!fold(c))
        return false;
    for (size_t i = 0; i < c->doubtful_count; i++) {
        uint64_t *bits = table_find(&c->members, c->doubtful[i]);
        for (enum set_family family = 0; family < SET_FAMILIES; family++) {
            bool has;
            if (!sets_has(c->sources.sets, family, c->doubtful[i], &has)) {
                complain_of_sets(&c->sources);
                return false;
            }
            *bits = (*bits & ~(uint64_t)IN_REDIS(family)) | (has ? IN_REDIS(family) : 0u);
        }
    }
    return look_at_sides_again(c);
}

static const char *scope_text(const struct comparison *c, uint16_t scope)
{
    static const char *const reserved[] = {"everything", "hold", "do-not-call", "reassigned",
                                           "erased"};
    if (scope < sizeof reserved / sizeof reserved[0])
        return reserved[scope];
    const char *name = scope <= SCOPE_MAX ? c->scope_names[scope] : NULL;
    return name != NULL ? name : "a scope without a name";
}

static uint64_t print_differences(const struct comparison *c)
{
    static const char *const names[SET_FAMILIES] = {"opt-out", "opt-in"};
    uint64_t found = 0;
    for (size_t i = 0; i < c->doubtful_count; i++) {
        uint64_t member = c->doubtful[i], bits = *table_find(&c->members, member);
        char number[NUMBER_TEXT_SIZE];
        number_format(member & ((1ull << 50) - 1), number);
        const char *shown = c->whole_numbers ? number : number + strlen(number) - 2;
        for (enum set_family family = 0; family < SET_FAMILIES; family++) {
            if (!differs(bits, family))
                continue;
            found++;
            printf("%s of %s%s in %s: %s\n", names[family], c->whole_numbers ? "+" : "..", shown,
                   scope_text(c, (uint16_t)(member >> 50)),
                   bits & IN_REDIS(family) ? "in Redis, and in no ledger"
                                           : "in the ledger, and not in Redis");
        }
    }
    return found;
}

/* A day as a date; the time of an opt-out to the millisecond. */
static void value_text(enum side_family family, uint64_t value, char out[WHEN_TEXT_SIZE + 8])
{
    char text[WHEN_TEXT_SIZE];
    when_text(family == SIDE_DAYS ? value * MS_PER_DAY : value, text);
    if (family == SIDE_DAYS)
        snprintf(out, WHEN_TEXT_SIZE + 8, "%.10s", text);
    else
        snprintf(out, WHEN_TEXT_SIZE + 8, "%s.%03u", text, (unsigned)(value % 1000));
}

static void print_side(const struct comparison *c, const struct doubtful_side *d)
{
    char number[NUMBER_TEXT_SIZE], said[WHEN_TEXT_SIZE + 8], stands[WHEN_TEXT_SIZE + 8];
    uint64_t values[] = {side_value(c, d->family, 0, d->key), side_value(c, d->family, 1, d->key)};
    number_format(d->key & NUMBER_MASK, number);
    value_text(d->family, values[0], said);
    value_text(d->family, values[1], stands);
    printf("%s of %s%s in %s", d->family == SIDE_DAYS ? "day" : "time of the opt-out",
           c->whole_numbers ? "+" : "..", c->whole_numbers ? number : number + strlen(number) - 2,
           scope_text(c, (uint16_t)(d->key >> 50)));
    if (values[0] == 0)
        printf(": %s in Redis, and in no ledger\n", stands);
    else if (values[1] == 0)
        printf(": %s in the ledger, and not in Redis\n", said);
    else
        printf(": %s in the ledger, %s in Redis\n", said, stands);
}

static uint64_t print_sides(const struct comparison *c)
{
    uint64_t found = 0;
    for (size_t i = 0; i < c->doubtful_side_count; i++) {
        const struct doubtful_side *d = &c->doubtful_sides[i];
        if (!side_differs(c, d->family, d->key))
            continue;
        found++;
        print_side(c, d);
    }
    return found;
}

static int check(struct comparison *c)
{
    struct missing missing;
    char opt_outs[COUNT_TEXT_SIZE], opt_ins[COUNT_TEXT_SIZE], differences[COUNT_TEXT_SIZE];
    if (!read_redis(c) || !fold(c))
        return EXIT_REFUSED;
    collect_doubtful(c);
    for (enum side_family family = 0; family < SIDE_FAMILIES; family++)
        for (unsigned of = 0; of < 2; of++)
            collect_sides(c, family, of);
    if (!look_again(c) || !find_missing(&c->sources, false, &missing))
        return EXIT_REFUSED;
    if (missing.names[0] != '\0')
        complain("%s has written into this Redis too, and its ledger was not given: what it wrote "
                 "is told as a difference",
                 missing.names);
    uint64_t found = print_differences(c) + print_sides(c);
    printf("%s opt-outs and %s opt-ins in Redis, %s differences\n",
           count_text(c->counts[SET_OPT_OUT], opt_outs), count_text(c->counts[SET_OPT_IN], opt_ins),
           count_text(found, differences));
    return found == 0 ? EXIT_DONE : EXIT_REFUSED;
}

static void comparison_free(struct comparison *c)
{
    sources_close(&c->sources);
    table_release(&c->members);
    for (size_t i = 0; i <= SCOPE_MAX; i++)
        free(c->scope_names[i]);
    for (unsigned i = 0; i < SIDE_FAMILIES * 2; i++)
        table_release(&c->sides[i / 2][i % 2]);
    free(c->doubtful_sides);
    free(c->doubtful);
    free(c);
}

int consent_check(const struct cli *cli, int argc, char **argv)
{
    struct comparison *c = check_calloc(1, sizeof *c);
    const char *words[DIRECTORIES_MAX - 1];
    size_t count;
    table_init(&c->members);
    for (unsigned i = 0; i < SIDE_FAMILIES * 2; i++)
        table_init(&c->sides[i / 2][i % 2]);
    const struct option_row rows[] = {
        {"numbers", NULL, "whole numbers, not their last two digits", NULL, &c->whole_numbers},
    };
    const struct usage usage = {
        .synopsis = "assent -c FILE consent check [--numbers] [DATA-DIR...]",
        .about =
            "Compares the opt-outs and opt-ins in Redis, their days where a program has a\n"
            "consent_max_age and the times of opt-outs, with what the ledger of FILE's gateway\n"
            "and those of other gateways, by their data directories, say; names each difference.\n"
            "Exit code 1 where there is one. Gateways may run.",
        .rows = rows,
        .row_count = sizeof rows / sizeof rows[0],
    };
    enum options_result result =
        options_read(&usage, argc, argv, words, DIRECTORIES_MAX - 1, &count);
    int code = result == OPTIONS_READ ? EXIT_REFUSED : options_exit(result);
    if (result == OPTIONS_READ && sources_open(&c->sources, cli, (char *const *)words, count))
        code = check(c);
    comparison_free(c);
    return code;
}
