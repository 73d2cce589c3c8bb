/* SPDX-License-Identifier: Apache-2.0 */
/* Texts that are not kept: what a record has of them, that they are sent after a restart, and when their keys go. */
#include "tests/unit/engine_fixture.h"

#include <stdio.h>

#include "consent/secret.h"

#define OTP           ASSENT__V1__CLASS__OTP
#define TRANSACTIONAL ASSENT__V1__CLASS__TRANSACTIONAL
#define MARKETING     ASSENT__V1__CLASS__MARKETING
#define OK            ASSENT__V1__CODE__CODE_OK
#define NUMBER        "12025550123"
#define TEXT          "Your code is 73910442"

static struct world w;

static struct submit_verdict submit(const char *program, Assent__V1__Class message_class,
                                    const char *text)
{
    Assent__V1__Message message = world_message(program, message_class, NUMBER, text);
    message.ttl_ms = 60000;
    return world_submit(&w, 0, &message);
}

/* The personal part of the newest `accepted`; free it. */
static Assent__V1__Personal *newest(void)
{
    for (uint64_t i = w.next - 1; i > 0; i--) {
        const struct world_record *r = &w.records[i];
        Assent__V1__Event *event = assent__v1__event__unpack(NULL, r->public_length, r->octets);
        bool accepted = event->body_case == ASSENT__V1__EVENT__BODY_ACCEPTED;
        assent__v1__event__free_unpacked(event, NULL);
        if (accepted)
            return assent__v1__personal__unpack(NULL, r->personal_length,
                                                r->octets + r->public_length);
    }
    fail_msg("no message was accepted");
    return NULL;
}

enum kept { WHOLE, HASHED, NOTHING };

static void assert_kept(enum kept kept, const char *text)
{
    Assent__V1__Personal *p = newest();
    struct span hash = span_of(p->text_hash.data, p->text_hash.len);
    assert_string_equal(p->text, kept == WHOLE ? text : "");
    assert_int_equal(p->encrypted_text.len, kept == WHOLE ? 0 : strlen(text) + SECRET_OVERHEAD);
    assert_int_equal(text_hash_is_of(hash, span_from_string(text)), kept == HASHED);
    assert_int_equal(hash.length, kept == HASHED ? TEXT_HASH_SIZE : 0);
    if (kept != WHOLE)
        assert_null(memmem(p->encrypted_text.data, p->encrypted_text.len, text, 8));
    assent__v1__personal__free_unpacked(p, NULL);
}

static void what_a_record_has(void **state)
{
    (void)state;
    static const enum kept by_program[] = {
        [TEXTS_WHOLE] = WHOLE, [TEXTS_HASHED] = HASHED, [TEXTS_NONE] = NOTHING};
    for (unsigned texts = TEXTS_WHOLE; texts <= TEXTS_NONE; texts++) {
        world_init(&w);
        w.programs[1].texts = (enum texts)texts;
        world_start(&w);
        assert_int_equal(submit("login", OTP, TEXT).code, OK);
        assert_kept(NOTHING, TEXT); /* a code's hash would give it away */
        assert_int_equal(submit("login", TRANSACTIONAL, TEXT).code, OK);
        assert_kept(by_program[texts], TEXT);
        world_release(&w);
    }
}

static unsigned keys_left(void)
{
    unsigned left = 0;
    for (unsigned i = 0; i < 256; i++)
        left += w.keys[i];
    return left;
}

static char submitted[200];

static void note_text(const struct sm_body *body)
{
    snprintf(submitted, sizeof submitted, "%.*s", (int)body->text.length,
             (const char *)body->text.data);
}

/* With `carrier`: it may be sent at once. */
static void begin(bool carrier)
{
    world_init(&w);
    w.away[0] = !carrier;
    w.on_submit = note_text;
    submitted[0] = '\0';
    world_start(&w);
}

static void restart(void)
{
    world_stop(&w);
    w.away[0] = false;
    world_start(&w);
    world_pass(&w, 5000);
}

static void a_waiting_code_is_sent_after_a_restart(void **state)
{
    (void)state;
    begin(false);
    assert_int_equal(submit("login", OTP, TEXT).code, OK);
    world_pass(&w, 1000);
    restart();
    assert_string_equal(submitted, TEXT);
    assert_int_equal(keys_left(), 0); /* it was all that needed one */
    world_release(&w);
}

static void a_lost_key_ends_what_waits(void **state)
{
    (void)state;
    begin(false);
    uint64_t id = submit("login", OTP, TEXT).id;
    assert_int_equal(submit("login", TRANSACTIONAL, "Hello").code, OK);
    world_pass(&w, 1000);
    memset(w.keys, 0, sizeof w.keys);
    restart();
    assert_string_equal(submitted, "Hello");
    assert_int_equal(w.submit_count, 1);
    struct engine_status status;
    engine_status(w.engine, &status);
    assert_int_equal(status.texts_lost, 1);
    Assent__V1__MessageStatus of_message = ASSENT__V1__MESSAGE_STATUS__INIT;
    assert_true(engine_query(w.engine, 0, id, &of_message));
    assert_int_equal(of_message.outcome, ASSENT__V1__OUTCOME__CANCELLED);
    restart(); /* and that is what the ledger says */
    engine_status(w.engine, &status);
    assert_int_equal(status.texts_lost, 0);
    world_release(&w);
}

/* Another key under the same id: no garbage is sent. */
static void a_wrong_key_is_a_lost_one(void **state)
{
    (void)state;
    begin(false);
    assert_int_equal(submit("login", OTP, TEXT).code, OK);
    w.keys[1] = false;
    w.keys[2] = true;
    for (uint64_t i = 1; i < w.next; i++) { /* epoch 1 becomes 2: field 7, a varint */
        uint8_t *at =
            memmem(w.records[i].octets, w.records[i].public_length + w.records[i].personal_length,
                   "\x38\x01", 2);
        if (at != NULL && w.records[i].personal_length > 0)
            at[1] = 2;
    }
    restart();
    assert_string_equal(submitted, "");
    world_release(&w);
}

static void a_key_goes_when_its_period_is_over_and_its_texts_are_sent(void **state)
{
    (void)state;
    begin(true);
    assert_int_equal(submit("login", OTP, TEXT).code, OK);
    world_pass(&w, 1000);
    assert_string_equal(submitted, TEXT);
    assert_int_equal(keys_left(), 1); /* others may join it */
    assert_int_equal(submit("login", OTP, TEXT).code, OK);
    assert_int_equal(w.last_key, 1);
    world_pass(&w, 60 * 1000);
    assert_int_equal(keys_left(), 0);
    assert_int_equal(submit("login", OTP, TEXT).code, OK);
    assert_int_equal(w.last_key, 2);
    world_release(&w);
}

static void not_before_the_records_are_durable(void **state)
{
    (void)state;
    begin(true);
    assert_int_equal(submit("login", OTP, TEXT).code, OK);
    world_settle(&w);
    w.stuck = true;
    assert_int_equal(keys_left(), 1);
    Assent__V1__Message message = world_message("login", OTP, NUMBER, TEXT);
    message.ttl_ms = 1000;
    (void)world_submit(&w, 0, &message); /* expires, as far as this process goes */
    world_pass(&w, 120 * 1000);
    assert_int_equal(keys_left(), 1);
    w.stuck = false;
    world_pass(&w, 2000);
    assert_int_equal(keys_left(), 0);
    world_release(&w);
}

static void texts_that_may_wait_have_keys_of_their_own(void **state)
{
    (void)state;
    begin(false);
    w.programs[1].texts = TEXTS_NONE;
    static const uint64_t lives_ms[] = {60000, 600000, 3600000, 24ull * 3600000,
                                        6 * 24ull * 3600000};
    for (unsigned i = 0; i < 5; i++) {
        Assent__V1__Message message = world_message("login", TRANSACTIONAL, NUMBER, TEXT);
        message.ttl_ms = lives_ms[i];
        assert_int_equal(world_submit(&w, 0, &message).code, OK);
        assert_int_equal(w.last_key, i + 1);
        assert_int_equal(world_submit(&w, 0, &message).code, OK);
        assert_int_equal(w.last_key, i + 1);
    }
    world_pass(&w, 5 * 60 * 1000); /* two have expired; the second's period is over too */
    assert_false(w.keys[1]);
    assert_true(w.keys[2] && w.keys[3] && w.keys[4] && w.keys[5]);
    world_release(&w);
}

static void without_a_key_nothing_is_accepted(void **state)
{
    (void)state;
    begin(true);
    w.no_key = true;
    struct submit_verdict v = submit("login", OTP, TEXT);
    assert_int_equal(v.code, ASSENT__V1__CODE__CODE_UNAVAILABLE);
    assert_non_null(strstr(v.message, "submit again"));
    assert_int_equal(submit("login", TRANSACTIONAL, TEXT).code, OK); /* needs none */
    w.no_key = false;
    assert_int_equal(submit("login", OTP, TEXT).code, OK);
    w.no_key = true; /* an open one of another lifetime does */
    Assent__V1__Message message = world_message("login", OTP, NUMBER, TEXT);
    message.ttl_ms = 3600 * 1000;
    assert_int_equal(world_submit(&w, 0, &message).code, OK);
    world_release(&w);
}

struct kept_snapshot {
    struct world_record records[32];
    size_t count;
};

static bool keep(void *context, struct span public_part, struct span personal_part)
{
    struct kept_snapshot *s = context;
    struct world_record *r = &s->records[s->count++];
    assert_true(s->count <= 32);
    *r = (struct world_record){malloc(public_part.length + personal_part.length + 1),
                               public_part.length, personal_part.length};
    memcpy(r->octets, public_part.data, public_part.length);
    if (personal_part.length > 0)
        memcpy(r->octets + public_part.length, personal_part.data, personal_part.length);
    assert_null(memmem(r->octets, r->public_length + r->personal_length, TEXT, strlen(TEXT)));
    return true;
}

/* In it too the text is encrypted, with another nonce. */
static void a_snapshot_keeps_the_secret(void **state)
{
    (void)state;
    struct kept_snapshot s = {.count = 0};
    struct hash_key key = {.k0 = 1, .k1 = 2};
    begin(false);
    assert_int_equal(submit("login", OTP, TEXT).code, OK);
    assert_true(engine_snapshot(w.engine, w.now, keep, &s));
    world_stop(&w);
    w.away[0] = false;
    w.engine = engine_new(&w.config, &w.ports, &key, 1);
    engine_know_key(w.engine, 1, world_key(1));
    const char *why = "";
    for (size_t i = 0; i < s.count; i++) {
        const struct world_record *r = &s.records[i];
        assert_int_equal(engine_replay(w.engine, 0, span_of(r->octets, r->public_length),
                                       span_of(r->octets + r->public_length, r->personal_length),
                                       &why),
                         ERR_OK);
        free(r->octets);
    }
    engine_start(w.engine, w.now);
    engine_on_store_up(w.engine, 0);
    world_pass(&w, 5000);
    assert_string_equal(submitted, TEXT);
    world_release(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_a_record_has),
        cmocka_unit_test(a_waiting_code_is_sent_after_a_restart),
        cmocka_unit_test(a_lost_key_ends_what_waits),
        cmocka_unit_test(a_wrong_key_is_a_lost_one),
        cmocka_unit_test(a_key_goes_when_its_period_is_over_and_its_texts_are_sent),
        cmocka_unit_test(not_before_the_records_are_durable),
        cmocka_unit_test(texts_that_may_wait_have_keys_of_their_own),
        cmocka_unit_test(without_a_key_nothing_is_accepted),
        cmocka_unit_test(a_snapshot_keeps_the_secret),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
