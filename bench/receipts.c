/* SPDX-License-Identifier: Apache-2.0 */
/* receipt-bench: the whole engine with ports that do nothing. So many messages are sent and wait for their
 * receipts; then a carrier's receipts come in, in the order in which the messages were sent and in
 * random order. Only what the gateway does with them is timed: octets in, answers out. Reads of both
 * orders take turns, so that both see the same machine. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "bench/options.h"
#include "gateway/engine.h"
#include "proto/base/check.h"
#include "smpp/encode.h"
#include "smpp/session.h"

#define READ_OCTETS  (32u << 10) /* what a link gives the engine at once */
#define FIRST_NUMBER 19990000000u
#define FIRST_ID     5000000000u
#define SUBMIT_BATCH 500
#define ROUNDS_MAX   99

struct bench {
    struct config config;
    struct program_config program;
    struct client_config client;
    struct carrier_config carrier;
    struct route_config route;
    struct ports ports;
    struct engine *engine;
    struct instant now;
    uint64_t next; /* ledger sequence */
    struct session *peer;
    struct buffer to_peer;
    bool opening;
    uint64_t scope_cookies[4], given_ids;
    size_t scope_count;
    bool beaten, asked_erased;
    uint16_t scopes;
    uint64_t checks[1 << 16];
    size_t check_count;
};

struct bench_options {
    uint32_t messages, rounds;
};

static struct bench *of(void *context)
{
    return context;
}

/* ---- ports ---- */

static uint64_t append(void *context, struct span public_part, struct span personal_part)
{
    (void)public_part, (void)personal_part;
    return of(context)->next++;
}

static void nothing(void *context)
{
    (void)context;
}

static uint64_t next_sequence(void *context)
{
    return of(context)->next;
}

static size_t room(void *context)
{
    (void)context;
    return LEDGER_BATCH_OCTETS;
}

static bool has_no_space(void *context)
{
    (void)context;
    return false;
}

static uint64_t scan(void *context, uint64_t from, uint64_t until, uint32_t max_records,
                     void (*each)(void *engine, uint64_t sequence, struct span public_part,
                                  struct span personal_part),
                     void *engine)
{
    (void)context, (void)from, (void)max_records, (void)each, (void)engine;
    return until;
}

static bool check_consent(void *context, const struct check *check)
{
    struct bench *b = of(context);
    CHECK(b->check_count < sizeof b->checks / sizeof *b->checks);
    b->checks[b->check_count++] = check->cookie;
    return true;
}

static bool write_consent(void *context, const struct consent_write *write)
{
    (void)context, (void)write;
    return true;
}

static bool look_up(void *context, uint64_t cookie, uint64_t number, const uint16_t *scopes,
                    uint8_t scope_count, uint16_t opt_in_scope)
{
    (void)context, (void)cookie, (void)number, (void)scopes, (void)scope_count, (void)opt_in_scope;
    return true;
}

static bool beat(void *context, const struct beat *beat)
{
    struct bench *b = context;
    (void)beat;
    b->beaten = true;
    return true;
}

static bool ask_erased(void *context, uint64_t from)
{
    struct bench *b = context;
    (void)from;
    b->asked_erased = true;
    return true;
}

static bool resolve_scope(void *context, uint64_t cookie, const char *name)
{
    struct bench *b = of(context);
    (void)name;
    b->scope_cookies[b->scope_count++] = cookie;
    return true;
}

static void link_open(void *context, uint16_t carrier, uint16_t link)
{
    (void)carrier, (void)link;
    of(context)->opening = true;
}

static void link_flush(void *context, uint16_t carrier, uint16_t link, struct buffer *output)
{
    struct bench *b = of(context);
    struct span octets = buffer_span(output);
    (void)carrier, (void)link;
    CHECK(buffer_append(&b->to_peer, octets.data, octets.length));
    buffer_consume(output, octets.length);
}

static void link_close(void *context, uint16_t carrier, uint16_t link)
{
    (void)context, (void)carrier, (void)link;
}

static void link_reading(void *context, uint16_t carrier, uint16_t link, bool reading)
{
    (void)context, (void)carrier, (void)link, (void)reading;
}

static void consent_reply(void *context, uint64_t call, uint64_t ready_at,
                          const Assent__V1__ConsentReply *reply)
{
    (void)context, (void)call, (void)ready_at, (void)reply;
}

static void show_reply(void *context, uint64_t call, const Assent__V1__ShowReply *reply)
{
    (void)context, (void)call, (void)reply;
}

static void random_octets(void *context, void *out, size_t length)
{
    (void)context;
    memset(out, 0, length);
}

/* ---- the carrier ---- */

static uint32_t authenticate(void *context, struct session *session, enum session_mode mode,
                             const struct bind_body *bind)
{
    (void)context, (void)session, (void)mode, (void)bind;
    return ESME_ROK;
}

static void submitted(void *context, struct session *session, const struct pdu_header *header,
                      const struct sm_body *body)
{
    struct bench *b = of(context);
    char id[24];
    (void)body;
    snprintf(id, sizeof id, "%" PRIu64, FIRST_ID + b->given_ids++);
    session_respond(session, header, ESME_ROK, span_from_string(id));
}

static void request_ended(void *context, struct session *session, uint64_t cookie,
                          enum request_end end, uint32_t command_status, struct span message_id)
{
    (void)context, (void)session, (void)cookie, (void)end, (void)command_status, (void)message_id;
}

static void closed(void *context, struct session *session, const char *why, uint32_t command_status)
{
    (void)context, (void)session, (void)why, (void)command_status;
}

static const struct session_handlers handlers = {.authenticate = authenticate,
                                                 .message = submitted,
                                                 .request_ended = request_ended,
                                                 .closed = closed};

static void connect_link(struct bench *b)
{
    struct session_config config = {.role = SESSION_SERVER,
                                    .system_id = "carrier",
                                    .window = 1000,
                                    .request_timeout_ms = 10000,
                                    .enquire_timeout_ms = 10000};
    b->opening = false;
    b->peer = session_new(&config, &handlers, b);
    session_start(b->peer, b->now.mono_us);
    engine_on_link_up(b->engine, 0, 0, b->now);
}

/* ---- sending ---- */

static void answer_store(struct bench *b)
{
    static const struct nodes_look alone = {.history = 1};
    static const struct erased_page nobody = {.total = 0};
    if (b->beaten) {
        b->beaten = false;
        engine_on_beaten(b->engine, &alone, b->now);
    }
    if (b->asked_erased) {
        b->asked_erased = false;
        engine_on_erased(b->engine, &nobody, b->now);
    }
    while (b->scope_count > 0)
        engine_on_scope_resolved(b->engine, b->scope_cookies[--b->scope_count], ++b->scopes,
                                 b->now);
    for (size_t i = 0; i < b->check_count; i++) {
        struct check_result result = {.cookie = b->checks[i], .known = true, .opted_in = true};
        engine_on_checked(b->engine, &result, 1, b->now);
    }
    b->check_count = 0;
}

static void answer_carrier(struct bench *b)
{
    if (b->opening)
        connect_link(b);
    if (b->peer == NULL)
        return;
    struct span in = buffer_span(&b->to_peer);
    (void)session_receive(b->peer, in, b->now.mono_us);
    buffer_consume(&b->to_peer, in.length);
    struct buffer *output = session_output(b->peer);
    struct span out = buffer_span(output);
    if (out.length > 0)
        engine_on_link_octets(b->engine, 0, 0, out, b->now);
    buffer_consume(output, out.length);
}

static void turn(struct bench *b)
{
    engine_on_durable(b->engine, b->next - 1);
    engine_turn(b->engine, b->now);
}

static void pass(struct bench *b, uint64_t us)
{
    b->now.mono_us += us;
    b->now.wall_ms = 1800000000000u + b->now.mono_us / US_PER_MS;
    turn(b);
    answer_store(b);
    answer_carrier(b);
}

static void submit(struct bench *b, uint32_t index)
{
    char number[24];
    struct submit_verdict verdict;
    Assent__V1__Message message = ASSENT__V1__MESSAGE__INIT;
    snprintf(number, sizeof number, "%" PRIu64, (uint64_t)FIRST_NUMBER + index);
    message.program = b->program.name;
    message.class_ = ASSENT__V1__CLASS__TRANSACTIONAL;
    message.number = number;
    message.text = (char *)(uintptr_t) "Your parcel comes tomorrow between nine and eleven.";
    engine_submit(b->engine, 0, &message, false, b->now, &verdict);
    CHECK(verdict.code == ASSENT__V1__CODE__CODE_OK);
}

static uint64_t awaiting(const struct bench *b)
{
    struct engine_status status;
    engine_status(b->engine, &status);
    return status.awaiting_receipt;
}

static void send_all(struct bench *b, uint32_t messages)
{
    for (uint32_t i = 0; i < messages; i++) {
        submit(b, i);
        if (i % SUBMIT_BATCH == SUBMIT_BATCH - 1)
            for (int n = 0; n < 4; n++)
                pass(b, US_PER_MS);
    }
    for (int n = 0; n < 100000 && awaiting(b) < messages; n++)
        pass(b, US_PER_MS);
    CHECK(awaiting(b) == messages);
}

/* ---- receipts ---- */

static void write_receipt(struct buffer *out, uint32_t index)
{
    char text[160];
    struct sm_out message = {.source = {.ton = 1, .npi = 1},
                             .destination = {.ton = 1, .npi = 1, .digits = "12025550100"},
                             .esm_class = ESM_TYPE_RECEIPT};
    snprintf(message.source.digits, sizeof message.source.digits, "%" PRIu64,
             (uint64_t)FIRST_NUMBER + index);
    snprintf(text, sizeof text,
             "id:%" PRIu64 " sub:001 dlvrd:001 submit date:2611220100 done date:2611220101 "
             "stat:DELIVRD err:000 text:",
             (uint64_t)FIRST_ID + index);
    message.short_message = span_from_string(text);
    CHECK(encode_sm(out, SMPP_DELIVER_SM, index + 1, &message) == ERR_OK);
}

/* Processor time: what others do on this machine is not counted. */
static uint64_t spent_ns(void)
{
    struct timespec time;
    CHECK(clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time) == 0);
    return (uint64_t)time.tv_sec * 1000000000u + (uint64_t)time.tv_nsec;
}

/* One read's worth of receipts; the processor time that it took to answer them. */
static uint64_t answer_some(struct bench *b, const uint32_t *order, uint32_t count, uint32_t *at)
{
    struct buffer octets;
    buffer_init(&octets, 2 * READ_OCTETS);
    while (*at < count && buffer_length(&octets) < READ_OCTETS)
        write_receipt(&octets, order[(*at)++]);
    b->now.mono_us += 100;
    uint64_t begin = spent_ns();
    engine_on_link_octets(b->engine, 0, 0, buffer_span(&octets), b->now);
    turn(b);
    uint64_t spent = spent_ns() - begin;
    buffer_consume(&b->to_peer, buffer_length(&b->to_peer));
    buffer_release(&octets);
    return spent;
}

/* ---- a round ---- */

static void configure(struct bench *b)
{
    config_defaults(&b->config);
    strcpy(b->config.node, "bench");
    program_defaults(&b->program);
    b->program.quiet_hours = QUIET_OFF;
    strcpy(b->program.name, "parcels");
    strcpy(b->program.brand, "parcels");
    strcpy(b->program.senders[0], "12025550100");
    b->program.sender_count = 1;
    b->program.classes[ASSENT__V1__CLASS__TRANSACTIONAL] = true;
    strcpy(b->client.name, "shop");
    b->client.programs[0] = true;
    carrier_defaults(&b->carrier);
    strcpy(b->carrier.name, "alpha");
    strcpy(b->carrier.system_id, "acme");
    b->carrier.rate = 1000000;
    b->carrier.window = WINDOW_MAX;
    route_defaults(&b->route);
    b->carrier.routes = &b->route;
    b->carrier.route_count = 1;
    b->config.programs = &b->program;
    b->config.clients = &b->client;
    b->config.carriers = &b->carrier;
    b->config.program_count = b->config.client_count = b->config.carrier_count = 1;
    b->config.max_memory_octets = 64ull << 30;
    b->config.max_open_messages = UINT32_MAX;
    b->ports = (struct ports){.context = b,
                              .ledger_append = append,
                              .ledger_flush = nothing,
                              .ledger_next = next_sequence,
                              .ledger_room = room,
                              .ledger_no_space = has_no_space,
                              .ledger_scan = scan,
                              .store_check = check_consent,
                              .store_write = write_consent,
                              .store_lookup = look_up,
                              .store_resolve_scope = resolve_scope,
                              .store_beat = beat,
                              .store_erased = ask_erased,
                              .store_flush = nothing,
                              .link_open = link_open,
                              .link_flush = link_flush,
                              .link_close = link_close,
                              .link_reading = link_reading,
                              .consent_reply = consent_reply,
                              .show_reply = show_reply,
                              .random = random_octets};
}

static struct bench *bench_new(void)
{
    struct bench *b = check_calloc(1, sizeof *b);
    struct hash_key key = {.k0 = 1, .k1 = 2};
    configure(b);
    b->next = 1;
    b->now.mono_us = 1000 * US_PER_S;
    buffer_init(&b->to_peer, 64u << 20);
    b->engine = engine_new(&b->config, &b->ports, &key, 1);
    engine_start(b->engine, b->now);
    engine_on_store_up(b->engine, 0);
    for (int i = 0; i < 10; i++)
        pass(b, US_PER_MS);
    return b;
}

static void bench_free(struct bench *b)
{
    engine_free(b->engine);
    session_free(b->peer);
    buffer_release(&b->to_peer);
    free(b);
}

static void shuffle(uint32_t *order, uint32_t count, uint64_t seed)
{
    struct rng rng = {seed};
    for (uint32_t i = count; i > 1; i--) {
        uint32_t j = (uint32_t)rng_below(&rng, i), kept = order[i - 1];
        order[i - 1] = order[j];
        order[j] = kept;
    }
}

enum order { IN_ORDER, AT_RANDOM, ORDERS };

/* Twice as many messages are open. The first half is answered in the order of sending, the second at
 * random, a read of each in turn. Gives receipts a second of each. */
static void round_of(uint32_t messages, uint64_t seed, double ret_rates[ORDERS])
{
    uint32_t *order = check_malloc(2 * (size_t)messages * sizeof *order);
    uint32_t at[ORDERS] = {0};
    uint64_t spent[ORDERS] = {0};
    struct bench *b = bench_new();
    for (uint32_t i = 0; i < 2 * messages; i++)
        order[i] = i;
    shuffle(order + messages, messages, seed);
    send_all(b, 2 * messages);
    while (at[IN_ORDER] < messages || at[AT_RANDOM] < messages)
        for (int which = 0; which < ORDERS; which++)
            spent[which] += answer_some(b, order + (size_t)which * messages, messages, &at[which]);
    turn(b);
    const struct metrics *metrics = engine_metrics(b->engine);
    CHECK(awaiting(b) == 0 && metrics->counters[COUNT_RECEIPTS_UNMATCHED] == 0);
    CHECK(metrics->ended[ASSENT__V1__CLASS__TRANSACTIONAL][ASSENT__V1__OUTCOME__DELIVERED] ==
          2 * messages);
    for (int which = 0; which < ORDERS; which++)
        ret_rates[which] = messages / ((double)spent[which] / 1e9);
    bench_free(b);
    free(order);
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return x < y ? -1 : x > y;
}

static double median(double *values, uint32_t count)
{
    qsort(values, count, sizeof *values, by_value);
    return (values[(count - 1) / 2] + values[count / 2]) / 2;
}

static const char usage[] =
    "usage: receipt-bench [OPTION VALUE]...\n\n"
    "Answers open receipts in the order of sending and in random order, in turns, by the engine "
    "alone.\n"
    "Prints the medians, receipts a second, and the share that random order reaches.";

#define AT(field) offsetof(struct bench_options, field)
static const struct option_row rows[] = {
    {.name = "--messages",
     .value = "N",
     .kind = OPTION_COUNT,
     .offset = AT(messages),
     .min = 1,
     .max = 10000000,
     .help = "open receipts of each order (1,000,000)"},
    {.name = "--rounds",
     .value = "N",
     .kind = OPTION_COUNT,
     .offset = AT(rounds),
     .min = 1,
     .max = ROUNDS_MAX,
     .help = "(5)"},
};

int main(int argc, char **argv)
{
    struct bench_options options = {.messages = 1000000, .rounds = 5};
    double rates[ORDERS][ROUNDS_MAX], of_round[ORDERS];
    int status;
    if (!options_parse(rows, sizeof rows / sizeof rows[0], usage, argc, argv, &options, &status))
        return status;
    for (uint32_t i = 0; i < options.rounds; i++) {
        round_of(options.messages, i + 1, of_round);
        for (int which = 0; which < ORDERS; which++)
            rates[which][i] = of_round[which];
        fprintf(stderr, "in order %.0f, random %.0f\n", of_round[IN_ORDER], of_round[AT_RANDOM]);
    }
    double in_order = median(rates[IN_ORDER], options.rounds);
    double at_random = median(rates[AT_RANDOM], options.rounds);
    printf("%" PRIu32 " %.0f %.0f %.4f\n", options.messages, in_order, at_random,
           at_random / in_order);
    return 0;
}
