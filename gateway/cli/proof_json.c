/* SPDX-License-Identifier: Apache-2.0 */
#include "gateway/cli/proof_json.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "gateway/cli/cli.h"
#include "gateway/cli/json.h"
#include "gateway/cli/ledger_pass.h"
#include "proto/base/base64.h"
#include "proto/base/check.h"
#include "proto/base/limits.h"

static json_t *octets_json(struct span octets)
{
    char *text = check_malloc(BASE64_SIZE(octets.length) + 1);
    json_t *json = json_string(base64_encode(octets, text));
    free(text);
    return json;
}

json_t *proof_nodes_json(const struct proof *proof)
{
    json_t *list = json_array();
    for (unsigned i = 0; i < proof->count; i++)
        json_array_append_new(list, octets_json(span_of(proof->node[i].octets, DIGEST_SIZE)));
    return list;
}

bool checkpoint_matches(struct ledger_nodes *nodes, const struct checkpoint *checkpoint)
{
    struct digest root;
    struct tree_source source = ledger_nodes_source(nodes);
    if (proof_root(&source, checkpoint->size, &root) != ERR_OK) {
        complain("%s", ledger_nodes_why(nodes));
        return false;
    }
    if (memcmp(root.octets, checkpoint->root.octets, DIGEST_SIZE) == 0)
        return true;
    complain("the ledger's first %" PRIu64 " records are not those that the checkpoint covers: "
             "assent verify says more",
             checkpoint->size);
    return false;
}

/* What its leaf hash is over, behind the 00: u24 length, public part, commitment. */
static json_t *entry_json(const struct ledger_record *record)
{
    size_t length = 3 + record->public_part.length + record->commitment.length;
    uint8_t *entry = check_malloc(length);
    entry[0] = (uint8_t)(record->public_part.length >> 16);
    entry[1] = (uint8_t)(record->public_part.length >> 8);
    entry[2] = (uint8_t)record->public_part.length;
    memcpy(entry + 3, record->public_part.data, record->public_part.length);
    if (record->commitment.length > 0)
        memcpy(entry + 3 + record->public_part.length, record->commitment.data,
               record->commitment.length);
    json_t *json = octets_json(span_of(entry, length));
    free(entry);
    return json;
}

static void add_event(json_t *object, const struct ledger_record *record, bool with_personal)
{
    struct arena arena;
    arena_init(&arena, RECORD_ARENA_MAX);
    Assent__V1__Personal *personal;
    const Assent__V1__Event *event = record_unpack(&arena, record, &personal);
    with_personal = with_personal && record->personal_part.length > 0;
    if (event != NULL)
        json_object_set_new(object, "event",
                            event_json(record->sequence, event, with_personal ? personal : NULL));
    if (with_personal) {
        json_object_set_new(object, "personal", octets_json(record->personal_part));
        json_object_set_new(object, "salt", octets_json(record->salt));
    }
    arena_release(&arena);
}

json_t *inclusion_json(struct ledger_nodes *nodes, const struct ledger_record *record,
                       struct span note, const struct checkpoint *checkpoint, bool personal)
{
    struct proof proof;
    struct tree_source source = ledger_nodes_source(nodes);
    if (proof_of_inclusion(&source, record->sequence - 1, checkpoint->size, &proof) != ERR_OK) {
        complain("%s", ledger_nodes_why(nodes));
        return NULL;
    }
    json_t *object =
        json_pack("{s:s, s:I, s:I, s:I, s:o, s:o, s:s%}", "proof", "inclusion", "sequence",
                  (json_int_t)record->sequence, "leaf_index", (json_int_t)(record->sequence - 1),
                  "tree_size", (json_int_t)checkpoint->size, "entry", entry_json(record), "nodes",
                  proof_nodes_json(&proof), "checkpoint", (const char *)note.data, note.length);
    add_event(object, record, personal);
    return object;
}
