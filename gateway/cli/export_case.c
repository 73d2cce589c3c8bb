/* SPDX-License-Identifier: Apache-2.0 */
/* Two passes over the records that the newest checkpoint covers: the first finds what concerns the person and what
 * those records lean on (names of scopes, imports, keys); the second writes each with its proof. The same
 * ledger and checkpoint give the same octets: times in the archive are the last record's. */
#include "gateway/cli/export_case.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>
#include <zip.h>

#include "consent/ledger_checkpoint.h"
#include "consent/standing.h"
#include "gateway/cli/case_page.h"
#include "gateway/cli/cli.h"
#include "gateway/cli/event_text.h"
#include "gateway/cli/json.h"
#include "gateway/cli/ledger_pass.h"
#include "gateway/cli/print.h"
#include "gateway/cli/proof_json.h"
#include "proto/base/check.h"
#include "proto/base/limits.h"
#include "proto/base/table.h"

#define PROGRESS_EACH 4096
#define KEYS_MAX      64 /* that the ledger has been signed with; the newest count */

extern const unsigned char data_verifier[];
extern const size_t data_verifier_length;

enum part { PART_PAGE, PART_README, PART_RECORDS, PART_CONSENT, PART_PROOFS, PARTS };
static const char *const part_names[PARTS] = {"index.html", "README.txt", "records.jsonl",
                                              "consent.jsonl", "proofs.jsonl"};

struct case_file {
    const char *directory;
    uint64_t number;
    char note[NOTE_SIZE];
    size_t note_length;
    struct checkpoint checkpoint;
    struct note_key keys[KEYS_MAX], *key; /* `key` has signed the checkpoint */
    unsigned key_count;
    struct table messages;            /* the person's: ids -> 1 */
    struct table wanted;              /* sequence numbers -> 1 */
    uint64_t named_by[SCOPE_MAX + 1]; /* the record that names a scope */
    struct arena arena;
    struct ledger_filter *filter;
    struct ledger_nodes *nodes;
    struct case_page *page;
    FILE *parts[PARTS]; /* without names, so that nothing of the person is left behind */
    struct progress progress;
    uint64_t read, records, last_ms;
};

/* Finding -------------------------------------------------------------------------------------- */

static void show_progress(struct case_file *c, uint64_t sequence)
{
    if (++c->read % PROGRESS_EACH == 0)
        progress_show(&c->progress, sequence, c->checkpoint.size, c->wanted.count);
}

static void want(struct case_file *c, uint64_t sequence)
{
    if (sequence != 0 && sequence <= c->checkpoint.size)
        *table_put(&c->wanted, sequence) = 1;
}

static void want_scope(struct case_file *c, uint32_t scope)
{
    if (scope <= SCOPE_MAX)
        want(c, c->named_by[scope]);
}

/* What the record names, that an auditor needs to read it. */
static void want_context(struct case_file *c, const Assent__V1__Event *event)
{
    want_scope(c, event->program);
    if (event->body_case == ASSENT__V1__EVENT__BODY_OPT_IN_RECORDED) {
        want(c, event->opt_in_recorded->import);
    } else if (event->body_case == ASSENT__V1__EVENT__BODY_OPTED_OUT) {
        want(c, event->opted_out->import);
        for (size_t i = 0; i < event->opted_out->n_scopes; i++)
            want_scope(c, event->opted_out->scopes[i]);
    }
}

static void learn_key(struct case_file *c, const Assent__V1__SigningKey *signing)
{
    if (signing->public_key.len != NOTE_PUBLIC_KEY_SIZE)
        return;
    struct note_key *key = &c->keys[c->key_count++ % KEYS_MAX];
    snprintf(key->name, sizeof key->name, "%s", c->checkpoint.origin);
    memcpy(key->public_key, signing->public_key.data, NOTE_PUBLIC_KEY_SIZE);
}

static bool is_theirs(struct case_file *c, const Assent__V1__Event *event,
                      const Assent__V1__Personal *personal)
{
    return (event->message != 0 && table_find(&c->messages, event->message) != NULL) ||
           (personal != NULL && personal->number == c->number);
}

static bool find_record(void *context, const struct ledger_record *record)
{
    struct case_file *c = context;
    Assent__V1__Personal *personal;
    const Assent__V1__Event *event = record_unpack(&c->arena, record, &personal);
    show_progress(c, record->sequence);
    if (event == NULL)
        return true;
    if (event->body_case == ASSENT__V1__EVENT__BODY_SIGNING_KEY) {
        learn_key(c, event->signing_key);
        want(c, record->sequence);
    }
    if (event->body_case == ASSENT__V1__EVENT__BODY_RECORDS_CUT) /* why texts may be missing */
        want(c, record->sequence);
    if (event->body_case == ASSENT__V1__EVENT__BODY_SCOPE_REGISTERED &&
        event->scope_registered->number <= SCOPE_MAX)
        c->named_by[event->scope_registered->number] = record->sequence;
    if (!is_theirs(c, event, personal))
        return true;
    want(c, record->sequence);
    want_context(c, event);
    c->records++;
    if (event->body_case == ASSENT__V1__EVENT__BODY_ACCEPTED) {
        *table_put(&c->messages, record->sequence) = 1;
        ledger_filter_message(c->filter, record->sequence);
    }
    return true;
}

/* Writing -------------------------------------------------------------------------------------- */

static bool write_record(void *context, const struct ledger_record *record)
{
    struct case_file *c = context;
    show_progress(c, record->sequence);
    if (table_find(&c->wanted, record->sequence) == NULL)
        return true;
    Assent__V1__Personal *personal;
    const Assent__V1__Event *event = record_unpack(&c->arena, record, &personal);
    CHECK(event != NULL); /* only what was understood is wanted */
    json_t *proof =
        inclusion_json(c->nodes, record, span_of(c->note, c->note_length), &c->checkpoint, true);
    if (proof == NULL)
        return false;
    event_learn(event);
    json_line(proof, c->parts[PART_PROOFS]);
    json_line(event_json(record->sequence, event, personal), c->parts[PART_RECORDS]);
    if (event_tells_consent(event))
        json_line(event_json(record->sequence, event, personal), c->parts[PART_CONSENT]);
    case_page_add(c->page, record->sequence, event, personal);
    c->last_ms = event->wall_ms;
    return true;
}

/* What may be wanted: the person's, and what their records lean on. */
static struct ledger_filter *filter_of(const struct case_file *c)
{
    struct ledger_filter *filter = ledger_filter_new();
    ledger_filter_number(filter, c->number);
    ledger_filter_event(filter, ASSENT__V1__EVENT__BODY_SCOPE_REGISTERED);
    ledger_filter_event(filter, ASSENT__V1__EVENT__BODY_SIGNING_KEY);
    ledger_filter_event(filter, ASSENT__V1__EVENT__BODY_IMPORT_BEGUN);
    ledger_filter_event(filter, ASSENT__V1__EVENT__BODY_RECORDS_CUT);
    return filter;
}

static bool read_pass(struct case_file *c, const char *verb, bool progress,
                      bool (*take)(void *context, const struct ledger_record *record))
{
    progress_init(&c->progress, verb, progress);
    bool good = ledger_pass(&(struct ledger_pass){.directory = c->directory,
                                                  .until = c->checkpoint.size + 1,
                                                  .filter = c->filter,
                                                  .each = take,
                                                  .context = c});
    progress_end(&c->progress, c->checkpoint.size, c->checkpoint.size, c->wanted.count);
    return good;
}

static void write_readme(const struct case_file *c, FILE *out)
{
    char key[NOTE_KEY_TEXT_SIZE];
    fprintf(out,
            "What an SMS gateway (Assent) has on record about +%" PRIu64 ".\n\n"
            "index.html     to read and to print\n"
            "records.jsonl  each record, a JSON object a line; octets are in hexadecimal\n"
            "consent.jsonl  those of them by which consent was asked, given, refused or ended\n"
            "proofs.jsonl   for each record the proof that it is in the signed ledger, unchanged\n"
            "checkpoint.note  the signed head of the ledger (C2SP tlog-checkpoint)\n"
            "key.txt        the public key that signed it\n"
            "verify.py      checks the proofs; needs Python 3 and the openssl command\n\n"
            "To check, in the folder where this was unpacked:\n\n"
            "    python3 verify.py --key %s proofs.jsonl\n\n"
            "It prints a line a record. The key is what must be trusted: compare it with the one "
            "that the\n"
            "gateway's owner gave you, or published, before you asked. A record that was changed, "
            "or that\n"
            "was never in the ledger, does not hold. That no record was left out of this file, the "
            "owner\n"
            "says; `assent verify` over the whole ledger and a checkpoint kept by a witness show "
            "that none was\n"
            "taken out of the ledger.\n",
            c->number, note_key_text(c->key, key));
}

/* The archive ---------------------------------------------------------------------------------- */

static bool add_source(zip_t *archive, const char *name, zip_source_t *source, time_t time)
{
    zip_int64_t index = source ? zip_file_add(archive, name, source, ZIP_FL_ENC_UTF_8) : -1;
    if (index < 0) {
        zip_source_free(source);
        return false;
    }
    return zip_file_set_mtime(archive, (zip_uint64_t)index, time, 0) == 0 &&
           zip_file_set_external_attributes(archive, (zip_uint64_t)index, 0, ZIP_OPSYS_UNIX,
                                            (zip_uint32_t)(S_IFREG | 0600) << 16) == 0;
}

static bool add_parts(struct case_file *c, zip_t *archive)
{
    static char key[NOTE_KEY_TEXT_SIZE + 1]; /* the archive reads it when it is closed */
    time_t time = (time_t)(c->last_ms / 1000);
    size_t length = strlen(note_key_text(c->key, key));
    key[length++] = '\n';
    for (int i = 0; i < PARTS; i++) {
        if (fflush(c->parts[i]) != 0 || ferror(c->parts[i]))
            return false;
        rewind(c->parts[i]); /* from where it stands it is read */
        zip_source_t *source = zip_source_filep(archive, c->parts[i], 0, -1);
        if (source != NULL)
            c->parts[i] = NULL; /* the archive closes it */
        if (!add_source(archive, part_names[i], source, time))
            return false;
    }
    return add_source(archive, "checkpoint.note",
                      zip_source_buffer(archive, c->note, c->note_length, 0), time) &&
           add_source(archive, "key.txt", zip_source_buffer(archive, key, length, 0), time) &&
           add_source(archive, "verify.py",
                      zip_source_buffer(archive, data_verifier, data_verifier_length, 0), time);
}

static bool write_archive(struct case_file *c, const char *path)
{
    int error;
    setenv("TZ", "UTC", 1); /* times in an archive are local ones */
    tzset();
    umask(077);
    zip_t *archive = zip_open(path, ZIP_CREATE | ZIP_EXCL, &error);
    if (archive == NULL) {
        zip_error_t words;
        zip_error_init_with_code(&words, error);
        complain("%s: %s", path,
                 error == ZIP_ER_EXISTS ? "is there already; nothing is overwritten"
                                        : zip_error_strerror(&words));
        zip_error_fini(&words);
        return false;
    }
    bool good = add_parts(c, archive);
    if (good)
        good = zip_close(archive) == 0;
    if (!good) {
        complain("%s: %s", path, zip_strerror(archive));
        zip_discard(archive);
    }
    return good;
}

/* All together --------------------------------------------------------------------------------- */

static bool open_checkpoint(struct case_file *c)
{
    const char *why = "";
    if (checkpoint_newest(c->directory, c->note, &c->note_length, &c->checkpoint) != ERR_OK) {
        complain("%s has no checkpoint yet: assentd makes one a second while records come",
                 c->directory);
        return false;
    }
    if (ledger_nodes_open(c->directory, &c->nodes, &why) != ERR_OK) {
        complain("%s", why);
        return false;
    }
    return checkpoint_matches(c->nodes, &c->checkpoint);
}

static bool find_key(struct case_file *c)
{
    unsigned count = c->key_count < KEYS_MAX ? c->key_count : KEYS_MAX;
    for (unsigned i = 0; i < count; i++)
        if (note_is_signed(span_of(c->note, c->note_length), &c->keys[i]))
            c->key = &c->keys[i];
    if (c->key == NULL)
        complain("the newest checkpoint is signed by no key that the ledger names: assent verify "
                 "says more");
    return c->key != NULL;
}

static bool open_parts(struct case_file *c)
{
    for (int i = 0; i < PARTS; i++)
        if ((c->parts[i] = tmpfile()) == NULL) {
            complain("no temporary file can be made: %s", strerror(errno));
            return false;
        }
    return true;
}

static bool make_case(struct case_file *c, const char *path, bool progress)
{
    if (!open_checkpoint(c) || !read_pass(c, "looking", progress, find_record))
        return false;
    if (c->records == 0) {
        complain("the ledger knows nothing of this number");
        return false;
    }
    if (!find_key(c) || !open_parts(c) || !read_pass(c, "proving", progress, write_record))
        return false;
    write_readme(c, c->parts[PART_README]);
    return case_page_write(c->page, &c->checkpoint, c->key, c->parts[PART_PAGE]) &&
           write_archive(c, path);
}

int export_case(const char *directory, uint64_t number, const char *path, bool progress)
{
    char count[COUNT_TEXT_SIZE];
    struct case_file *c = check_calloc(1, sizeof *c);
    c->directory = directory;
    c->number = number;
    c->page = case_page_new(number);
    c->filter = filter_of(c);
    arena_init(&c->arena, RECORD_ARENA_MAX);
    table_init(&c->messages);
    table_init(&c->wanted);
    bool good = make_case(c, path, progress);
    if (good)
        fprintf(stderr, "%s records with their proofs in %s\n", count_text(c->wanted.count, count),
                path);
    for (int i = 0; i < PARTS; i++)
        if (c->parts[i] != NULL)
            fclose(c->parts[i]);
    case_page_free(c->page);
    if (c->nodes != NULL)
        ledger_nodes_free(c->nodes);
    ledger_filter_free(c->filter);
    table_release(&c->wanted);
    table_release(&c->messages);
    arena_release(&c->arena);
    free(c);
    return good ? EXIT_DONE : EXIT_REFUSED;
}
