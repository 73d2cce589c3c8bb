/* SPDX-License-Identifier: Apache-2.0 */
/* usage: power-recover REFERENCE DATA-DIR...
 *
 * Opens what a power loss has left as assentd does, and holds it against the whole ledger of the run it comes from.
 * A line for each DATA-DIR: "ok RECORDS SNAPSHOT KEY,KEY,..." (the highest sequence number; the first one that is not
 * in the newest snapshot, 0 without one; ids of the keys of texts), or "bad WHY". */
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "consent/ledger.h"
#include "consent/ledger_verify.h"
#include "consent/secret_keys.h"
#include "gateway/signing_key.h"
#include "proto/base/limits.h"

static bool __attribute__((format(printf, 1, 2))) bad(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    printf("bad ");
    vprintf(format, arguments);
    printf("\n");
    va_end(arguments);
    return false;
}

/* A part that is there must be the same one; an erasure may have destroyed it in either. */
static bool same(const struct ledger_record *a, const struct ledger_record *b)
{
    return a->sequence == b->sequence && span_equal(a->public_part, b->public_part) &&
           span_equal(a->commitment, b->commitment) &&
           (a->personal_part.length == 0 || b->personal_part.length == 0 ||
            span_equal(a->personal_part, b->personal_part));
}

static bool compare(struct ledger_reader *left, struct ledger_reader *whole, uint64_t next)
{
    struct ledger_record record, reference;
    for (uint64_t sequence = 1; sequence < next; sequence++) {
        if (ledger_reader_next(left, next, &record) != ERR_OK)
            return bad("record %" PRIu64 " cannot be read: %s", sequence, ledger_reader_why(left));
        if (ledger_reader_next(whole, UINT64_MAX, &reference) != ERR_OK ||
            !same(&record, &reference))
            return bad("record %" PRIu64 " is not the one that was written", sequence);
    }
    return true;
}

static bool is_beginning_of(const char *directory, const char *whole, uint64_t next)
{
    struct ledger_reader *left, *right;
    const char *why = "";
    if (ledger_reader_open(directory, 1, &left, &why) != ERR_OK)
        return bad("no reader: %s", why);
    bool good = ledger_reader_open(whole, 1, &right, &why) == ERR_OK;
    if (good) {
        good = compare(left, right, next);
        ledger_reader_free(right);
    } else {
        bad("no reader of the whole: %s", why);
    }
    ledger_reader_free(left);
    return good;
}

static void tell(void *context, const char *sentence)
{
    bool *good = context;
    if (*good) /* the first will do */
        *good = bad("verify: %s", sentence);
}

static void no_progress(void *context, uint64_t octets, uint64_t octets_all)
{
    (void)context, (void)octets, (void)octets_all;
}

static bool verifies(const char *directory)
{
    bool good = true;
    const char *why = "";
    struct verify_report report;
    const struct verify_order order = {
        .directory = directory, .finding = tell, .progress = no_progress, .context = &good};
    if (ledger_verify(&order, &report, &why) != ERR_OK)
        return bad("verify: %s", why);
    return good;
}

/* A snapshot never knows more than the ledger. */
static bool look_at_snapshot(const char *directory, uint64_t next, uint64_t *ret_sequence)
{
    struct ledger_reader *reader;
    struct ledger_record record;
    enum err err = snapshot_open(directory, &reader, ret_sequence);
    if (err == ERR_NOT_FOUND) {
        *ret_sequence = 0;
        return true;
    }
    if (err != ERR_OK)
        return bad("snapshot: %s", err_name(err));
    do
        err = ledger_reader_next(reader, UINT64_MAX, &record);
    while (err == ERR_OK);
    ledger_reader_free(reader);
    if (err != ERR_AGAIN || *ret_sequence > next)
        return bad("the snapshot of %" PRIu64 " is %s, and the next record is %" PRIu64,
                   *ret_sequence, err_name(err), next);
    return true;
}

struct ids {
    uint32_t id[SECRET_KEYS_MAX];
    unsigned count;
};

static void note_id(void *context, uint32_t id, const uint8_t key[SECRET_KEY_SIZE])
{
    struct ids *ids = context;
    (void)key;
    ids->id[ids->count++] = id;
}

static bool look_at_keys(const char *directory, struct ids *ids)
{
    struct secret_keys *keys;
    const char *why = "";
    if (secret_keys_open(directory, &keys, &why) != ERR_OK)
        return bad("keys: %s", why);
    secret_keys_hand_over(keys, note_id, ids);
    secret_keys_free(keys);
    return true;
}

static bool goes_on(const char *directory, struct ledger *ledger, uint64_t next,
                    uint64_t *ret_snapshot, struct ids *ids)
{
    struct note_signer *signer = NULL;
    const char *why = "";
    bool good = look_at_snapshot(directory, next, ret_snapshot) && look_at_keys(directory, ids);
    if (good && signing_key_open(directory, "test", ledger, &signer, &why) != ERR_OK)
        good = bad("signing key: %s", why);
    if (good)
        ledger_append(ledger, span_from_string("the first record after the power came back"),
                      span_of(NULL, 0));
    ledger_close(ledger);
    note_signer_free(signer);
    return good;
}

static bool recover(const char *directory, const char *whole)
{
    struct ledger *ledger;
    const char *why = "";
    uint64_t snapshot = 0;
    struct ids ids = {0};
    if (ledger_open(directory, &ledger, &why) != ERR_OK)
        return bad("no ledger: %s", why);
    uint64_t next = ledger_next(ledger);
    if (!is_beginning_of(directory, whole, next)) {
        ledger_close(ledger);
        return false;
    }
    if (!goes_on(directory, ledger, next, &snapshot, &ids) || !verifies(directory))
        return false;
    printf("ok %" PRIu64 " %" PRIu64 " ", next - 1, snapshot);
    for (unsigned i = 0; i < ids.count; i++)
        printf("%s%" PRIu32, i > 0 ? "," : "", ids.id[i]);
    printf("\n");
    return true;
}

int main(int argc, char **argv)
{
    bool good = argc > 2;
    for (int i = 2; i < argc; i++) {
        good = recover(argv[i], argv[1]) && good;
        fflush(stdout);
    }
    return good ? 0 : 1;
}
