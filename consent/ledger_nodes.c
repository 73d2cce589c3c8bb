/* SPDX-License-Identifier: Apache-2.0 */
#include "consent/ledger_nodes.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "consent/ledger_files.h"
#include "consent/ledger_scan.h"
#include "consent/ledger_segment.h"
#include "proto/base/check.h"

#define WHY_SIZE 256
#define HASHED   2 /* segments kept: the record's and the newest */
#define NOTHING  UINT64_MAX

/* All nodes inside a segment: level k begins at the start of its 2^(16 - k) places. */
struct hashed {
    uint64_t index; /* of the segment; NOTHING: empty */
    uint32_t count; /* of its records */
    struct digest *levels[SEGMENT_LEVEL];
    bool *known
        [SEGMENT_LEVEL]; /* of each: retention leaves those that proofs of what is there take */
};

struct ledger_nodes {
    int folder;
    struct hashed hashed[HASHED];
    unsigned oldest;
    char why[WHY_SIZE];
};

enum err ledger_nodes_open(const char *directory, struct ledger_nodes **ret_nodes,
                           const char **ret_why)
{
    int folder = folder_open(directory, "ledger", false);
    if (folder < 0) {
        bool none = errno == ENOENT;
        *ret_why = none ? ledger_why("%s holds no ledger.", directory)
                        : ledger_why("%s/ledger cannot be opened: %s.", directory, strerror(errno));
        return none ? ERR_NOT_FOUND : ERR_IO;
    }
    struct ledger_nodes *nodes = check_calloc(1, sizeof *nodes);
    nodes->folder = folder;
    for (unsigned i = 0; i < HASHED; i++) {
        nodes->hashed[i].index = NOTHING;
        for (unsigned level = 0; level < SEGMENT_LEVEL; level++) {
            nodes->hashed[i].levels[level] =
                check_malloc((LEDGER_SEGMENT_RECORDS >> level) * sizeof(struct digest));
            nodes->hashed[i].known[level] = check_malloc(LEDGER_SEGMENT_RECORDS >> level);
        }
    }
    *ret_nodes = nodes;
    return ERR_OK;
}

void ledger_nodes_free(struct ledger_nodes *nodes)
{
    for (unsigned i = 0; i < HASHED; i++)
        for (unsigned level = 0; level < SEGMENT_LEVEL; level++) {
            free(nodes->hashed[i].levels[level]);
            free(nodes->hashed[i].known[level]);
        }
    close(nodes->folder);
    free(nodes);
}

const char *ledger_nodes_why(const struct ledger_nodes *nodes)
{
    return nodes->why;
}

static enum err open_segment(struct ledger_nodes *nodes, uint64_t index, struct ledger_file *file)
{
    enum err err = ledger_file_open(nodes->folder, index * LEDGER_SEGMENT_RECORDS + 1, file);
    if (err == ERR_CORRUPT)
        snprintf(nodes->why, sizeof nodes->why,
                 "ledger/%s has a damaged head or directory: run assent verify.", file->name);
    else if (err != ERR_OK)
        snprintf(nodes->why, sizeof nodes->why, "ledger/%s cannot be opened: %s.", file->name,
                 err == ERR_VERSION ? "another version wrote it" : strerror(errno));
    return err;
}

static enum err fault(struct ledger_nodes *nodes, uint64_t index, enum err err, const char *what)
{
    char name[FILE_NAME_SIZE];
    snprintf(nodes->why, sizeof nodes->why, "ledger/%s %s: run assent verify.",
             segment_name(nodes->folder, index * LEDGER_SEGMENT_RECORDS + 1, name), what);
    return err;
}

static enum err root_of_sealed(struct ledger_nodes *nodes, uint64_t index, struct digest *ret_root)
{
    struct file_end end;
    struct ledger_file file;
    enum err err = open_segment(nodes, index, &file);
    if (err != ERR_OK)
        return err;
    err = ledger_file_end(&file, &end);
    ledger_file_close(&file);
    if (err != ERR_OK)
        return fault(nodes, index, err, "has no sound end");
    *ret_root = end.root;
    return ERR_OK;
}

static void put_node(void *context, unsigned level, uint32_t index, const struct digest *node)
{
    struct hashed *hashed = context;
    if (level == SEGMENT_LEVEL) /* the whole segment: its end has it too */
        return;
    hashed->levels[level][index] = *node;
    hashed->known[level][index] = true;
}

/* Its leaves, and the nodes of its gaps. */
static enum scan_result take_leaves(struct hashed *hashed, struct ledger_scan *scan)
{
    struct record record;
    enum scan_result result = SCAN_END;
    hashed->count = 0;
    for (unsigned level = 0; level < SEGMENT_LEVEL; level++)
        memset(hashed->known[level], 0, LEDGER_SEGMENT_RECORDS >> level);
    while (hashed->count < LEDGER_SEGMENT_RECORDS) {
        result = scan_next(scan, &record);
        if (result == SCAN_RECORD) {
            struct digest leaf = sha256(record.leaf);
            put_node(hashed, 0, hashed->count++, &leaf);
        } else if (result == SCAN_GAP) {
            gap_each(&scan->gap, put_node, hashed);
            hashed->count += scan->gap.records;
        } else {
            break;
        }
    }
    return result;
}

static void hash_upwards(struct hashed *hashed)
{
    for (unsigned level = 1; level < SEGMENT_LEVEL; level++) {
        const struct digest *below = hashed->levels[level - 1];
        const bool *known = hashed->known[level - 1];
        for (uint32_t i = 0; i < hashed->count >> level; i++) {
            if (hashed->known[level][i] || !known[2 * i] || !known[2 * i + 1])
                continue;
            hashed->levels[level][i] = tree_parent(&below[2 * i], &below[2 * i + 1]);
            hashed->known[level][i] = true;
        }
    }
}

static enum err hash_segment(struct ledger_nodes *nodes, struct hashed *hashed, uint64_t index)
{
    struct ledger_scan scan;
    struct ledger_file file;
    enum err err = open_segment(nodes, index, &file);
    if (err != ERR_OK)
        return err;
    hashed->index = index;
    scan_init(&scan);
    scan_start(&scan, &file, index * LEDGER_SEGMENT_RECORDS + 1);
    enum scan_result result = take_leaves(hashed, &scan);
    scan_release(&scan);
    if (result == SCAN_ERROR)
        err = fault(nodes, index, ERR_IO, strerror(errno));
    ledger_file_close(&file);
    if (err == ERR_OK)
        hash_upwards(hashed);
    return err;
}

/* Retention by age has left a node above it alone. */
static enum err gone(struct ledger_nodes *nodes, unsigned level, uint64_t index)
{
    snprintf(nodes->why, sizeof nodes->why,
             "records %llu to %llu are kept as hashes alone, by retention, and the tree that is "
             "asked for begins or ends among them.",
             (unsigned long long)(index << level) + 1, (unsigned long long)((index + 1) << level));
    return ERR_NOT_FOUND;
}

static enum err node_inside(struct ledger_nodes *nodes, unsigned level, uint64_t index,
                            struct digest *ret_root)
{
    unsigned shift = SEGMENT_LEVEL - level;
    uint64_t segment = index >> shift, place = index & (((uint64_t)1 << shift) - 1);
    struct hashed *hashed = NULL;
    for (unsigned i = 0; i < HASHED; i++)
        if (nodes->hashed[i].index == segment && nodes->hashed[i].count >> level > place)
            hashed = &nodes->hashed[i];
    if (hashed == NULL) {
        hashed = &nodes->hashed[nodes->oldest++ % HASHED];
        enum err err = hash_segment(nodes, hashed, segment);
        if (err != ERR_OK)
            return err;
    }
    if (hashed->count >> level <= place)
        return fault(nodes, segment, ERR_CORRUPT, "lacks records, or is damaged");
    if (!hashed->known[level][place])
        return gone(nodes, level, index);
    *ret_root = hashed->levels[level][place];
    return ERR_OK;
}

static enum err perfect(void *context, unsigned level, uint64_t index, struct digest *ret_root)
{
    struct ledger_nodes *nodes = context;
    if (level < SEGMENT_LEVEL)
        return node_inside(nodes, level, index, ret_root);
    if (level == SEGMENT_LEVEL)
        return root_of_sealed(nodes, index, ret_root);
    struct digest left, right;
    enum err err = perfect(nodes, level - 1, 2 * index, &left);
    if (err == ERR_OK)
        err = perfect(nodes, level - 1, 2 * index + 1, &right);
    if (err == ERR_OK)
        *ret_root = tree_parent(&left, &right);
    return err;
}

struct tree_source ledger_nodes_source(struct ledger_nodes *nodes)
{
    return (struct tree_source){perfect, nodes};
}
