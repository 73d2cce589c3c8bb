/* SPDX-License-Identifier: Apache-2.0 */
/* One pass over the records, in order: each is checked by itself (checksum, commitment), each segment
 * against the root in its end, and at the size of each checkpoint the tree so far against its root. Then the
 * signatures, whose keys the records have named.
 *
 * A key is believed when it is the trusted one, or was named before it (what the trusted one has signed
 * covers that record), or when a checkpoint that covers the record which names it carries its signature and
 * that of the key before it; from there on the older one is not believed any more. */
#include "consent/ledger_verify.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "consent/ledger_checkpoint.h"
#include "consent/ledger_file.h"
#include "consent/ledger_contents.h"
#include "consent/ledger_scan.h"
#include "consent/ledger_segment.h"
#include "consent/record_peek.h"
#include "consent/verify_cuts.h"
#include "consent/verify_erasures.h"
#include "proto/base/check.h"
#include "proto/event.pb-c.h"

#define SENTENCE_SIZE    512
#define PROGRESS_RECORDS 8192
#define KEYS_MAX         1024 /* that a ledger names; one a day for years */

/* A checkpoint to be held against the records. */
struct point {
    struct checkpoint checkpoint;
    char note[NOTE_SIZE];
    size_t length;
    bool foreign; /* from elsewhere */
    bool agrees;
};

struct named_key {
    uint64_t sequence; /* of the record that names it */
    uint8_t public_key[NOTE_PUBLIC_KEY_SIZE];
};

struct verify {
    const struct verify_order *order;
    struct verify_report *report;
    int folder;
    uint64_t *numbers;
    size_t count;
    bool is_live;             /* a gateway writes */
    bool is_broken;           /* what follows cannot be joined to what was before it */
    struct contents contents; /* of a sealed segment that is being read */
    uint64_t octets_all, octets_before;
    struct tree whole; /* of all segments before the one that is being read */
    struct tree tree;  /* of this one */
    struct point *points;
    size_t point_count, next_point;
    struct erasures_seen erasures;
    struct cuts_seen cuts;
    uint64_t checkpointed; /* records that were, when this began */
    struct named_key *keys;
    size_t key_count;
};

static void __attribute__((format(printf, 2, 3))) find(struct verify *v, const char *format, ...)
{
    char sentence[SENTENCE_SIZE];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(sentence, sizeof sentence, format, arguments);
    va_end(arguments);
    v->report->findings++;
    v->order->finding(v->order->context, sentence);
}

/* Checkpoints --------------------------------------------------------------------------------- */

static struct point *add_point(struct verify *v)
{
    if ((v->point_count & (v->point_count - 1)) == 0)
        v->points =
            check_realloc(v->points, (v->point_count ? 2 * v->point_count : 1) * sizeof *v->points);
    struct point *point = &v->points[v->point_count++];
    *point = (struct point){0};
    return point;
}

static enum err load_points(struct verify *v)
{
    uint64_t *numbers = NULL;
    size_t count = 0;
    int folder = folder_open(v->order->directory, CHECKPOINT_FOLDER, false);
    if (folder < 0)
        return errno == ENOENT ? ERR_OK : ERR_IO;
    enum err err = folder_list(folder, CHECKPOINT_SUFFIX, &numbers, &count) ? ERR_OK : ERR_IO;
    for (size_t i = 0; i < count && err == ERR_OK; i++) {
        char name[FILE_NAME_SIZE];
        struct point *point = add_point(v);
        err = checkpoint_load(folder, numbers[i], point->note, &point->length, &point->checkpoint);
        if (err == ERR_OK)
            continue;
        v->point_count--;
        if (err == ERR_CORRUPT)
            find(v, "checkpoints/%s is no checkpoint: it was changed.",
                 file_name(name, numbers[i], CHECKPOINT_SUFFIX));
        if (err != ERR_IO)
            err = ERR_OK; /* or a gateway has just replaced it */
    }
    free(numbers);
    close(folder);
    return err;
}

/* False: what stands there is no checkpoint. */
static bool add_foreign_points(struct verify *v)
{
    struct span rest = v->order->notes;
    while (rest.length > 0 && rest.data[0] == '\n')
        rest = span_of(rest.data + 1, rest.length - 1);
    while (rest.length > 0) {
        struct point *point = add_point(v);
        point->foreign = true;
        if (checkpoint_read(rest, &point->checkpoint, &point->length) != ERR_OK)
            return false;
        memcpy(point->note, rest.data, point->length);
        rest = span_of(rest.data + point->length, rest.length - point->length);
        while (rest.length > 0 && rest.data[0] == '\n')
            rest = span_of(rest.data + 1, rest.length - 1);
    }
    return true;
}

static int by_size(const void *left, const void *right)
{
    const struct point *a = left, *b = right;
    return (a->checkpoint.size > b->checkpoint.size) - (a->checkpoint.size < b->checkpoint.size);
}

static uint64_t records_so_far(const struct verify *v)
{
    return v->whole.count + v->tree.count;
}

/* Holds the tree so far against all checkpoints of its size. */
static void meet_points(struct verify *v)
{
    for (; v->next_point < v->point_count; v->next_point++) {
        struct point *point = &v->points[v->next_point];
        if (point->checkpoint.size > records_so_far(v))
            return;
        if (point->checkpoint.size < records_so_far(v)) {
            v->report->inside += cuts_seen_has(&v->cuts, point->checkpoint.size);
            continue; /* or in a part that could not be read */
        }
        struct tree joined = v->whole;
        tree_add_tree(&joined, &v->tree);
        struct digest root = tree_root(&joined);
        point->agrees = memcmp(root.octets, point->checkpoint.root.octets, DIGEST_SIZE) == 0;
        if (!point->agrees)
            find(v,
                 "records 1 to %" PRIu64 " are not those that the checkpoint %scovers: some were "
                 "changed, left out, put in or put in another order.",
                 point->checkpoint.size, point->foreign ? "from elsewhere " : "");
    }
}

/* Records ------------------------------------------------------------------------------------- */

static void name_key(struct verify *v, uint64_t sequence, struct span public_part)
{
    struct span key = peek_signing_key(public_part);
    if (key.length != NOTE_PUBLIC_KEY_SIZE || v->key_count == KEYS_MAX)
        return;
    if (v->key_count > 0 && memcmp(v->keys[v->key_count - 1].public_key, key.data, key.length) == 0)
        return;
    struct named_key *named = &v->keys[v->key_count++];
    named->sequence = sequence;
    memcpy(named->public_key, key.data, key.length);
}

static void count_hashes(struct verify *v, uint64_t count, size_t octets)
{
    v->report->hashes += count;
    v->report->blocks += count * ((octets + SHA256_END + SHA256_BLOCK - 1) / SHA256_BLOCK);
}

static struct digest hash(struct verify *v, struct span octets)
{
    count_hashes(v, 1, octets.length);
    return sha256(octets);
}

static void check_record(struct verify *v, const struct ledger_file *file, uint64_t sequence,
                         const struct record *record)
{
    if (record->personal_part.length > 0) {
        struct digest digest = hash(v, span_of(record->personal_part.data - SALT_SIZE,
                                               record->personal_part.length + SALT_SIZE));
        if (memcmp(digest.octets, record->commitment.data, DIGEST_SIZE) == 0)
            v->report->personal++;
        else
            find(v, "the personal part of record %" PRIu64 " is not the one that was recorded.",
                 sequence);
    } else if (record->erased) {
        erasures_seen_destroyed(&v->erasures, sequence);
    }
    if (file->sealed != NULL)
        contents_add(&v->contents, record, sealed_block_of(file->sealed, (uint32_t)v->tree.count));
    uint32_t body = peek_early_body(record->public_part); /* of the kinds below, always */
    if (body == ASSENT__V1__EVENT__BODY_SIGNING_KEY)
        name_key(v, sequence, record->public_part);
    /* what ends meanwhile is left out */
    erasures_seen_record(&v->erasures, body, record->public_part,
                         !v->is_live || sequence <= v->checkpointed);
    if (body == ASSENT__V1__EVENT__BODY_RECORDS_CUT)
        cuts_seen_record(&v->cuts, sequence, record->public_part);
    struct digest leaf = hash(v, record->leaf);
    tree_add(&v->tree, &leaf);
    count_hashes(v, 1, TREE_NODE_OCTETS); /* a node above it, of all but one */
    v->report->records++;
}

static void check_gap(struct verify *v, const struct gap *gap)
{
    cuts_seen_gap(&v->cuts, gap);
    tree_add_gap(&v->tree, gap);
    count_hashes(v, gap->node_count, TREE_NODE_OCTETS);
}

static void show_progress(struct verify *v, const struct ledger_scan *scan)
{
    v->order->progress(v->order->context, v->octets_before + scan->offset, v->octets_all);
}

/* Zeros from `offset` to the end of the file. */
static bool only_zeros(struct ledger_file *file, uint64_t offset)
{
    uint8_t octets[16384];
    ssize_t n;
    while ((n = ledger_file_read(file, octets, sizeof octets, offset)) > 0) {
        if (octets[0] != 0 || memcmp(octets, octets + 1, (size_t)n - 1) != 0)
            return false;
        offset += (uint64_t)n;
    }
    return n == 0;
}

static void check_end(struct verify *v, struct ledger_file *file, uint64_t offset)
{
    uint8_t octets[FILE_END];
    struct file_end end;
    ssize_t n = ledger_file_read(file, octets, sizeof octets, offset);
    struct digest root = tree_root(&v->tree);
    if (n != FILE_END || file_end_decode(span_of(octets, FILE_END), &end) != ERR_OK ||
        end.records != LEDGER_SEGMENT_RECORDS || end.octets != offset + FILE_END)
        find(v, "ledger/%s has a damaged end, at octet %" PRIu64 ".", file->name, offset);
    else if (memcmp(end.root.octets, root.octets, DIGEST_SIZE) != 0)
        find(v, "ledger/%s: its records are not those that its end says.", file->name);
    if (n == FILE_END && !only_zeros(file, offset + FILE_END))
        find(v, "ledger/%s: something stands behind its end.", file->name);
}

/* The tree goes on with what the segment's end says of its records, so that the rest can be judged; where
 * that is damaged too, nothing behind it can be. */
static void skip_damaged(struct verify *v, struct ledger_file *file, const struct ledger_scan *scan)
{
    struct file_end end;
    find(v,
         "ledger/%s is damaged at octet %" PRIu64 ": what stands there is not record %" PRIu64
         ". The %" PRIu64 " records from it on were not checked.",
         file->name, scan->offset, scan->sequence, LEDGER_SEGMENT_RECORDS - v->tree.count);
    v->is_broken = ledger_file_end(file, &end) != ERR_OK;
    if (v->is_broken)
        return;
    tree_reset(&v->tree);
    v->tree.node[SEGMENT_LEVEL] = end.root;
    v->tree.count = LEDGER_SEGMENT_RECORDS;
}

static enum err check_records(struct verify *v, struct ledger_file *file, bool newest)
{
    struct ledger_scan scan;
    struct record record;
    enum scan_result result = SCAN_END;
    scan_init(&scan);
    scan_start(&scan, file, v->whole.count + 1);
    while (v->tree.count < LEDGER_SEGMENT_RECORDS &&
           ((result = scan_next(&scan, &record)) == SCAN_RECORD || result == SCAN_GAP)) {
        if (result == SCAN_GAP)
            check_gap(v, &scan.gap);
        else
            check_record(v, file, scan.sequence - 1, &record);
        if (v->next_point < v->point_count &&
            v->points[v->next_point].checkpoint.size <= records_so_far(v))
            meet_points(v);
        if (v->tree.count % PROGRESS_RECORDS == 0)
            show_progress(v, &scan);
    }
    int problem = errno;
    if (v->tree.count == LEDGER_SEGMENT_RECORDS && !newest)
        check_end(v, file, scan.offset);
    else if (result == SCAN_END && !newest)
        skip_damaged(v, file, &scan);
    else if (result == SCAN_END && !v->is_live && !only_zeros(file, scan.offset))
        find(v,
             "ledger/%s: at octet %" PRIu64 ", behind record %" PRIu64
             ", stands something that is no record.",
             file->name, scan.offset, scan.sequence - 1);
    v->report->octets += scan.offset;
    scan_release(&scan);
    errno = problem;
    return result == SCAN_ERROR ? ERR_IO : ERR_OK;
}

static void check_head(struct verify *v, struct ledger_file *file, uint64_t first)
{
    uint8_t octets[FILE_HEAD];
    struct file_head head;
    ssize_t n = ledger_file_read(file, octets, sizeof octets, 0);
    if (n < 0 || file_head_decode(span_of(octets, (size_t)n), FILE_RAW, &head) != ERR_OK ||
        head.first != first || head.flags != 0)
        find(v, "ledger/%s has a damaged head (octets 0 to %u).", file->name, FILE_HEAD - 1);
}

/* What a sealed segment says that its blocks hold must be what they hold: or a trace would miss it. */
static enum err check_indices(struct verify *v, struct ledger_file *file)
{
    enum err err = ERR_OK;
    unsigned shift = index_shift(sealed_tail(file->sealed)->blocks);
    for (unsigned kind = 0; kind < INDEX_KINDS && err == ERR_OK; kind++) {
        index_finish(&v->contents.indices[kind], shift);
        err = sealed_compare(file->sealed, kind, v->contents.indices[kind].keys,
                             v->contents.indices[kind].count);
    }
    if (err == ERR_CORRUPT)
        find(v, "ledger/%s: its index does not name the records that it holds.", file->name);
    return err == ERR_IO ? ERR_IO : ERR_OK;
}

static enum err check_segment(struct verify *v, size_t index, const char **ret_why)
{
    struct ledger_file file;
    enum err err = ledger_file_open(v->folder, v->numbers[index], &file);
    tree_reset(&v->tree);
    contents_reset(&v->contents);
    if (err == ERR_CORRUPT || err == ERR_VERSION) {
        find(v, "ledger/%s %s: its records, and what follows, were not checked.", file.name,
             err == ERR_VERSION ? "was written by another version of this program"
                                : "has a damaged head or directory");
        v->is_broken = true;
        err = ERR_OK;
    } else if (err == ERR_OK) {
        check_head(v, &file, v->numbers[index]);
        err = check_records(v, &file, index + 1 == v->count);
        if (err == ERR_OK && file.sealed != NULL && !v->is_broken)
            err = check_indices(v, &file);
        v->octets_before += ledger_file_octets(&file);
    }
    if (err != ERR_OK)
        *ret_why = ledger_why("ledger/%s cannot be read: %s.", file.name, strerror(errno));
    cuts_seen_segment_end(&v->cuts);
    tree_add_tree(&v->whole, &v->tree);
    tree_reset(&v->tree);
    v->report->segments++;
    ledger_file_close(&file);
    return err == ERR_OK ? ERR_OK : ERR_IO;
}

/* Signatures ---------------------------------------------------------------------------------- */

static bool is_signed_by(const struct point *point, const uint8_t *public_key)
{
    struct note_key key;
    strcpy(key.name, point->checkpoint.origin);
    memcpy(key.public_key, public_key, NOTE_PUBLIC_KEY_SIZE);
    return note_is_signed(span_of(point->note, point->length), &key);
}

/* Where key `next` took over from key `before`: the size of the checkpoint that both signed. 0: nowhere. */
static uint64_t take_over(const struct verify *v, size_t before, size_t next)
{
    for (size_t i = 0; i < v->point_count; i++)
        if (v->points[i].agrees && v->points[i].checkpoint.size >= v->keys[next].sequence &&
            is_signed_by(&v->points[i], v->keys[before].public_key) &&
            is_signed_by(&v->points[i], v->keys[next].public_key))
            return v->points[i].checkpoint.size;
    return 0;
}

static size_t trusted_key(struct verify *v)
{
    for (size_t i = v->key_count; i-- > 0;)
        if (memcmp(v->keys[i].public_key, v->order->trusted->public_key, NOTE_PUBLIC_KEY_SIZE) == 0)
            return i;
    find(v, "the key that you trust is not one that this ledger names.");
    return SIZE_MAX;
}

/* The key that has to sign from some size on: [from, next key's from). */
struct reign {
    size_t key;
    uint64_t from;
};

static size_t reigns_of(struct verify *v, struct reign *out)
{
    size_t trusted = v->order->trusted == NULL ? 0 : trusted_key(v), count = 0;
    if (v->key_count == 0 || trusted == SIZE_MAX)
        return 0;
    out[count++] = (struct reign){0, 0};
    for (size_t i = 1; i < v->key_count; i++) {
        uint64_t size = take_over(v, out[count - 1].key, i);
        if (size == 0 && i <= trusted) /* the trusted key's word covers all before it */
            size = v->keys[i].sequence;
        if (size > 0)
            out[count++] = (struct reign){i, size};
    }
    return count;
}

static const uint8_t *key_for(const struct verify *v, const struct reign *reigns, size_t count,
                              uint64_t size)
{
    while (count > 1 && reigns[count - 1].from > size)
        count--;
    return v->keys[reigns[count - 1].key].public_key;
}

static void find_unexplained(void *context, uint64_t sequence)
{
    find(context, "the personal part of record %" PRIu64 " was destroyed, and no record says why.",
         sequence);
}

static void find_come_back(void *context, uint64_t sequence, uint64_t erasure)
{
    find(context,
         "the personal part of record %" PRIu64 " is there again, though erasure %" PRIu64
         " destroyed it: an older copy came back.",
         sequence, erasure);
}

static bool is_gone(void *context, uint64_t sequence)
{
    const struct verify *v = context;
    return cuts_seen_has(&v->cuts, sequence);
}

static void find_missing(void *context, const struct segment_missing *segment,
                         const struct cut_record *other)
{
    char text[CUTS_TEXT_SIZE];
    if (other == NULL)
        find(context, "records %s are missing, and no record says why.",
             segment_missing_text(segment, text));
    else
        find(context,
             "records %s are missing: %" PRIu64 " of them, but record %" PRIu64
             " has others taken, %" PRIu64 ".",
             segment_missing_text(segment, text), segment->records, other->sequence,
             other->records);
}

static void check_cuts(struct verify *v)
{
    struct cuts_told told = cuts_seen_judge(&v->cuts, find_missing, v);
    v->report->cut = told.records;
    v->report->segments_cut = told.segments;
}

static void check_erasures(struct verify *v)
{
    v->report->destroyed = erasures_seen_judge(&v->erasures, v->count > 0 ? v->numbers[0] : 1,
                                               is_gone, find_unexplained, find_come_back, v);
    v->report->erasures = v->erasures.done_count;
}

static void check_signatures(struct verify *v)
{
    struct reign *reigns = check_calloc(v->key_count + 1, sizeof *reigns);
    size_t count = reigns_of(v, reigns);
    struct verify_report *report = v->report;
    for (size_t i = 0; i < v->point_count; i++) {
        struct point *point = &v->points[i];
        const struct checkpoint *checkpoint = &point->checkpoint;
        if (checkpoint->size > v->whole.count) {
            if (!v->is_live)
                find(v,
                     "the ledger ends with record %" PRIu64 ", but a checkpoint covers %" PRIu64
                     ": %" PRIu64 " records at its end were cut off.",
                     v->whole.count, checkpoint->size, checkpoint->size - v->whole.count);
            continue;
        }
        if (!point->agrees)
            continue;
        const uint8_t *key = count > 0 ? key_for(v, reigns, count, checkpoint->size) : NULL;
        if (key == NULL || !is_signed_by(point, key)) {
            find(v,
                 "the checkpoint of %" PRIu64 " records is not signed by the key that this ledger "
                 "had then.",
                 checkpoint->size);
            continue;
        }
        report->checkpoints++;
        report->newest = *checkpoint;
        strcpy(report->key.name, checkpoint->origin);
        memcpy(report->key.public_key, key, NOTE_PUBLIC_KEY_SIZE);
    }
    report->keys = (unsigned)count;
    if (v->point_count == 0 && v->whole.count > 0)
        find(v, "there is no checkpoint: nothing says that these are the records that were "
                "written.");
    free(reigns);
}

/* The whole ----------------------------------------------------------------------------------- */

static bool someone_writes(const char *directory)
{
    struct flock range = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    int folder = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    int lock = folder < 0 ? -1 : openat(folder, "lock", O_RDONLY | O_CLOEXEC);
    bool held = lock >= 0 && fcntl(lock, F_GETLK, &range) == 0 && range.l_type != F_UNLCK;
    if (folder >= 0)
        close(folder);
    if (lock >= 0)
        close(lock);
    return held;
}

static enum err list_segments(struct verify *v, const char **ret_why)
{
    if (v->folder < 0 || !segments_list(v->folder, &v->numbers, &v->count) || v->count == 0) {
        bool empty = v->folder >= 0 || errno == ENOENT;
        *ret_why = empty ? ledger_why("%s holds no ledger.", v->order->directory)
                         : ledger_why("%s/ledger cannot be read: %s.", v->order->directory,
                                      strerror(errno));
        return empty ? ERR_NOT_FOUND : ERR_IO;
    }
    for (size_t i = 0; i < v->count; i++) {
        struct ledger_file file;
        if (ledger_file_open(v->folder, v->numbers[i], &file) == ERR_OK)
            v->octets_all += ledger_file_octets(&file);
        ledger_file_close(&file);
    }
    return ERR_OK;
}

/* Segments from the first on, without a gap: only their trees can be joined. */
static size_t segments_in_line(struct verify *v)
{
    for (size_t i = 0; i < v->count; i++) {
        uint64_t expected = (uint64_t)i * LEDGER_SEGMENT_RECORDS + 1;
        char found[FILE_NAME_SIZE], missing[FILE_NAME_SIZE];
        if (v->numbers[i] == expected)
            continue;
        find(v,
             "ledger/%s is there but ledger/%s is not: its records are gone, and what follows "
             "was not checked.",
             segment_name(v->folder, v->numbers[i], found),
             file_name(missing, expected, SEGMENT_SUFFIX));
        return i;
    }
    return v->count;
}

static enum err verify_all(struct verify *v, const char **ret_why)
{
    if (!add_foreign_points(v)) {
        *ret_why = "what was given as checkpoints is none: a checkpoint is a signed note of some "
                   "lines, as in checkpoints/ or from a witness.";
        return ERR_BAD_INPUT;
    }
    enum err err = load_points(v);
    if (err != ERR_OK) {
        *ret_why =
            ledger_why("%s/checkpoints cannot be read: %s.", v->order->directory, strerror(errno));
        return err;
    }
    err = list_segments(v, ret_why);
    if (err != ERR_OK)
        return err;
    if (v->point_count > 1)
        qsort(v->points, v->point_count, sizeof *v->points, by_size);
    v->checkpointed = v->point_count > 0 ? v->points[v->point_count - 1].checkpoint.size : 0;
    v->count = segments_in_line(v);
    for (size_t i = 0; i < v->count && err == ERR_OK && !v->is_broken; i++) {
        err = check_segment(v, i, ret_why);
        meet_points(v);
    }
    if (err == ERR_OK)
        check_signatures(v);
    if (err == ERR_OK) {
        check_cuts(v);
        check_erasures(v);
    }
    return err;
}

enum err ledger_verify(const struct verify_order *order, struct verify_report *ret_report,
                       const char **ret_why)
{
    *ret_report = (struct verify_report){0};
    struct verify v = {.order = order,
                       .report = ret_report,
                       .is_live = someone_writes(order->directory),
                       .folder = folder_open(order->directory, "ledger", false),
                       .keys = check_calloc(KEYS_MAX, sizeof(struct named_key))};
    tree_reset(&v.whole);
    tree_reset(&v.tree);
    enum err err = verify_all(&v, ret_why);
    contents_release(&v.contents);
    erasures_seen_release(&v.erasures);
    cuts_seen_release(&v.cuts);
    free(v.keys);
    free(v.points);
    free(v.numbers);
    if (v.folder >= 0)
        close(v.folder);
    return err;
}
