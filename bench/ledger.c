/* SPDX-License-Identifier: Apache-2.0 */
/* ledger-bench: the ledger alone. Appends what a text's life leaves there, every text another one of 100
 * characters, with everything synced; hashes it all again, beside bare SHA-256 of as many blocks in as many
 * calls, by one core's time; seals what is full.
 *
 *     ledger-bench DIRECTORY MESSAGES [append [DAYS]]
 *     prints "append RECORDS/S octets-a-message N verify MB/S verify-share S records N
 *     seal RECORDS/S sealed-octets-a-message N sealed-segments N number N", the last of somebody who had a
 *     text; below three segments nothing is sealed. With `append` it stops there and prints less; with DAYS
 *     all of it was so many days ago, and every 50th of them opts out. */
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "consent/ledger.h"
#include "consent/ledger_files.h"
#include "consent/ledger_verify.h"
#include "gateway/daemon.h"
#include "gateway/signing_key.h"
#include "proto/base/check.h"
#include "proto/base/clock.h"
#include "proto/base/hash.h"
#include "proto/event.pb-c.h"
#include "proto/pack.h"

#define TURN              256 /* records handed over at once, as a loop's turn does under load */
#define ROOM              4096
#define RECORDS_A_MESSAGE 4
#define TEXT_LENGTH       100

/* A text of words chosen by the message's number: no two are the same. */
static const char *text_of(uint64_t i)
{
    static const char *const words[] = {
        "seeds",   "bulbs",   "garden", "spring", "offer",  "today",  "only",   "open",
        "market",  "fresh",   "roses",  "tulips", "herbs",  "water",  "basket", "plants",
        "morning", "visit",   "store",  "newest", "colour", "orchid", "winter", "summer",
        "thirty",  "percent", "less",   "until",  "friday", "choose", "bring",  "friends"};
    static char text[TEXT_LENGTH + 1];
    uint64_t bits = 0;
    size_t length = (size_t)snprintf(text, sizeof text, "Acme:");
    for (uint64_t n = 0; length < TEXT_LENGTH; n++, bits >>= 5) {
        if (n % 12 == 0)
            bits = hash_mix(i + n + 1);
        length += (size_t)snprintf(text + length, sizeof text - length, " %s", words[bits & 31]);
    }
    return text;
}

static uint64_t append(struct ledger *ledger, const Assent__V1__Event *event,
                       const Assent__V1__Personal *personal)
{
    uint8_t room[ROOM], personal_room[ROOM];
    struct span part, personal_part = {0};
    CHECK(pack_message(&event->base, room, sizeof room, &part));
    if (personal != NULL)
        CHECK(pack_message(&personal->base, personal_room, sizeof personal_room, &personal_part));
    return ledger_append(ledger, part, personal_part);
}

/* Of a million people, in no order. */
static uint64_t number_of(uint64_t i)
{
    return 12025000000 + hash_mix(i) % 1000000;
}

static uint64_t begin_ms = 1760000000000;
static bool some_opt_out;

static void append_opt_out(struct ledger *ledger, uint64_t i)
{
    uint32_t everything = 0;
    Assent__V1__Event event = ASSENT__V1__EVENT__INIT;
    Assent__V1__Personal personal = ASSENT__V1__PERSONAL__INIT;
    Assent__V1__OptedOut body = ASSENT__V1__OPTED_OUT__INIT;
    event.wall_ms = begin_ms + i / 100;
    personal.number = number_of(i);
    personal.text = (char *)"STOP";
    body.scopes = &everything;
    body.n_scopes = 1;
    body.source = ASSENT__V1__CONSENT_SOURCE__REPLY;
    body.rule = (char *)"keyword/stop@1";
    event.body_case = ASSENT__V1__EVENT__BODY_OPTED_OUT;
    event.opted_out = &body;
    append(ledger, &event, &personal);
}

/* Accepted, attempt, sent, delivered. */
static void append_message(struct ledger *ledger, uint64_t i)
{
    char reference[32], carrier_id[32];
    Assent__V1__Event event = ASSENT__V1__EVENT__INIT;
    Assent__V1__Personal personal = ASSENT__V1__PERSONAL__INIT;
    Assent__V1__Accepted accepted = ASSENT__V1__ACCEPTED__INIT;
    Assent__V1__Attempt attempt = ASSENT__V1__ATTEMPT__INIT;
    Assent__V1__Sent sent = ASSENT__V1__SENT__INIT;
    Assent__V1__Receipt receipt = ASSENT__V1__RECEIPT__INIT;
    snprintf(reference, sizeof reference, "order-%08llu", (unsigned long long)i);
    snprintf(carrier_id, sizeof carrier_id, "%016llx", (unsigned long long)hash_mix(i));
    event.wall_ms = begin_ms + i / 100;
    event.program = 4711;
    personal.number = number_of(i);
    personal.text = (char *)text_of(i);
    personal.reference = reference;
    accepted.class_ = 3;
    accepted.client = (char *)"shop";
    accepted.sender = (char *)"12025550100";
    accepted.carrier = (char *)"alpha";
    accepted.campaign = (char *)"spring";
    accepted.parts = 1;
    accepted.expires_wall_ms = event.wall_ms + 3600000;
    accepted.reference_hash = hash_mix(i);
    event.body_case = ASSENT__V1__EVENT__BODY_ACCEPTED;
    event.accepted = &accepted;
    event.message = append(ledger, &event, &personal);
    attempt.carrier = (char *)"alpha";
    attempt.number = 1;
    event.body_case = ASSENT__V1__EVENT__BODY_ATTEMPT;
    event.attempt = &attempt;
    append(ledger, &event, NULL);
    sent.part = 1;
    sent.carrier_message_id = carrier_id;
    sent.verdict_wall_ms = event.wall_ms;
    sent.carrier = (char *)"alpha";
    sent.gates = 0x155555;
    event.body_case = ASSENT__V1__EVENT__BODY_SENT;
    event.sent = &sent;
    append(ledger, &event, NULL);
    receipt.part = 1;
    receipt.state = ASSENT__V1__RECEIPT_STATE__RECEIPT_DELIVERED;
    receipt.error_code = (char *)"000";
    receipt.carrier = (char *)"alpha";
    receipt.carrier_message_id = carrier_id;
    receipt.outcome = ASSENT__V1__OUTCOME__DELIVERED;
    event.body_case = ASSENT__V1__EVENT__BODY_RECEIPT;
    event.receipt = &receipt;
    append(ledger, &event, NULL);
}

static void wait_for(struct ledger *ledger)
{
    struct pollfd woken = {.fd = ledger_wake_fd(ledger), .events = POLLIN};
    ledger_flush(ledger);
    poll(&woken, 1, 1000);
    ledger_acknowledge(ledger);
    CHECK(!ledger_failed(ledger));
}

static double append_all(const char *directory, uint64_t messages)
{
    struct ledger *ledger;
    struct note_signer *signer;
    const char *why = "";
    if (ledger_open(directory, &ledger, &why) != ERR_OK ||
        signing_key_open(directory, "bench", ledger, &signer, &why) != ERR_OK) {
        fprintf(stderr, "ledger-bench: %s\n", why);
        exit(1);
    }
    uint64_t first = ledger_next(ledger), begin_us = clock_mono_us();
    for (uint64_t i = 0; i < messages; i++) {
        if (i % (TURN / 4) == 0) {
            ledger_flush(ledger);
            while (ledger_room(ledger) < LEDGER_BATCH_OCTETS / 2)
                wait_for(ledger);
        }
        append_message(ledger, i);
        if (some_opt_out && i % 50 == 0)
            append_opt_out(ledger, i);
    }
    while (ledger_durable(ledger) + 1 < ledger_next(ledger))
        wait_for(ledger);
    uint64_t took_us = clock_mono_us() - begin_us;
    double rate = (double)(ledger_next(ledger) - first) * US_PER_S / (double)took_us;
    ledger_close(ledger);
    note_signer_free(signer);
    return rate;
}

static void complain(void *context, const char *sentence)
{
    (void)context;
    fprintf(stderr, "ledger-bench: %s\n", sentence);
    exit(1);
}

static void no_progress(void *context, uint64_t octets, uint64_t octets_all)
{
    (void)context, (void)octets, (void)octets_all;
}

static double core_us(void)
{
    struct timespec spent;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &spent);
    return (double)spent.tv_sec * 1e6 + (double)spent.tv_nsec / 1e3;
}

static double verify(const char *directory, struct verify_report *report)
{
    const struct verify_order order = {
        .directory = directory, .finding = complain, .progress = no_progress};
    const char *why = "";
    double begin_us = core_us();
    if (ledger_verify(&order, report, &why) != ERR_OK)
        complain(NULL, why);
    return core_us() - begin_us;
}

/* As many blocks in as many calls. */
static double bare_sha256(const struct verify_report *report)
{
    static uint8_t octets[1 << 20];
    const size_t unused = SHA256_BLOCK / 2; /* of the last block: the end of the message, too */
    struct digest digest = {{0}};
    uint64_t at = 0, done = 0;
    double begin_us = core_us();
    for (uint64_t i = 1; i <= report->hashes; i++) {
        uint64_t until = (uint64_t)((unsigned __int128)report->blocks * i / report->hashes);
        size_t size = (size_t)(until - done) * SHA256_BLOCK - unused;
        done = until;
        at = at + size < sizeof octets ? at : 0;
        octets[at] ^= digest.octets[0];
        digest = sha256(span_of(octets + at, size));
        at += size;
    }
    return core_us() - begin_us;
}

/* By this core's time. */
struct sealing {
    uint64_t segments, octets;
    double us;
};

static struct sealing seal(const char *directory)
{
    struct sealing sealing = {0};
    uint64_t *numbers;
    size_t count;
    char name[FILE_NAME_SIZE];
    struct stat status;
    double begin_us = core_us();
    if (daemon_seal_all(directory, NULL, NULL) != 0)
        complain(NULL, "cannot be sealed");
    sealing.us = core_us() - begin_us;
    int folder = folder_open(directory, "ledger", false);
    CHECK(folder >= 0 && folder_list(folder, SEALED_SUFFIX, &numbers, &count));
    for (size_t i = 0; i < count; i++) {
        CHECK(fstatat(folder, file_name(name, numbers[i], SEALED_SUFFIX), &status, 0) == 0);
        sealing.octets += (uint64_t)status.st_size;
    }
    sealing.segments = count;
    free(numbers);
    close(folder);
    return sealing;
}

static void measure_rest(const char *directory, uint64_t messages)
{
    struct verify_report report;
    double verified_us = verify(directory, &report), bare_us = bare_sha256(&report);
    struct sealing sealing = seal(directory);
    double sealed = (double)sealing.segments * LEDGER_SEGMENT_RECORDS;
    printf(" octets-a-message %.1f verify %.1f verify-share %.3f records %llu seal %.0f "
           "sealed-octets-a-message %.1f sealed-segments %llu",
           (double)report.octets / (double)messages, (double)report.octets / verified_us,
           bare_us / verified_us, (unsigned long long)report.records,
           sealed > 0 ? sealed * 1e6 / sealing.us : 0,
           sealed > 0 ? (double)sealing.octets / (sealed / RECORDS_A_MESSAGE) : 0,
           (unsigned long long)sealing.segments);
}

int main(int argc, char **argv)
{
    uint64_t messages = argc >= 3 ? strtoull(argv[2], NULL, 10) : 0;
    bool append_only = argc >= 4 && argc <= 5 && strcmp(argv[3], "append") == 0;
    if (messages == 0 || (argc != 3 && !append_only)) {
        fprintf(stderr, "usage: ledger-bench DIRECTORY MESSAGES [append [DAYS]]\n");
        return 2;
    }
    if (argc == 5) {
        begin_ms = clock_wall_ms() - strtoull(argv[4], NULL, 10) * 24 * 3600 * 1000;
        some_opt_out = true;
    }
    printf("append %.0f", append_all(argv[1], messages));
    if (!append_only)
        measure_rest(argv[1], messages);
    printf(" number %llu\n", (unsigned long long)number_of(1));
    return 0;
}
