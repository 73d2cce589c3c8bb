/* SPDX-License-Identifier: Apache-2.0 */
/* The reputation of senders at carriers: sliding windows, shares, alarms and pauses, what a pause holds, release,
 * restarts and snapshots, and limits. */
#include "tests/unit/engine_fixture.h"

#include <stdio.h>

#include "gateway/reputation.h"

#define MARKETING     ASSENT__V1__CLASS__MARKETING
#define TRANSACTIONAL ASSENT__V1__CLASS__TRANSACTIONAL
#define OTP           ASSENT__V1__CLASS__OTP
#define FILTERED      0x4b3 /* vendors' statuses */
#define UNKNOWN       0x4b4
#define OPTED_OUT     0x4b5
#define MINUTE        60000ull
#define HOUR          (60 * MINUTE)
#define RATE_HOUR     ASSENT__V1__REPUTATION_WINDOW__WINDOW_HOUR
#define RATE_DAY      ASSENT__V1__REPUTATION_WINDOW__WINDOW_DAY
#define RATE(name)    ASSENT__V1__REPUTATION_RATE__RATE_##name
#define SENDER        "12025550100"

/* ---- windows ---- */

static struct sliding s;

static void counted_for_the_window_and_no_longer(void **state)
{
    (void)state;
    s = (struct sliding){0};
    sliding_add(&s, 1000, REPUTATION_FILTERED, 3);
    sliding_roll(&s, 1000 + REPUTATION_BUCKETS - 1);
    assert_int_equal(s.totals[REPUTATION_FILTERED], 3);
    sliding_roll(&s, 1000 + REPUTATION_BUCKETS);
    assert_int_equal(s.totals[REPUTATION_FILTERED], 0);
    sliding_add(&s, 5000, REPUTATION_OTHER, 1);
    sliding_add(&s, 5000 + REPUTATION_BUCKETS - 1, REPUTATION_OTHER, 1);
    assert_int_equal(s.totals[REPUTATION_OTHER], 2);
    sliding_add(&s, 5000 + REPUTATION_BUCKETS, REPUTATION_OTHER, 1);
    assert_int_equal(s.totals[REPUTATION_OTHER], 2);
    sliding_roll(&s, UINT64_MAX); /* far ahead: everything is gone, and nothing is walked through */
    assert_int_equal(s.totals[REPUTATION_OTHER], 0);
}

static void a_clock_that_goes_back_loses_nothing(void **state)
{
    (void)state;
    s = (struct sliding){0};
    sliding_add(&s, 1000, REPUTATION_DELIVERED, 1);
    sliding_add(&s, 990, REPUTATION_DELIVERED, 1); /* inside the window: where it belongs */
    sliding_add(&s, 10, REPUTATION_DELIVERED, 1);  /* outside: in the newest */
    assert_int_equal(s.totals[REPUTATION_DELIVERED], 3);
    assert_int_equal(s.buckets[1000 % REPUTATION_BUCKETS][REPUTATION_DELIVERED], 2);
    sliding_roll(&s, 990 + REPUTATION_BUCKETS);
    assert_int_equal(s.totals[REPUTATION_DELIVERED], 2);
    sliding_roll(&s, 1000 + REPUTATION_BUCKETS);
    assert_int_equal(s.totals[REPUTATION_DELIVERED], 0);
}

static void a_bucket_does_not_wrap(void **state)
{
    (void)state;
    s = (struct sliding){0};
    sliding_add(&s, 1, REPUTATION_DELIVERED, UINT32_MAX);
    sliding_add(&s, 1, REPUTATION_DELIVERED, 1);
    assert_int_equal(s.totals[REPUTATION_DELIVERED], UINT32_MAX);
    assert_int_equal(reputation_texts(s.totals), UINT32_MAX);
}

static void buckets_are_sixtieths(void **state)
{
    (void)state;
    uint64_t at = 1800000000000ull;
    assert_int_equal(reputation_bucket(RATE_HOUR, at + MINUTE),
                     reputation_bucket(RATE_HOUR, at) + 1);
    assert_int_equal(reputation_bucket(RATE_DAY, at + 24 * MINUTE),
                     reputation_bucket(RATE_DAY, at) + 1);
    assert_string_equal(reputation_window_name(RATE_DAY), "day");
    assert_string_equal(reputation_window_name(9), "none");
    assert_string_equal(reputation_rate_name(RATE(OPT_OUTS)), "opt_outs");
    assert_string_equal(reputation_rate_name(9), "none");
}

static void shares_and_their_edges(void **state)
{
    (void)state;
    struct reputation_limits limits = {.least_texts = 10};
    limits.rates[RATE(FILTERED)] = (struct reputation_limit){50000, 100000};
    uint64_t totals[REPUTATION_KINDS] = {0};
    assert_int_equal(reputation_share(totals, RATE(FILTERED)), 0);
    assert_false(reputation_is_over(totals, &limits, RATE(FILTERED), 50000));
    totals[REPUTATION_FILTERED] = 9;
    assert_int_equal(reputation_share(totals, RATE(FILTERED)), 1000000);
    assert_false(reputation_is_over(totals, &limits, RATE(FILTERED), 50000)); /* too few */
    totals[REPUTATION_FILTERED] = 5;
    totals[REPUTATION_DELIVERED] = 96;
    assert_false(reputation_is_over(totals, &limits, RATE(FILTERED), 50000));
    totals[REPUTATION_DELIVERED] = 95;
    assert_true(reputation_is_over(totals, &limits, RATE(FILTERED), 50000)); /* at it */
    assert_false(reputation_is_over(totals, &limits, RATE(FILTERED), 0));    /* off */
    assert_false(reputation_is_calm(totals, &limits, RATE(FILTERED)));
    totals[REPUTATION_FILTERED] = 4;
    totals[REPUTATION_DELIVERED] = 96;
    assert_false(reputation_is_calm(totals, &limits, RATE(FILTERED))); /* four fifths: it stands */
    totals[REPUTATION_DELIVERED] = 97;
    assert_true(reputation_is_calm(totals, &limits, RATE(FILTERED)));
    totals[REPUTATION_FILTERED] = 6, totals[REPUTATION_DELIVERED] = 0;
    assert_false(reputation_is_calm(totals, &limits, RATE(FILTERED)));
    totals[REPUTATION_FILTERED] = 5;
    assert_true(reputation_is_calm(totals, &limits, RATE(FILTERED))); /* half the texts */
    totals[REPUTATION_OPT_OUTS] = UINT32_MAX;
    assert_int_equal(reputation_share(totals, RATE(OPT_OUTS)), UINT32_MAX);
}

static void shares_as_people_write_them(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        uint64_t value;
    } good[] = {{"off", 0},        {"5%", 50000},        {"0.3%", 3000},
                {"100%", 1000000}, {"0.0001%", 1},       {"12.5%", 125000},
                {"1.05%", 10500},  {"33.3333%", 333333}, {"10%", 100000}};
    static const char *const bad[] = {"",    "5",    "%",   "5 %",      "-1%",         "5.%",
                                      ".5%", "1,5%", "5%%", "0.00001%", "1234567890%", "1.2.3%",
                                      "on"};
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        uint64_t value = 7;
        char text[32];
        assert_true(share_parse(good[i].text, &value));
        assert_int_equal(value, good[i].value);
        share_text(value, text, sizeof text);
        assert_string_equal(text, good[i].text);
    }
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        uint64_t value = 7;
        assert_false(share_parse(bad[i], &value));
        assert_int_equal(value, 7);
    }
}

/* ---- the engine ---- */

static struct world w;
static uint64_t next_number;

static void set_up(void)
{
    world_init(&w);
    w.programs[0].classes[TRANSACTIONAL] = true;
    w.programs[0].classes[OTP] = true;
    w.carrier.statuses[0] = (struct status_rule){FILTERED, STATUS_FILTERED};
    w.carrier.statuses[1] = (struct status_rule){UNKNOWN, STATUS_UNKNOWN_SUBSCRIBER};
    w.carrier.statuses[2] = (struct status_rule){OPTED_OUT, STATUS_OPTED_OUT};
    w.carrier.status_count = 3;
    w.carrier.receipt_errors[0] = (struct receipt_error){"300", NEWS_FILTERED};
    w.carrier.receipt_errors[1] = (struct receipt_error){"001", NEWS_UNKNOWN_SUBSCRIBER};
    w.carrier.receipt_error_count = 2;
    w.carrier.reputation.least_texts = 10;
    w.give_id = ""; /* texts end when they are taken */
    next_number = 12025550000ull;
}

static void begin(void)
{
    set_up();
    world_start(&w);
    world_pass(&w, 2000);
}

static uint64_t send_as(Assent__V1__Class message_class, uint64_t number)
{
    char digits[24];
    snprintf(digits, sizeof digits, "%llu", (unsigned long long)number);
    Assent__V1__Message message = world_message("offers", message_class, digits, "news");
    struct submit_verdict verdict = world_submit(&w, 0, &message);
    assert_int_equal(verdict.code, ASSENT__V1__CODE__CODE_OK);
    world_settle(&w);
    return verdict.id;
}

/* So many texts end so. */
static void texts(unsigned count, uint32_t status)
{
    w.status[0] = status;
    while (count-- > 0)
        (void)send_as(TRANSACTIONAL, ++next_number);
    w.status[0] = ESME_ROK;
}

static void reply(uint64_t number, const char *text)
{
    struct sm_out out = {.source = {.ton = 1, .npi = 1},
                         .destination = {.ton = 1, .npi = 1, .digits = SENDER},
                         .short_message = span_from_string(text)};
    snprintf(out.source.digits, sizeof out.source.digits, "%llu", (unsigned long long)number);
    assert_int_equal(session_submit(w.peers[0], &out, 1, w.now.mono_us), ERR_OK);
    world_settle(&w);
}

static struct reputation_status now_of_sender(void)
{
    struct reputation_status status = {0};
    for (unsigned i = 0; engine_reputation(w.engine, i, w.now.wall_ms, &status); i++)
        if (strcmp(status.sender, SENDER) == 0)
            return status;
    return (struct reputation_status){0};
}

static uint64_t counted(enum reputation_kind kind)
{
    struct reputation_status status = now_of_sender();
    return status.totals[RATE_HOUR][kind];
}

static unsigned records(Assent__V1__Event__BodyCase body)
{
    unsigned count = 0;
    for (uint64_t sequence = 1; sequence < w.next; sequence++) {
        const struct world_record *r = &w.records[sequence];
        Assent__V1__Event *event = assent__v1__event__unpack(NULL, r->public_length, r->octets);
        count += event->body_case == body;
        assent__v1__event__free_unpacked(event, NULL);
    }
    return count;
}

#define ALARMS() records(ASSENT__V1__EVENT__BODY_REPUTATION_ALARM)
#define PAUSES() records(ASSENT__V1__EVENT__BODY_REPUTATION_PAUSED)

static Assent__V1__Code call(uint16_t client, Assent__V1__ReputationRequest *request)
{
    unsigned replies = w.reputation_replies;
    engine_reputation_call(w.engine, client, 1, request, w.now);
    assert_int_equal(w.reputation_replies, replies + 1);
    world_settle(&w);
    return w.reputation_code;
}

static Assent__V1__ReputationRequest release_request(void)
{
    Assent__V1__ReputationRequest request = ASSENT__V1__REPUTATION_REQUEST__INIT;
    request.release = true;
    request.sender = (char *)SENDER;
    request.carrier = (char *)"alpha";
    request.who = (char *)"mara";
    request.why = (char *)"the list is gone";
    return request;
}

static Assent__V1__Code release(void)
{
    Assent__V1__ReputationRequest request = release_request();
    return call(CLIENT_OPERATOR, &request);
}

static void ends_are_counted_by_what_they_say(void **state)
{
    (void)state;
    set_up();
    w.carrier.reputation.least_texts = 1000;
    world_start(&w);
    world_pass(&w, 2000);
    texts(3, ESME_ROK);
    texts(2, FILTERED);
    texts(1, UNKNOWN);
    texts(4, ESME_RINVDSTADR);
    texts(1, OPTED_OUT);
    assert_int_equal(counted(REPUTATION_FILTERED), 2);
    assert_int_equal(counted(REPUTATION_UNKNOWN), 1);
    assert_int_equal(counted(REPUTATION_OTHER), 3 + 4 + 1);
    assert_int_equal(counted(REPUTATION_OPT_OUTS), 1);
    assert_int_equal(counted(REPUTATION_DELIVERED), 0);
    world_release(&w);
}

static void report(uint64_t number, const char *state, const char *code)
{
    char text[96];
    w.give_id = NULL;
    (void)send_as(TRANSACTIONAL, number);
    snprintf(text, sizeof text, "id:id%llu stat:%s err:%s text:x", (unsigned long long)w.next_id,
             state, code);
    struct sm_out out = {.source = {.ton = 1, .npi = 1},
                         .destination = {.ton = 1, .npi = 1, .digits = SENDER},
                         .esm_class = ESM_TYPE_RECEIPT,
                         .short_message = span_from_string(text)};
    snprintf(out.source.digits, sizeof out.source.digits, "%llu", (unsigned long long)number);
    assert_int_equal(session_submit(w.peers[0], &out, 1, w.now.mono_us), ERR_OK);
    world_settle(&w);
}

static void receipts_are_counted_by_what_they_say(void **state)
{
    (void)state;
    begin();
    report(12025550101, "DELIVRD", "000");
    report(12025550102, "UNDELIV", "300");
    report(12025550103, "REJECTD", "000");
    report(12025550104, "REJECTD", "001");
    report(12025550105, "EXPIRED", "000");
    assert_int_equal(counted(REPUTATION_DELIVERED), 1);
    assert_int_equal(counted(REPUTATION_FILTERED), 2);
    assert_int_equal(counted(REPUTATION_UNKNOWN), 1);
    assert_int_equal(counted(REPUTATION_OTHER), 1);
    world_release(&w);
}

static void what_ended_by_our_doing_is_not_counted(void **state)
{
    (void)state;
    begin();
    w.verdict = VERDICT_OPTED_OUT;
    (void)send_as(MARKETING, ++next_number);
    w.verdict = VERDICT_PASS;
    assert_null(now_of_sender().sender);
    world_release(&w);
}

static void nothing_happens_below_the_least_texts(void **state)
{
    (void)state;
    begin();
    texts(9, FILTERED);
    assert_int_equal(ALARMS(), 0);
    assert_int_equal(PAUSES(), 0);
    texts(1, ESME_ROK);
    assert_int_equal(ALARMS(), 2); /* in the hour and in the day */
    assert_int_equal(PAUSES(), 1);
    world_release(&w);
}

static void an_alarm_is_raised_once_and_again_after_it_was_calm(void **state)
{
    (void)state;
    begin();
    texts(18, ESME_ROK);
    texts(1, FILTERED); /* 1 of 19: 5.3 % */
    assert_int_equal(ALARMS(), 2);
    texts(3, ESME_ROK); /* 1 of 22: below 5 %, above 4 % */
    texts(1, FILTERED);
    assert_int_equal(ALARMS(), 2);
    texts(30, ESME_ROK); /* 2 of 53: calm */
    assert_int_equal(now_of_sender().alarms[RATE_HOUR], 0);
    texts(1, FILTERED);
    assert_int_equal(ALARMS(), 4);
    assert_int_equal(PAUSES(), 0);
    world_pass(&w, 61 * MINUTE); /* the hour is over, the day is not */
    assert_int_equal(now_of_sender().alarms[RATE_HOUR], 0);
    assert_int_not_equal(now_of_sender().alarms[RATE_DAY], 0);
    assert_int_equal(counted(REPUTATION_FILTERED), 0);
    world_pass(&w, 25 * HOUR);
    assert_null(now_of_sender().sender);
    world_release(&w);
}

static void pause_it(void)
{
    texts(8, ESME_ROK);
    texts(2, FILTERED);
    assert_int_equal(PAUSES(), 1);
}

static void a_pause_holds_marketing_alone(void **state)
{
    (void)state;
    begin();
    pause_it();
    struct reputation_status status = now_of_sender();
    assert_true(status.paused);
    assert_int_equal(status.rate, RATE(FILTERED));
    assert_int_equal(status.share, 200000);
    assert_int_equal(status.threshold, 200000);
    assert_int_equal(status.count, 2);
    assert_int_equal(status.texts, 10);
    size_t before = w.submit_count;
    (void)send_as(MARKETING, 12025550900);
    world_pass(&w, 5000);
    assert_int_equal(w.submit_count, before);
    (void)send_as(TRANSACTIONAL, 12025550901);
    (void)send_as(OTP, 12025550902);
    assert_int_equal(w.submit_count, before + 2);
    struct carrier_status carrier;
    engine_carrier_status(w.engine, 0, w.now, &carrier);
    assert_int_equal(carrier.paused, PAUSE_REPUTATION);
    assert_string_equal(pause_name(13), "sender_reputation");
    world_release(&w);
}

static bool waits(uint64_t id)
{
    Assent__V1__MessageStatus status = ASSENT__V1__MESSAGE_STATUS__INIT;
    assert_true(engine_query(w.engine, 0, id, &status));
    return strcmp(status.state, "waiting") == 0;
}

static void what_waits_is_ended_by_time_and_stop(void **state)
{
    (void)state;
    begin();
    pause_it();
    uint64_t first = send_as(MARKETING, 12025550900), second = send_as(MARKETING, 12025550901);
    uint64_t third = send_as(MARKETING, 12025550902);
    assert_true(waits(first));
    reply(12025550900, "STOP");
    assert_false(waits(first));
    assert_true(waits(second));
    world_pass(&w, 23 * HOUR);
    assert_true(waits(second));
    world_pass(&w, 2 * HOUR);
    assert_false(waits(second));
    assert_false(waits(third));
    (void)send_as(MARKETING, 12025550903); /* its flow begins anew, and waits again */
    size_t before = w.submit_count;
    assert_int_equal(release(), ASSENT__V1__CODE__CODE_OK);
    assert_int_equal(w.submit_count, before + 1);
    world_release(&w);
}

static bool was_written_to(uint64_t number)
{
    for (size_t i = 0; i < w.submit_count; i++)
        if (w.submits[i].number == number)
            return true;
    return false;
}

/* Its intent is recorded, and then comes what pauses its sender. */
static void what_is_on_its_way_is_held_before_the_wire(void **state)
{
    (void)state;
    begin();
    texts(19, ESME_ROK);
    reply(12025550801, "STOP");
    Assent__V1__Message message = world_message("offers", MARKETING, "12025550900", "news");
    (void)world_submit(&w, 0, &message);
    reply(12025550802, "STOP");
    assert_int_equal(PAUSES(), 1);
    assert_int_equal(records(ASSENT__V1__EVENT__BODY_HELD), 1);
    assert_false(was_written_to(12025550900));
    assert_int_equal(release(), ASSENT__V1__CODE__CODE_OK);
    assert_true(was_written_to(12025550900));
    world_release(&w);
}

static void a_release_is_recorded_and_counts_anew(void **state)
{
    (void)state;
    begin();
    pause_it();
    for (unsigned i = 0; i < 3; i++)
        (void)send_as(MARKETING, 12025550900 + i);
    size_t before = w.submit_count;
    assert_int_equal(release(), ASSENT__V1__CODE__CODE_OK);
    assert_int_equal(w.submit_count, before + 3);
    const struct world_record *r = &w.records[w.reputation_record];
    Assent__V1__Event *event = assent__v1__event__unpack(NULL, r->public_length, r->octets);
    assert_int_equal(event->body_case, ASSENT__V1__EVENT__BODY_REPUTATION_RELEASED);
    assert_string_equal(event->reputation_released->who, "mara");
    assert_string_equal(event->reputation_released->sender, SENDER);
    assent__v1__event__free_unpacked(event, NULL);
    texts(1, FILTERED); /* 1 of 4: too few to say anything */
    assert_int_equal(PAUSES(), 1);
    assert_false(now_of_sender().paused);
    assert_int_equal(release(), ASSENT__V1__CODE__CODE_FAILED_PRECONDITION);
    texts(6, ESME_ROK);
    texts(1, FILTERED); /* 2 of 11: not a fifth */
    assert_int_equal(PAUSES(), 1);
    texts(1, FILTERED);
    assert_int_equal(PAUSES(), 2);
    world_release(&w);
}

static void bad_calls_are_refused(void **state)
{
    (void)state;
    begin();
    pause_it();
    Assent__V1__ReputationRequest r = release_request();
    assert_int_equal(call(0, &r), ASSENT__V1__CODE__CODE_PERMISSION_DENIED);
    r.who = (char *)"";
    assert_int_equal(call(CLIENT_OPERATOR, &r), ASSENT__V1__CODE__CODE_INVALID_ARGUMENT);
    r = release_request();
    r.why = (char *)"";
    assert_int_equal(call(CLIENT_OPERATOR, &r), ASSENT__V1__CODE__CODE_INVALID_ARGUMENT);
    r = release_request();
    r.carrier = (char *)"nobody";
    assert_int_equal(call(CLIENT_OPERATOR, &r), ASSENT__V1__CODE__CODE_INVALID_ARGUMENT);
    r = release_request();
    r.sender = (char *)"a sender that is much too long to be one";
    assert_int_equal(call(CLIENT_OPERATOR, &r), ASSENT__V1__CODE__CODE_FAILED_PRECONDITION);
    w.no_space = true;
    assert_int_equal(release(), ASSENT__V1__CODE__CODE_UNAVAILABLE);
    w.no_space = false;
    r = release_request();
    r.release = false;
    assert_int_equal(call(CLIENT_OPERATOR, &r), ASSENT__V1__CODE__CODE_OK);
    assert_int_equal(w.reputation_senders, 1);
    r.sender = (char *)"12025550199";
    assert_int_equal(call(CLIENT_OPERATOR, &r), ASSENT__V1__CODE__CODE_OK);
    assert_int_equal(w.reputation_senders, 0);
    r = release_request();
    r.sender = (char *)"+" SENDER;
    assert_int_equal(call(CLIENT_OPERATOR, &r), ASSENT__V1__CODE__CODE_OK);
    world_release(&w);
}

static void opt_outs_count_once_a_person(void **state)
{
    (void)state;
    begin();
    reply(12025550800, "STOP"); /* before any text: nobody's rate */
    texts(30, ESME_ROK);
    assert_int_equal(counted(REPUTATION_OPT_OUTS), 0);
    for (unsigned i = 0; i < 9; i++)
        reply(12025550801, i % 2 == 0 ? "STOP" : "START");
    assert_int_equal(counted(REPUTATION_OPT_OUTS), 1);
    assert_int_equal(ALARMS(), 0);
    reply(12025550802, "STOP");
    assert_int_equal(counted(REPUTATION_OPT_OUTS), 2);
    assert_int_equal(ALARMS(), 2);
    assert_int_equal(PAUSES(), 0);
    reply(12025550803, "STOP");
    assert_int_equal(PAUSES(), 1);
    assert_int_equal(counted(REPUTATION_OTHER), 30); /* confirmations are none of its texts */
    world_release(&w);
}

static void complain(const char *carrier, const char *sender, uint64_t number)
{
    char digits[24];
    snprintf(digits, sizeof digits, "%llu", (unsigned long long)number);
    Assent__V1__ComplaintRequest request = ASSENT__V1__COMPLAINT_REQUEST__INIT;
    request.number = digits;
    request.channel = ASSENT__V1__COMPLAINT_CHANNEL__VIA_CARRIER;
    request.type = ASSENT__V1__COMPLAINT_TYPE__SPAM;
    request.words = (char *)"no";
    request.who = (char *)"mara";
    request.carrier = (char *)(uintptr_t)carrier;
    request.sender = (char *)(uintptr_t)sender;
    engine_complain(w.engine, CLIENT_OPERATOR, 1, &request, w.now);
    world_settle(&w);
    assert_int_equal(w.complaint.code, ASSENT__V1__CODE__CODE_OK);
}

static void complaints_count(void **state)
{
    (void)state;
    begin();
    texts(100, ESME_ROK);
    complain("alpha", SENDER, 12025550701);
    assert_int_equal(counted(REPUTATION_COMPLAINTS), 1);
    assert_int_equal(ALARMS(), 2);
    complain("alpha", "12025550101", 12025550702); /* another sender */
    assert_int_equal(counted(REPUTATION_COMPLAINTS), 1);
    complain("", SENDER, 12025550703); /* by whichever carrier */
    assert_int_equal(counted(REPUTATION_COMPLAINTS), 2);
    assert_int_equal(PAUSES(), 1);
    world_stop(&w);
    world_start(&w);
    assert_int_equal(counted(REPUTATION_COMPLAINTS), 2);
    world_release(&w);
}

static void off_is_off(void **state)
{
    (void)state;
    set_up();
    w.carrier.reputation.rates[RATE(FILTERED)] = (struct reputation_limit){0, 0};
    world_start(&w);
    world_pass(&w, 2000);
    texts(20, FILTERED);
    assert_int_equal(ALARMS() + PAUSES(), 0);
    assert_int_equal(counted(REPUTATION_FILTERED), 20);
    world_release(&w);
}

/* ---- restarts ---- */

static void assert_same(const struct reputation_status *a, const struct reputation_status *b)
{
    assert_memory_equal(a->totals, b->totals, sizeof a->totals);
    assert_memory_equal(a->alarms, b->alarms, sizeof a->alarms);
    assert_int_equal(a->paused, b->paused);
    assert_int_equal(a->paused_wall_ms, b->paused_wall_ms);
    assert_int_equal(a->paused_record, b->paused_record);
    assert_int_equal(a->rate, b->rate);
    assert_int_equal(a->window, b->window);
    assert_int_equal(a->share, b->share);
    assert_int_equal(a->threshold, b->threshold);
    assert_int_equal(a->count, b->count);
    assert_int_equal(a->texts, b->texts);
}

static void a_past(void)
{
    texts(5, ESME_ROK);
    world_pass(&w, 20 * MINUTE);
    texts(2, UNKNOWN);
    reply(12025550801, "STOP");
    world_pass(&w, 30 * MINUTE);
    texts(4, FILTERED);
}

static void the_ledger_counts_the_same(void **state)
{
    (void)state;
    begin();
    a_past();
    struct reputation_status before = now_of_sender();
    assert_true(before.paused);
    unsigned alarms = ALARMS();
    world_stop(&w);
    world_start(&w);
    struct reputation_status after = now_of_sender();
    assert_same(&before, &after);
    (void)send_as(MARKETING, 12025550900);
    world_pass(&w, 3000);
    texts(1, FILTERED);
    assert_int_equal(ALARMS(), alarms);
    assert_int_equal(PAUSES(), 1);
    size_t sent = w.submit_count;
    assert_int_equal(release(), ASSENT__V1__CODE__CODE_OK);
    assert_int_equal(w.submit_count, sent + 1);
    world_stop(&w);
    world_start(&w);
    assert_false(now_of_sender().paused);
    assert_int_equal(counted(REPUTATION_FILTERED), 0);
    world_release(&w);
}

static bool fold(void *context, struct span public_part, struct span personal_part)
{
    const char *why = "";
    assert_int_equal(engine_replay(context, 0, public_part, personal_part, &why), ERR_OK);
    return true;
}

static void a_snapshot_counts_the_same(void **state)
{
    (void)state;
    begin();
    a_past();
    complain("alpha", SENDER, 12025550701); /* it stays open, and is not counted again */
    struct reputation_status before = now_of_sender();
    struct hash_key key = {.k0 = 1, .k1 = 2};
    struct engine *copy = engine_new(&w.config, &w.ports, &key, 1);
    assert_true(engine_snapshot(w.engine, w.now, fold, copy));
    world_stop(&w);
    w.engine = copy;
    engine_start(w.engine, w.now);
    engine_on_store_up(w.engine, 0);
    world_settle(&w);
    struct reputation_status after = now_of_sender();
    assert_same(&before, &after);
    world_pass(&w, 2000);
    reply(12025550801, "STOP"); /* counted before */
    assert_int_equal(counted(REPUTATION_OPT_OUTS), 1);
    reply(12025550802, "STOP");
    assert_int_equal(counted(REPUTATION_OPT_OUTS), 2);
    world_release(&w);
}

/* Of whom a snapshot holds a mark. */
static bool count_persons(void *context, struct span public_part, struct span personal_part)
{
    (void)personal_part;
    size_t *count = context;
    Assent__V1__Event *event =
        assent__v1__event__unpack(NULL, public_part.length, public_part.data);
    if (event->body_case == ASSENT__V1__EVENT__BODY_SEEN_REPUTATION)
        *count += event->seen_reputation->n_persons;
    assent__v1__event__free_unpacked(event, NULL);
    return true;
}

static size_t persons_in_snapshot(void)
{
    size_t count = 0;
    assert_true(engine_snapshot(w.engine, w.now, count_persons, &count));
    return count;
}

static void nothing_is_left_of_who_is_erased(void **state)
{
    (void)state;
    begin();
    texts(30, ESME_ROK);
    reply(12025550801, "STOP");
    reply(12025550802, "STOP");
    assert_int_equal(persons_in_snapshot(), 2);
    Assent__V1__EraseRequest in = ASSENT__V1__ERASE_REQUEST__INIT;
    in.number = (char *)"12025550801";
    in.request = (char *)"r1";
    engine_erase(w.engine, CLIENT_OPERATOR, 1, &in, w.now);
    engine_on_looked_up(w.engine, w.lookups[w.lookup_count - 1], true, &w.state, w.now);
    w.lookup_count = 0;
    world_settle(&w);
    assert_int_equal(w.consent_code, ASSENT__V1__CODE__CODE_OK);
    assert_int_equal(records(ASSENT__V1__EVENT__BODY_ERASED), 1);
    assert_int_equal(persons_in_snapshot(), 1);
    assert_int_equal(counted(REPUTATION_OPT_OUTS), 2);
    reply(12025550802, "STOP"); /* counted before */
    assert_int_equal(counted(REPUTATION_OPT_OUTS), 2);
    world_stop(&w); /* and the ledger counts the same */
    world_start(&w);
    world_settle(&w);
    assert_int_equal(persons_in_snapshot(), 1);
    world_release(&w);
}

/* ---- limits ---- */

static void say_seen(unsigned i)
{
    char sender[17];
    uint32_t counts[REPUTATION_KINDS] = {1};
    snprintf(sender, sizeof sender, "120255%05u", i);
    Assent__V1__ReputationBucket bucket = ASSENT__V1__REPUTATION_BUCKET__INIT, *buckets = &bucket;
    bucket.window = RATE_DAY;
    bucket.number = reputation_bucket(RATE_DAY, w.now.wall_ms);
    bucket.counts = counts;
    bucket.n_counts = REPUTATION_KINDS;
    Assent__V1__SeenReputation body = ASSENT__V1__SEEN_REPUTATION__INIT;
    body.carrier = (char *)"alpha";
    body.sender = sender;
    body.buckets = &buckets;
    body.n_buckets = 1;
    Assent__V1__Event event = ASSENT__V1__EVENT__INIT;
    event.body_case = ASSENT__V1__EVENT__BODY_SEEN_REPUTATION;
    event.seen_reputation = &body;
    uint8_t packed[256];
    size_t length = assent__v1__event__pack(&event, packed);
    const char *why = "";
    assert_int_equal(engine_replay(w.engine, 0, span_of(packed, length), span_of(packed, 0), &why),
                     ERR_OK);
}

static void one_more_pair_is_not_counted_before_there_is_room(void **state)
{
    (void)state;
    begin();
    for (unsigned i = 0; i < REPUTATIONS_MAX; i++)
        say_seen(i);
    struct reputation_status status;
    assert_true(engine_reputation(w.engine, REPUTATIONS_MAX - 1, w.now.wall_ms, &status));
    assert_false(engine_reputation(w.engine, REPUTATIONS_MAX, w.now.wall_ms, &status));
    texts(3, ESME_ROK);
    assert_int_equal(engine_reputation_uncounted(w.engine), 3);
    assert_null(now_of_sender().sender);
    world_pass(&w, 25 * HOUR);
    texts(3, ESME_ROK);
    assert_int_equal(counted(REPUTATION_OTHER), 3);
    world_release(&w);
}

static void damaged_records_of_it_do_nothing(void **state)
{
    (void)state;
    begin();
    static const uint32_t odd[] = {0, 3, 99, UINT32_MAX};
    for (size_t i = 0; i < sizeof odd / sizeof *odd; i++) {
        Assent__V1__ReputationFinding body = ASSENT__V1__REPUTATION_FINDING__INIT;
        body.carrier = (char *)(i % 2 ? "nobody" : "alpha");
        body.sender = (char *)"a sender that is much too long";
        body.rate = (Assent__V1__ReputationRate)odd[i];
        body.window = (Assent__V1__ReputationWindow)odd[i];
        Assent__V1__Event event = ASSENT__V1__EVENT__INIT;
        event.body_case = i < 2 ? ASSENT__V1__EVENT__BODY_REPUTATION_ALARM
                                : ASSENT__V1__EVENT__BODY_REPUTATION_PAUSED;
        event.reputation_alarm = &body;
        for (int fits = 0; fits < 2; fits++) {
            uint8_t packed[256];
            size_t length = assent__v1__event__pack(&event, packed);
            const char *why = "";
            assert_int_equal(
                engine_replay(w.engine, 1, span_of(packed, length), span_of(packed, 0), &why),
                ERR_OK);
            body.sender = (char *)"12025550177";
        }
    }
    world_release(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(counted_for_the_window_and_no_longer),
        cmocka_unit_test(a_clock_that_goes_back_loses_nothing),
        cmocka_unit_test(a_bucket_does_not_wrap),
        cmocka_unit_test(buckets_are_sixtieths),
        cmocka_unit_test(shares_and_their_edges),
        cmocka_unit_test(shares_as_people_write_them),
        cmocka_unit_test(ends_are_counted_by_what_they_say),
        cmocka_unit_test(receipts_are_counted_by_what_they_say),
        cmocka_unit_test(what_ended_by_our_doing_is_not_counted),
        cmocka_unit_test(nothing_happens_below_the_least_texts),
        cmocka_unit_test(an_alarm_is_raised_once_and_again_after_it_was_calm),
        cmocka_unit_test(a_pause_holds_marketing_alone),
        cmocka_unit_test(what_waits_is_ended_by_time_and_stop),
        cmocka_unit_test(what_is_on_its_way_is_held_before_the_wire),
        cmocka_unit_test(a_release_is_recorded_and_counts_anew),
        cmocka_unit_test(bad_calls_are_refused),
        cmocka_unit_test(opt_outs_count_once_a_person),
        cmocka_unit_test(complaints_count),
        cmocka_unit_test(off_is_off),
        cmocka_unit_test(the_ledger_counts_the_same),
        cmocka_unit_test(a_snapshot_counts_the_same),
        cmocka_unit_test(nothing_is_left_of_who_is_erased),
        cmocka_unit_test(one_more_pair_is_not_counted_before_there_is_room),
        cmocka_unit_test(damaged_records_of_it_do_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
