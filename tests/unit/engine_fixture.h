/* SPDX-License-Identifier: Apache-2.0 */
/* An engine with a world that does what it should: a ledger in memory that is durable at once, a
 * consent store that answers as told, and a carrier (the server role of the session code) on every
 * link. For tests of single rules; tests/sim has the world that misbehaves. */
#ifndef TESTS_UNIT_ENGINE_FIXTURE_H
#define TESTS_UNIT_ENGINE_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "gateway/engine.h"
#include "smpp/session.h"
#include "tests/unit/verdict.h"

#define WORLD_SUBMITS 4096
#define WORLD_LINKS   4 /* of one carrier */
#define WORLD_ENDS    (2 * WORLD_LINKS)
#define WORLD_CHECKS  4096

struct world_submit {
    uint16_t link; /* of the second carrier from WORLD_LINKS on */
    uint8_t part;  /* of a long text; 0 */
    uint64_t number;
    uint32_t sequence_number;
    struct smpp_address source, destination;
    char service_type[SERVICE_TYPE_MAX + 1], validity_period[TIME_TEXT_MAX + 1];
};

struct world_record {
    uint8_t *octets;
    size_t public_length, personal_length;
};

struct world {
    struct config config;
    struct program_config programs[2]; /* offers: marketing, single; login: otp, transactional */
    struct client_config clients[2];
    union { /* the second is there when the test raises config.carrier_count */
        struct carrier_config carrier;
        struct carrier_config carriers[2];
    };
    struct route_config routes[2];
    struct ports ports;
    struct engine *engine;
    struct instant now;

    struct world_record *records;
    size_t records_size;
    uint64_t next;
    size_t room;
    bool no_space;
    bool keys[256]; /* of texts, on the disk: by id */
    uint32_t last_key;
    bool no_key; /* none is ready */

    enum verdict verdict;
    struct check_result facts;      /* instead of it, when they are known */
    struct consent_state state;     /* of every lookup */
    struct consent_state states[8]; /* or by the program's scope behind the reserved ones, */
    bool by_scope;                  /* where this is set */
    bool added;                     /* of every write */
    bool unanswered;                /* checks get no answer */
    struct check checks[WORLD_CHECKS];
    size_t check_count;
    struct consent_write writes[64];
    size_t write_count;
    struct consent_write last_write;
    unsigned written; /* a bit for each kind */
    uint64_t lookups[64];
    uint16_t lookup_scopes[64];
    size_t lookup_count;
    enum once_answer once; /* to every question of it */
    uint64_t onces[64];
    size_t once_count;
    struct nodes_look look; /* of every beat */
    bool beaten;
    struct beat last_beat;
    size_t notices_asked;
    uint64_t scope_cookies[8];
    size_t scope_count;
    uint16_t next_scope;

    struct session *peers[WORLD_ENDS];
    struct buffer to_peer[WORLD_ENDS];
    bool opening[WORLD_ENDS];
    bool silent;          /* submit_sm get no answer */
    bool away[2];         /* a carrier that takes no connection */
    uint32_t status[2];   /* a carrier's answer to every submit_sm */
    size_t granted;       /* but so many of a batch are taken in any case */
    size_t batch;         /* submit_sm read together */
    uint32_t bind_status; /* to every bind */
    unsigned binds;
    const char *give_id; /* of every submit_sm; NULL: "id1", "id2", ... */
    uint64_t next_id;
    void (*on_submit)(const struct sm_body *body); /* NULL, or looks at every submit_sm */
    bool stuck;                                    /* the ledger is durable no further */
    uint32_t deliver_ended;                        /* deliver_sm that the engine answered */
    uint32_t deliver_status;
    struct world_submit submits[WORLD_SUBMITS];
    size_t submit_count;

    struct erase_reach sought;
    uint64_t destroyed[64];
    bool erased_asked; /* answered with the facts from this one on */
    uint64_t erased_from;
    struct erased_fact erased[8];
    size_t erased_count;
    size_t destroying; /* records of `destroyed` */

    Assent__V1__Code consent_code; /* of the last consent call */
    char consent_message[128];
    Assent__V1__ComplaintReply complaint; /* the last one; its message is the above */
    unsigned complaint_replies;
    Assent__V1__Code reputation_code; /* of the last reply, and so on */
    size_t reputation_senders;
    uint64_t reputation_record;
    unsigned reputation_replies;
};

/* ---- keys ---- */

static const uint8_t *world_key(uint32_t id)
{
    static uint8_t key[SECRET_KEY_SIZE];
    memset(key, (int)id, sizeof key);
    return key;
}

static bool world_key_take(void *context, uint32_t *ret_id, uint8_t ret_key[SECRET_KEY_SIZE])
{
    struct world *w = context;
    if (w->no_key)
        return false;
    *ret_id = ++w->last_key;
    assert_true(w->last_key < 256);
    w->keys[w->last_key] = true;
    memcpy(ret_key, world_key(w->last_key), SECRET_KEY_SIZE);
    return true;
}

static void world_key_destroy(void *context, uint32_t id)
{
    struct world *w = context;
    assert_true(w->keys[id]);
    w->keys[id] = false;
}

/* ---- ledger ---- */

static uint64_t world_append(void *context, struct span public_part, struct span personal_part)
{
    struct world *w = context;
    if (w->next >= w->records_size) {
        w->records_size = w->records_size ? w->records_size * 2 : 1024;
        w->records = realloc(w->records, w->records_size * sizeof *w->records);
    }
    struct world_record *r = &w->records[w->next];
    *r = (struct world_record){.public_length = public_part.length,
                               .personal_length = personal_part.length};
    r->octets = malloc(public_part.length + personal_part.length + 1);
    memcpy(r->octets, public_part.data, public_part.length);
    if (personal_part.length > 0)
        memcpy(r->octets + public_part.length, personal_part.data, personal_part.length);
    return w->next++;
}

static void world_nothing(void *context)
{
    (void)context;
}

static uint64_t world_next(void *context)
{
    return ((struct world *)context)->next;
}

static size_t world_room(void *context)
{
    return ((struct world *)context)->room;
}

static bool world_no_space(void *context)
{
    return ((struct world *)context)->no_space;
}

static uint64_t world_scan(void *context, uint64_t from, uint64_t until, uint32_t max_records,
                           void (*each)(void *engine, uint64_t sequence, struct span public_part,
                                        struct span personal_part),
                           void *engine)
{
    struct world *w = context;
    for (; from < until && max_records > 0; from++, max_records--) {
        const struct world_record *r = &w->records[from];
        each(engine, from, span_of(r->octets, r->public_length),
             span_of(r->octets + r->public_length, r->personal_length));
    }
    return from;
}

/* ---- store ---- */

static bool world_check(void *context, const struct check *check)
{
    struct world *w = context;
    assert_true(w->check_count < WORLD_CHECKS);
    w->checks[w->check_count++] = *check;
    return true;
}

static bool world_write(void *context, const struct consent_write *write)
{
    struct world *w = context;
    if (w->write_count == sizeof w->writes / sizeof *w->writes)
        return false;
    w->last_write = w->writes[w->write_count++] = *write;
    w->written |= 1u << write->kind;
    return true;
}

static bool world_lookup(void *context, uint64_t cookie, uint64_t number, const uint16_t *scopes,
                         uint8_t scope_count, uint16_t opt_in_scope)
{
    struct world *w = context;
    (void)number, (void)scopes, (void)scope_count;
    w->lookup_scopes[w->lookup_count] = opt_in_scope;
    w->lookups[w->lookup_count++] = cookie;
    return true;
}

static bool world_once(void *context, const struct once *once)
{
    struct world *w = context;
    w->onces[w->once_count++] = once->cookie;
    return true;
}

static bool world_beat(void *context, const struct beat *beat)
{
    struct world *w = context;
    w->beaten = true;
    w->last_beat = *beat;
    return true;
}

static bool world_notices(void *context)
{
    struct world *w = context;
    w->notices_asked++;
    return true;
}

static bool world_erased(void *context, uint64_t from)
{
    struct world *w = context;
    w->erased_asked = true;
    w->erased_from = from;
    return true;
}

static void world_tell_erased(struct world *w)
{
    struct erased_page page = {.total = w->erased_count};
    for (size_t i = w->erased_from; i < w->erased_count; i++)
        page.facts[page.count++] = w->erased[i];
    page.read = page.count;
    w->erased_asked = false;
    engine_on_erased(w->engine, &page, w->now);
}

static bool world_resolve(void *context, uint64_t cookie, const char *name)
{
    struct world *w = context;
    (void)name;
    w->scope_cookies[w->scope_count++] = cookie;
    return true;
}

/* ---- the carrier ---- */

static void world_open(void *context, uint16_t carrier, uint16_t link)
{
    struct world *w = context;
    assert_null(w->peers[carrier * WORLD_LINKS + link]); /* never two sockets for one bind */
    assert_false(w->opening[carrier * WORLD_LINKS + link]);
    w->opening[carrier * WORLD_LINKS + link] = true;
}

static void world_flush(void *context, uint16_t carrier, uint16_t link, struct buffer *output)
{
    struct world *w = context;
    struct span octets = buffer_span(output);
    assert_true(
        buffer_append(&w->to_peer[carrier * WORLD_LINKS + link], octets.data, octets.length));
    buffer_consume(output, octets.length);
}

static void world_close(void *context, uint16_t carrier, uint16_t link)
{
    struct world *w = context;
    unsigned end = carrier * WORLD_LINKS + link;
    if (w->peers[end] != NULL)
        session_free(w->peers[end]);
    w->peers[end] = NULL;
    buffer_consume(&w->to_peer[end], buffer_length(&w->to_peer[end]));
}

static void world_reading(void *context, uint16_t carrier, uint16_t link, bool reading)
{
    (void)context, (void)carrier, (void)link, (void)reading;
}

static struct world *world_of_peer; /* the tests have one at a time */

static uint32_t peer_authenticate(void *context, struct session *session, enum session_mode mode,
                                  const struct bind_body *bind)
{
    (void)context, (void)session, (void)mode, (void)bind;
    world_of_peer->binds++;
    return world_of_peer->bind_status;
}

static uint8_t part_of(const struct sm_body *body)
{
    bool long_text = (body->esm_class & 0x40) != 0 && body->text.length >= 6;
    return long_text ? body->text.data[5] : 0;
}

static void peer_message(void *context, struct session *session, const struct pdu_header *header,
                         const struct sm_body *body)
{
    struct world *w = world_of_peer;
    uint16_t link = (uint16_t)(uintptr_t)context;
    assert_true(w->submit_count < WORLD_SUBMITS);
    w->submits[w->submit_count++] =
        (struct world_submit){.link = link,
                              .part = part_of(body),
                              .sequence_number = header->sequence_number,
                              .number = strtoull(body->destination.digits, NULL, 10),
                              .source = body->source,
                              .destination = body->destination};
    struct world_submit *submit = &w->submits[w->submit_count - 1];
    memcpy(submit->service_type, body->service_type.data, body->service_type.length);
    memcpy(submit->validity_period, body->validity_period.data, body->validity_period.length);
    if (w->on_submit != NULL)
        w->on_submit(body);
    if (w->silent)
        return;
    char id[24];
    uint32_t status = w->batch++ < w->granted ? ESME_ROK : w->status[link / WORLD_LINKS];
    snprintf(id, sizeof id, "id%llu", (unsigned long long)++w->next_id);
    struct span given = span_from_string(w->give_id ? w->give_id : id);
    session_respond(session, header, status, status == ESME_ROK ? given : (struct span){0});
}

static void peer_ended(void *context, struct session *session, uint64_t cookie,
                       enum request_end end, uint32_t command_status, struct span message_id)
{
    (void)context, (void)session, (void)cookie, (void)end, (void)message_id;
    world_of_peer->deliver_ended++;
    world_of_peer->deliver_status = command_status;
}

static void peer_closed(void *context, struct session *session, const char *why,
                        uint32_t command_status)
{
    (void)context, (void)session, (void)why, (void)command_status;
}

static const struct session_handlers peer_handlers = {.authenticate = peer_authenticate,
                                                      .message = peer_message,
                                                      .request_ended = peer_ended,
                                                      .closed = peer_closed};

static void world_connect(struct world *w, uint16_t link)
{
    struct session_config config = {.role = SESSION_SERVER,
                                    .system_id = "carrier",
                                    .window = WINDOW_MAX,
                                    .request_timeout_ms = 10000,
                                    .enquire_timeout_ms = 10000};
    uint16_t carrier = link / WORLD_LINKS;
    w->opening[link] = false;
    if (w->away[carrier]) {
        engine_on_link_down(w->engine, carrier, link % WORLD_LINKS, "connection refused", w->now);
        return;
    }
    w->peers[link] = session_new(&config, &peer_handlers, (void *)(uintptr_t)link);
    session_start(w->peers[link], w->now.mono_us);
    engine_on_link_up(w->engine, carrier, link % WORLD_LINKS, w->now);
}

/* ---- submitters ---- */

static void world_consent_reply(void *context, uint64_t call, uint64_t ready_at,
                                const Assent__V1__ConsentReply *reply)
{
    struct world *w = context;
    (void)call, (void)ready_at;
    w->consent_code = reply->code;
    snprintf(w->consent_message, sizeof w->consent_message, "%s", reply->message);
}

static void world_show_reply(void *context, uint64_t call, const Assent__V1__ShowReply *reply)
{
    (void)context, (void)call, (void)reply;
}

/* What a test says of an erasure's files. */
static bool world_find(void *context, const struct erase_reach *reach)
{
    struct world *w = context;
    w->sought = *reach;
    return true;
}

static bool world_destroy(void *context, const uint64_t *records, size_t count)
{
    struct world *w = context;
    w->destroying = count;
    assert_true(count <= sizeof w->destroyed / sizeof *w->destroyed);
    memcpy(w->destroyed, records, count * sizeof *records);
    return true;
}

static void world_complaint_reply(void *context, uint64_t call, uint64_t ready_at,
                                  const Assent__V1__ComplaintReply *reply)
{
    struct world *w = context;
    (void)call, (void)ready_at;
    w->complaint = *reply;
    snprintf(w->consent_message, sizeof w->consent_message, "%s", reply->message);
    w->complaint.message = w->consent_message;
    w->complaint_replies++;
}

static void world_reputation_reply(void *context, uint64_t call, uint64_t ready_at,
                                   const Assent__V1__ReputationReply *reply)
{
    struct world *w = context;
    (void)call, (void)ready_at;
    w->reputation_code = reply->code;
    w->reputation_senders = reply->n_senders;
    w->reputation_record = reply->record;
    w->reputation_replies++;
}

static void world_random(void *context, void *out, size_t length)
{
    (void)context;
    memset(out, 7, length);
}

/* ---- the world ---- */

/* Everybody answers whatever is asked, until nobody has anything to say any more. */
static void world_settle(struct world *w)
{
    for (bool busy = true; busy;) {
        uint64_t next = w->next;
        if (!w->stuck)
            engine_on_durable(w->engine, w->next - 1);
        engine_turn(w->engine, w->now);
        busy = w->next != next; /* what is durable from now on */
        for (uint16_t link = 0; link < WORLD_ENDS; link++) {
            if (w->opening[link])
                world_connect(w, link), busy = true;
            if (w->peers[link] == NULL)
                continue;
            struct span in = buffer_span(&w->to_peer[link]);
            w->batch = 0;
            if (in.length > 0)
                session_receive(w->peers[link], in, w->now.mono_us), busy = true;
            buffer_consume(&w->to_peer[link], in.length);
            struct buffer *output = session_output(w->peers[link]);
            struct span out = buffer_span(output);
            if (out.length > 0)
                engine_on_link_octets(w->engine, link / WORLD_LINKS, link % WORLD_LINKS, out,
                                      w->now),
                    busy = true;
            buffer_consume(output, out.length);
        }
        for (size_t i = 0; i < w->scope_count; i++) {
            uint64_t cookie = w->scope_cookies[i];
            w->scope_count = 0, busy = true;
            engine_on_scope_resolved(w->engine, cookie, ++w->next_scope, w->now);
        }
        for (size_t i = 0; i < w->write_count; i++) {
            engine_on_written(w->engine, w->writes[i].sequence, w->added, w->now);
            busy = true;
        }
        w->write_count = 0;
        size_t checks = w->unanswered ? 0 : w->check_count;
        for (size_t i = 0; i < checks; i++) {
            struct check_result result = w->facts.known ? w->facts : result_of(w->verdict, 0);
            result.cookie = w->checks[i].cookie;
            engine_on_checked(w->engine, &result, 1, w->now);
            busy = true;
        }
        if (!w->unanswered)
            w->check_count = 0;
        if (w->beaten) {
            w->beaten = false, busy = true;
            engine_on_beaten(w->engine, &w->look, w->now);
        }
        if (w->erased_asked) {
            busy = true;
            world_tell_erased(w);
        }
        size_t onces = w->once_count;
        w->once_count = 0;
        for (size_t i = 0; i < onces; i++) {
            engine_on_once(w->engine, w->onces[i], w->once, w->now);
            busy = true;
        }
        size_t lookups = w->lookup_count;
        w->lookup_count = 0;
        for (size_t i = 0; i < lookups; i++) {
            size_t at = w->by_scope ? (size_t)w->lookup_scopes[i] - SCOPES_RESERVED : 0;
            assert_true(at < sizeof w->states / sizeof *w->states);
            engine_on_looked_up(w->engine, w->lookups[i], true,
                                w->by_scope ? &w->states[at] : &w->state, w->now);
            busy = true;
        }
    }
}

static void world_pass(struct world *w, uint64_t ms)
{
    w->now.mono_us += ms * US_PER_MS;
    w->now.wall_ms += ms;
    world_settle(w);
}

static void world_program(struct program_config *program, const char *name, const char *sender)
{
    program_defaults(program);
    program->quiet_hours = QUIET_OFF;
    program->brand_named = BRAND_OFF;
    snprintf(program->name, sizeof program->name, "%s", name);
    snprintf(program->brand, sizeof program->brand, "%s", name);
    snprintf(program->senders[0], sizeof program->senders[0], "%s", sender);
    program->sender_count = 1;
}

/* To be changed as the test likes before world_start(). */
static void world_init(struct world *w)
{
    *w = (struct world){.next = 1,
                        .room = LEDGER_BATCH_OCTETS,
                        .verdict = VERDICT_PASS,
                        .added = true,
                        .once = ONCE_OURS,
                        .look = {.history = 7},
                        .now = {.mono_us = 1000 * US_PER_S, .wall_ms = 1800000000000ull}};
    world_of_peer = w;
    config_defaults(&w->config);
    snprintf(w->config.node, sizeof w->config.node, "test");
    world_program(&w->programs[0], "offers", "12025550100");
    w->programs[0].classes[ASSENT__V1__CLASS__MARKETING] = true;
    w->programs[0].opt_in = OPT_IN_SINGLE;
    world_program(&w->programs[1], "login", "12025550101");
    w->programs[1].classes[ASSENT__V1__CLASS__OTP] = true;
    w->programs[1].classes[ASSENT__V1__CLASS__TRANSACTIONAL] = true;
    for (int i = 0; i < 2; i++) {
        snprintf(w->clients[i].name, sizeof w->clients[i].name, "client%d", i);
        w->clients[i].programs[0] = w->clients[i].programs[1] = true;
    }
    carrier_defaults(&w->carriers[1]);
    carrier_defaults(&w->carrier);
    snprintf(w->carrier.name, sizeof w->carrier.name, "alpha");
    snprintf(w->carrier.system_id, sizeof w->carrier.system_id, "acme");
    w->carrier.rate = 100000;
    w->carrier.window = 1000;
    route_defaults(&w->routes[0]);
    w->carrier.routes = w->routes;
    w->carrier.route_count = 1;
    w->config.programs = w->programs;
    w->config.program_count = 2;
    w->config.clients = w->clients;
    w->config.client_count = 2;
    w->config.carriers = &w->carrier;
    w->config.carrier_count = 1;
    for (int i = 0; i < WORLD_ENDS; i++)
        buffer_init(&w->to_peer[i], 64u << 20);
    w->ports = (struct ports){.context = w,
                              .ledger_append = world_append,
                              .ledger_flush = world_nothing,
                              .ledger_next = world_next,
                              .ledger_room = world_room,
                              .ledger_no_space = world_no_space,
                              .ledger_scan = world_scan,
                              .key_take = world_key_take,
                              .key_destroy = world_key_destroy,
                              .store_check = world_check,
                              .store_write = world_write,
                              .store_lookup = world_lookup,
                              .store_resolve_scope = world_resolve,
                              .store_once = world_once,
                              .store_beat = world_beat,
                              .store_notices = world_notices,
                              .store_erased = world_erased,
                              .store_flush = world_nothing,
                              .link_open = world_open,
                              .link_flush = world_flush,
                              .link_close = world_close,
                              .link_reading = world_reading,
                              .consent_reply = world_consent_reply,
                              .show_reply = world_show_reply,
                              .erasure_find = world_find,
                              .erasure_destroy = world_destroy,
                              .complaint_reply = world_complaint_reply,
                              .reputation_reply = world_reputation_reply,
                              .random = world_random};
}

/* A new process over the same ledger. */
static void world_boot(struct world *w, bool store_up)
{
    struct hash_key key = {.k0 = 1, .k1 = 2};
    w->engine = engine_new(&w->config, &w->ports, &key, 1);
    uint64_t end = w->next;
    for (uint32_t id = 1; id < 256; id++)
        if (w->keys[id])
            engine_know_key(w->engine, id, world_key(id));
    for (uint64_t sequence = 1; sequence < end; sequence++) {
        const struct world_record *r = &w->records[sequence];
        const char *why = "";
        assert_int_equal(engine_replay(w->engine, sequence, span_of(r->octets, r->public_length),
                                       span_of(r->octets + r->public_length, r->personal_length),
                                       &why),
                         ERR_OK);
    }
    engine_start(w->engine, w->now);
    if (store_up)
        engine_on_store_up(w->engine, 0);
    world_settle(w);
}

static void world_start(struct world *w)
{
    world_boot(w, true);
}

static void world_stop(struct world *w)
{
    engine_free(w->engine);
    for (int i = 0; i < WORLD_ENDS; i++) {
        if (w->peers[i] != NULL)
            session_free(w->peers[i]);
        w->peers[i] = NULL;
        w->opening[i] = false;
        buffer_consume(&w->to_peer[i], buffer_length(&w->to_peer[i]));
    }
    w->check_count = w->write_count = w->lookup_count = w->scope_count = 0;
}

static void world_release(struct world *w)
{
    world_stop(w);
    for (int i = 0; i < WORLD_ENDS; i++)
        buffer_release(&w->to_peer[i]);
    for (uint64_t i = 1; i < w->next; i++)
        free(w->records[i].octets);
    free(w->records);
}

static Assent__V1__Message world_message(const char *program, Assent__V1__Class message_class,
                                         const char *number, const char *text)
{
    Assent__V1__Message message = ASSENT__V1__MESSAGE__INIT;
    message.program = (char *)(uintptr_t)program;
    message.class_ = message_class;
    message.number = (char *)(uintptr_t)number;
    message.text = (char *)(uintptr_t)text;
    return message;
}

static struct submit_verdict world_submit(struct world *w, uint16_t client,
                                          const Assent__V1__Message *message)
{
    struct submit_verdict verdict;
    engine_submit(w->engine, client, message, false, w->now, &verdict);
    return verdict;
}

#endif
