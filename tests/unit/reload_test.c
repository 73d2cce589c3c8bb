/* SPDX-License-Identifier: Apache-2.0 */
/* A new configuration in a running engine: what may change does, what did not change stays, and what
 * only a restart can change is refused and named. */
#include "tests/unit/engine_fixture.h"

#include <stdio.h>

#include "gateway/config_merge.h"
#include "gateway/config_schema.h"

#define MARKETING ASSENT__V1__CLASS__MARKETING
#define OTP       ASSENT__V1__CLASS__OTP
#define OK        ASSENT__V1__CODE__CODE_OK
#define NUMBER    "12025550123"

static const char basic[] = "node: gw1\n"
                            "data_dir: /tmp/x\n"
                            "redis: {url: \"unix:///r\"}\n"
                            "listeners: [{address: \"unix:///s\"}]\n"
                            "programs:\n"
                            "  - {name: offers, classes: [marketing], senders: [\"12025550100\"], "
                            "opt_in: single}\n"
                            "  - {name: login, classes: [otp], senders: [\"12025550101\"]}\n"
                            "clients:\n"
                            "  - {name: shop, uid: 1, programs: [offers]}\n"
                            "  - {name: bank, uid: 2, programs: [login]}\n"
                            "carriers:\n"
                            "  - {name: alpha, address: \"tcp://h:1\", system_id: a, rate: 1000, "
                            "window: 100, routes: [\"\"]}\n";

static struct world w;
static char said[2048];

static struct config *read_config(const char *text)
{
    struct config_faults *faults = calloc(1, sizeof *faults);
    struct config *config = calloc(1, sizeof *config);
    config_defaults(config);
    config_read(span_from_string(text), NULL, config, faults);
    if (faults->count > 0)
        fail_msg("%s", faults->faults[0].text);
    free(faults);
    return config;
}

/* `basic` with `old` replaced. */
static const char *with(const char *old, const char *fresh)
{
    static char text[4096];
    const char *at = strstr(basic, old);
    assert_non_null(at);
    snprintf(text, sizeof text, "%.*s%s%s", (int)(at - basic), basic, fresh, at + strlen(old));
    return text;
}

static bool merge(struct config *config, const char *text)
{
    struct config *fresh = read_config(text);
    memset(said, 0, sizeof said);
    FILE *out = fmemopen(said, sizeof said - 1, "w");
    bool merged = config_merge(config, fresh, out);
    fclose(out);
    if (!merged)
        config_free(fresh);
    return merged;
}

/* The lists ------------------------------------------------------------------------------------ */

static void names_keep_their_index(void **state)
{
    (void)state;
    struct config *config = read_config(basic);
    assert_true(merge(config, "node: gw1\n"
                              "data_dir: /tmp/x\n"
                              "redis: {url: \"unix:///r\"}\n"
                              "listeners: [{address: \"unix:///s\"}]\n"
                              "programs:\n"
                              "  - {name: fresh, classes: [otp], senders: [\"12025550102\"]}\n"
                              "  - {name: login, classes: [otp], senders: [\"12025550101\"]}\n"
                              "clients:\n"
                              "  - {name: bank, uid: 2, programs: [fresh, login]}\n"
                              "carriers:\n"
                              "  - {name: beta, address: \"tcp://h:2\", system_id: a, rate: 7, "
                              "window: 100, routes: [\"\"]}\n"));
    assert_int_equal(config->program_count, 3);
    assert_true(config->programs[0].retired && !config->programs[1].retired);
    assert_string_equal(config->programs[2].name, "fresh");
    assert_int_equal(config_find_program(config, "offers"), -1);
    assert_int_equal(config_find_program(config, "login"), 1);
    assert_int_equal(config->client_count, 2);
    assert_int_equal(config->clients[0].uid, -1); /* shop: nobody can be it */
    assert_false(config->clients[0].programs[0]);
    assert_int_equal(config->clients[1].uid, 2);
    assert_true(config->clients[1].programs[1] && config->clients[1].programs[2]);
    assert_int_equal(config->carrier_count, 2);
    assert_true(config->carriers[0].retired && config->carriers[0].route_count == 0);
    assert_string_equal(config->carriers[1].name, "beta");
    /* And back: everything finds its old place. */
    assert_true(merge(config, basic));
    assert_int_equal(config->program_count, 3);
    assert_int_equal(config_find_program(config, "offers"), 0);
    assert_true(config->programs[2].retired && config->carriers[1].retired);
    assert_false(config->carriers[0].retired);
    assert_true(config->clients[0].programs[0]);
    config_free(config);
}

static void what_a_session_is_made_of_is_counted(void **state)
{
    (void)state;
    struct config *config = read_config(basic);
    assert_true(merge(config, with("rate: 1000", "rate: 5, statuses: {0x45: final}")));
    assert_int_equal(config->carriers[0].made, 0);
    assert_int_equal(config->carriers[0].rate, 5);
    assert_true(merge(config, with("system_id: a", "system_id: b")));
    assert_int_equal(config->carriers[0].made, 1);
    assert_true(merge(config, with("window: 100", "window: 99")));
    assert_int_equal(config->carriers[0].made, 2);
    config_free(config);
}

static void only_a_restart_changes_these(void **state)
{
    (void)state;
    static const struct {
        const char *old, *fresh, *says;
    } rows[] = {
        {"gw1", "gw2", "node cannot change"},
        {"/tmp/x", "/tmp/y", "data_dir cannot change"},
        {"unix:///r", "unix:///q", "redis cannot change"},
        {"unix:///s", "unix:///t", "listeners cannot change"},
        {"programs:", "http: {address: \"tcp://127.0.0.1:1\"}\nprograms:", "http cannot change"},
        {"name: offers,", "name: offers, brand: Other,", "brand of program offers cannot change"},
        {"[\"12025550100\"]", "[\"12025550109\"]", "of program offers cannot change"},
        {"window: 100", "sessions: 2, window: 100", "sessions or bind of carrier alpha"},
    };
    struct config *config = read_config(basic);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        assert_false(merge(config, with(rows[i].old, rows[i].fresh)));
        if (strstr(said, rows[i].says) == NULL)
            fail_msg("\"%s\" should say: %s, said: %s", rows[i].fresh, rows[i].says, said);
    }
    assert_true(merge(config, with("[\"12025550100\"]", "[\"12025550100\", \"12025550108\"]")));
    assert_int_equal(config->programs[0].sender_count, 2);
    config_free(config);
}

/* The engine ----------------------------------------------------------------------------------- */

static void two_carriers(void)
{
    world_init(&w);
    struct carrier_config *beta = &w.carriers[1];
    snprintf(beta->name, sizeof beta->name, "beta");
    snprintf(beta->system_id, sizeof beta->system_id, "acme");
    beta->rate = 100000;
    beta->window = 1000;
    route_defaults(&w.routes[1]);
    beta->routes = &w.routes[1];
    beta->route_count = 1;
}

static uint64_t send(void)
{
    Assent__V1__Message message = world_message("login", OTP, NUMBER, "code 1");
    struct submit_verdict verdict = world_submit(&w, 0, &message);
    assert_int_equal(verdict.code, OK);
    world_settle(&w);
    return verdict.id;
}

static unsigned written_to(unsigned carrier)
{
    unsigned count = 0;
    for (size_t i = 0; i < w.submit_count; i++)
        count += w.submits[i].link / WORLD_LINKS == carrier;
    return count;
}

static void reconfigure(void)
{
    engine_reconfigure(w.engine, w.now);
    world_settle(&w);
}

static void a_new_carrier_is_bound_and_used(void **state)
{
    (void)state;
    two_carriers();
    world_start(&w);
    struct session *before = w.peers[0];
    w.config.carrier_count = 2;
    w.routes[0].priority = 1;
    reconfigure();
    assert_non_null(w.peers[WORLD_LINKS]);
    assert_ptr_equal(w.peers[0], before); /* alpha's session did not change */
    send();
    assert_int_equal(written_to(1), 1);
    world_release(&w);
}

/* Its route is gone, what it took is still waited for; then its session ends. */
static void a_removed_carrier_drains(void **state)
{
    (void)state;
    two_carriers();
    w.config.carrier_count = 2;
    w.routes[1].priority = 1;
    w.carriers[0].receipt_timeout_ms = 5000;
    world_start(&w);
    send();
    assert_int_equal(written_to(0), 1);
    w.carriers[0].retired = true;
    w.carriers[0].route_count = 0;
    reconfigure();
    send();
    assert_int_equal(written_to(0), 1);
    assert_int_equal(written_to(1), 1);
    assert_non_null(w.peers[0]); /* a receipt is still to come */
    world_pass(&w, 5001);
    world_pass(&w, 10);
    assert_null(w.peers[0]);
    world_pass(&w, 60000);
    assert_null(w.peers[0]);
    assert_false(w.opening[0]);
    world_release(&w);
}

static void a_session_of_other_settings_is_made_anew(void **state)
{
    (void)state;
    two_carriers();
    world_start(&w);
    w.silent = true;
    send();
    w.carriers[0].made++;
    reconfigure();
    assert_int_equal(written_to(0), 1);
    struct session *before = w.peers[0];
    assert_non_null(before); /* a submit_sm is unanswered on it */
    send();
    assert_int_equal(written_to(0), 1); /* nothing new goes there */
    w.silent = false;
    char id[] = "late";
    struct pdu_header header = {.command_id = SMPP_SUBMIT_SM,
                                .sequence_number = w.submits[0].sequence_number};
    session_respond(w.peers[0], &header, ESME_ROK, span_from_string(id));
    world_settle(&w);
    world_pass(&w, 10);
    world_pass(&w, 10);
    assert_int_equal(written_to(0), 2);
    struct engine_status status;
    engine_status(w.engine, &status);
    assert_int_equal(status.awaiting_receipt, 2);
    world_release(&w);
}

static void a_new_rate_holds_at_once(void **state)
{
    (void)state;
    two_carriers();
    world_start(&w);
    w.carriers[0].rate = 1;
    reconfigure();
    send();
    send();
    assert_int_equal(written_to(0), 1);
    world_pass(&w, 1100);
    assert_int_equal(written_to(0), 2);
    world_release(&w);
}

static void a_new_program_learns_its_scopes(void **state)
{
    (void)state;
    two_carriers();
    w.config.program_count = 1;
    world_start(&w);
    w.config.program_count = 2;
    reconfigure();
    send();
    assert_int_equal(written_to(0), 1);
    world_release(&w);
}

static void it_is_recorded(void **state)
{
    (void)state;
    two_carriers();
    world_start(&w);
    memset(w.config.sha256, 7, sizeof w.config.sha256);
    reconfigure();
    bool found = false;
    for (uint64_t i = 1; i < w.next; i++) {
        Assent__V1__Event *event =
            assent__v1__event__unpack(NULL, w.records[i].public_length, w.records[i].octets);
        if (event->body_case == ASSENT__V1__EVENT__BODY_CONFIG_LOADED)
            found = event->config_loaded->sha256.len == sizeof w.config.sha256 &&
                    event->config_loaded->sha256.data[31] == 7;
        assent__v1__event__free_unpacked(event, NULL);
    }
    assert_true(found);
    world_release(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_keep_their_index),
        cmocka_unit_test(what_a_session_is_made_of_is_counted),
        cmocka_unit_test(only_a_restart_changes_these),
        cmocka_unit_test(a_new_carrier_is_bound_and_used),
        cmocka_unit_test(a_removed_carrier_drains),
        cmocka_unit_test(a_session_of_other_settings_is_made_anew),
        cmocka_unit_test(a_new_rate_holds_at_once),
        cmocka_unit_test(a_new_program_learns_its_scopes),
        cmocka_unit_test(it_is_recorded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
