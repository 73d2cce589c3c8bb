/* SPDX-License-Identifier: Apache-2.0 */
#include "consent/ledger_erase.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "consent/ledger.h"
#include "consent/ledger_file.h"
#include "consent/ledger_scan.h"
#include "consent/ledger_seal.h"
#include "consent/ledger_segment.h"
#include "consent/projection.h"
#include "consent/record_peek.h"
#include "proto/base/check.h"
#include "proto/base/table.h"
#include "proto/event.pb-c.h"

#define PROGRESS_RECORDS 65536

/* ---- finding ---- */

/* Where their fingerprint went on to deny after an erasure before: this one says anew whether it does. The START that
 * may have lifted it goes too, and a Redis that comes back empty would be told of it again. */
static bool is_place_of(const struct person_mark *person, const struct record_peek *peek)
{
    struct person_mark mark;
    if (peek->body != ASSENT__V1__EVENT__BODY_ERASED_RECORDS)
        return false;
    Assent__V1__ErasedRecords *body =
        assent__v1__erased_records__unpack(NULL, peek->octets.length, peek->octets.data);
    bool theirs = body != NULL && person_mark_read(body->person.data, body->person.len, &mark) &&
                  person_mark_equal(&mark, person);
    if (body != NULL)
        assent__v1__erased_records__free_unpacked(body, NULL);
    return theirs;
}

/* A message's later records name its id: where one of them has a personal part, it is the person's too. */
static bool is_about(const struct erase_search *search, struct table *messages,
                     const struct ledger_record *record)
{
    struct record_peek peek;
    uint64_t number = peek_number(record->personal_part);
    bool is_theirs = number != 0 && person_is(&search->reach.person, number);
    if (!record_peek(record->public_part, &peek))
        return is_theirs;
    if (peek.message != 0 && table_find(messages, peek.message) != NULL)
        return true;
    if (peek.wall_ms > search->reach.until_wall_ms ||
        (record->sequence >= search->reach.consent_until && body_is_consent(peek.body)))
        return false;
    if (is_theirs && peek.body == ASSENT__V1__EVENT__BODY_ACCEPTED)
        *table_put(messages, record->sequence) = 1;
    return is_theirs || is_place_of(&search->reach.person, &peek);
}

/* The oldest record that is kept. */
static enum err first_record(const char *directory, uint64_t *ret_first, const char **ret_why)
{
    uint64_t *numbers = NULL;
    size_t count = 0;
    int folder = folder_open(directory, "ledger", false);
    bool listed = folder >= 0 && segments_list(folder, &numbers, &count);
    if (!listed)
        *ret_why = ledger_why("%s/ledger cannot be listed: %s.", directory, strerror(errno));
    else
        *ret_first = count > 0 ? numbers[0] : 1;
    free(numbers);
    if (folder >= 0)
        close(folder);
    return listed ? ERR_OK : ERR_IO;
}

enum err ledger_erase_find(const struct erase_search *search, const char **ret_why)
{
    struct ledger_reader *reader;
    struct ledger_record record;
    struct table messages;
    uint64_t first = 1;
    enum err err = first_record(search->directory, &first, ret_why);
    if (err == ERR_OK)
        err = ledger_reader_open(search->directory, first, &reader, ret_why);
    if (err != ERR_OK)
        return err;
    table_init(&messages);
    while ((err = ledger_reader_next(reader, search->reach.until, &record)) == ERR_OK) {
        if (record.personal_part.length > 0 && is_about(search, &messages, &record) &&
            !search->found(search->context, record.sequence)) {
            err = ERR_IO;
            *ret_why = "what was found could not be kept.";
            break;
        }
        if (record.sequence % PROGRESS_RECORDS == 0)
            search->progress(search->context, record.sequence - first);
    }
    if (err != ERR_AGAIN && err != ERR_IO)
        *ret_why = ledger_why("%s", ledger_reader_why(reader));
    table_release(&messages);
    ledger_reader_free(reader);
    return err == ERR_AGAIN ? ERR_OK : err;
}

/* ---- destroying ---- */

/* Where a record stands that is to be destroyed. */
struct place {
    uint64_t mark; /* offset of its first octet, */
    uint64_t from; /* of its salt, personal part and their checksum, */
    size_t length; /* and their length; 0: it has no personal part */
};

struct segment_work {
    int fd;
    struct place *places;
    size_t count;
    uint64_t destroyed;
};

static enum err cannot(const char *what, const char *name, const char **ret_why)
{
    *ret_why = ledger_why("ledger/%s %s: %s.", name, what, strerror(errno));
    return ERR_IO;
}

static void note_place(struct segment_work *work, uint64_t offset, const struct record *record)
{
    size_t kept = RECORD_HEAD + record->public_part.length + DIGEST_SIZE;
    work->places[work->count++] =
        (struct place){.mark = offset,
                       .from = offset + kept,
                       .length = record->commitment.length > 0 ? record->size - kept : 0};
    work->destroyed += record->commitment.length > 0 && !record->erased;
}

static enum err find_places(struct segment_work *work, struct ledger_file *file, uint64_t first,
                            const uint64_t *records, size_t count, const char **ret_why)
{
    struct ledger_scan scan;
    struct record record;
    enum scan_result result = SCAN_RECORD;
    scan_init(&scan);
    scan_start(&scan, file, first);
    for (size_t i = 0; i < count && result == SCAN_RECORD;) {
        uint64_t offset = scan.offset, sequence = scan.sequence;
        result = scan_next(&scan, &record);
        if (result == SCAN_RECORD && sequence == records[i]) {
            note_place(work, offset, &record);
            i++;
        }
    }
    scan_release(&scan);
    if (result == SCAN_ERROR)
        return cannot("cannot be read", file->name, ret_why);
    if (result == SCAN_RECORD)
        return ERR_OK;
    *ret_why =
        ledger_why("ledger/%s ends before record %" PRIu64 ".", file->name, records[work->count]);
    return ERR_CORRUPT;
}

static enum err write_marks(const struct segment_work *work)
{
    static const uint8_t mark = RECORD_ERASED;
    enum err err = ERR_OK;
    for (size_t i = 0; i < work->count && err == ERR_OK; i++)
        if (work->places[i].length > 0)
            err = write_at(work->fd, span_of(&mark, 1), work->places[i].mark);
    return err == ERR_OK ? sync_data(work->fd) : err;
}

static enum err write_zeros(const struct segment_work *work)
{
    static const uint8_t zeros[RECORD_SIZE_MAX];
    enum err err = ERR_OK;
    for (size_t i = 0; i < work->count && err == ERR_OK; i++)
        if (work->places[i].length > 0)
            err = write_at(work->fd, span_of(zeros, work->places[i].length), work->places[i].from);
    return err == ERR_OK ? sync_data(work->fd) : err;
}

/* Where they stand. */
static enum err erase_in_raw(int folder, struct ledger_file *file, uint64_t first,
                             const uint64_t *records, size_t count, uint64_t *destroyed,
                             const char **ret_why)
{
    struct segment_work work = {.places = check_calloc(count, sizeof *work.places)};
    enum err err = ERR_OK;
    work.fd = ledger_io.open(folder, file->name, O_RDWR | O_CLOEXEC, 0);
    if (work.fd < 0)
        err = cannot("cannot be opened", file->name, ret_why);
    else
        err = find_places(&work, file, first, records, count, ret_why);
    if (err == ERR_OK && (write_marks(&work) != ERR_OK || write_zeros(&work) != ERR_OK))
        err = cannot("cannot be written to", file->name, ret_why);
    if (err == ERR_OK)
        *destroyed += work.destroyed;
    if (work.fd >= 0)
        close(work.fd);
    free(work.places);
    return err;
}

/* Those that are to go, in order. */
struct wanted {
    const uint64_t *records;
    size_t count, at;
    uint64_t destroyed;
};

static bool is_wanted(void *context, uint64_t sequence, const struct record *record)
{
    struct wanted *wanted = context;
    (void)record;
    while (wanted->at < wanted->count && wanted->records[wanted->at] < sequence)
        wanted->at++;
    bool found = wanted->at < wanted->count && wanted->records[wanted->at] == sequence;
    wanted->destroyed += found;
    return found;
}

static enum err erase_in_sealed(int folder, uint64_t first, const uint64_t *records, size_t count,
                                uint64_t *destroyed, const char **ret_why)
{
    struct wanted wanted = {.records = records, .count = count};
    struct segment_filter filter = {.destroys = is_wanted, .context = &wanted};
    enum err err = segment_store(folder, first, &filter, ret_why);
    if (err == ERR_OK)
        *destroyed += wanted.destroyed;
    return err;
}

/* Nobody seals it meanwhile. */
static enum err erase_in_segment(int folder, uint64_t first, const uint64_t *records, size_t count,
                                 uint64_t *destroyed, const char **ret_why)
{
    struct ledger_file file;
    int lock = segments_lock(folder);
    if (lock < 0) {
        *ret_why = ledger_why("ledger/ cannot be locked: %s.", strerror(errno));
        return ERR_IO;
    }
    enum err err = ledger_file_open(folder, first, &file);
    if (err != ERR_OK) {
        *ret_why = ledger_why("ledger/%s cannot be opened: %s.", file.name,
                              err == ERR_NOT_FOUND ? "it is not there" : strerror(errno));
    } else {
        err = file.sealed != NULL
                  ? erase_in_sealed(folder, first, records, count, destroyed, ret_why)
                  : erase_in_raw(folder, &file, first, records, count, destroyed, ret_why);
        ledger_file_close(&file);
    }
    segments_unlock(lock);
    return err;
}

enum err ledger_erase(const char *directory, const uint64_t *records, size_t count,
                      uint64_t *ret_destroyed, const char **ret_why)
{
    uint64_t destroyed = 0;
    enum err err = ERR_OK;
    int folder = folder_open(directory, "ledger", false);
    if (folder < 0) {
        *ret_why = ledger_why("%s/ledger cannot be opened: %s.", directory, strerror(errno));
        return ERR_IO;
    }
    if (segments_settle(folder) != ERR_OK) {
        *ret_why = "what a crash has left in ledger/ cannot be removed.";
        err = ERR_IO;
    }
    for (size_t from = 0, to; from < count && err == ERR_OK; from = to) {
        uint64_t first = segment_first_of(records[from]);
        for (to = from + 1; to < count && segment_first_of(records[to]) == first;)
            to++;
        err = erase_in_segment(folder, first, records + from, to - from, &destroyed, ret_why);
    }
    close(folder);
    if (err == ERR_OK)
        *ret_destroyed = destroyed;
    return err;
}
