/* SPDX-License-Identifier: Apache-2.0 */
#include "consent/nodes.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "proto/base/clock.h"
#include "proto/base/words.h"

/* ---- values in Redis ---- */

static const char state_letters[NODE_STATES] = {
    [NODE_WAITS] = 'w', [NODE_LIVE] = 'l', [NODE_LEFT] = 'o', [NODE_GONE] = 'g'};

size_t node_format(const struct node_fact *fact, char out[NODE_VALUE_MAX])
{
    return (size_t)snprintf(out, NODE_VALUE_MAX, "%" PRIu64 " %016" PRIx64 " %c", fact->beat,
                            fact->confirmed, state_letters[fact->state]);
}

static bool take_hex(struct span *text, uint64_t *ret_value)
{
    static const char digits[] = "0123456789abcdef";
    uint64_t value = 0;
    if (text->length < 16)
        return false;
    for (size_t i = 0; i < 16; i++) {
        const char *digit = text->data[i] ? strchr(digits, text->data[i]) : NULL;
        if (digit == NULL)
            return false;
        value = value << 4 | (uint64_t)(digit - digits);
    }
    *text = span_of(text->data + 16, text->length - 16);
    *ret_value = value;
    return true;
}

bool node_parse(struct span value, struct node_fact *fact)
{
    uint64_t beat, confirmed;
    if (!take_decimal(&value, UINT64_MAX, &beat) || !take_space(&value) ||
        !take_hex(&value, &confirmed) || !take_space(&value) || value.length != 1 || beat == 0)
        return false;
    for (int state = 0; state < NODE_STATES; state++) {
        if (value.data[0] != (uint8_t)state_letters[state])
            continue;
        fact->beat = beat;
        fact->confirmed = confirmed;
        fact->state = (enum node_state)state;
        return true;
    }
    return false;
}

bool position_parse(struct span value, const char *mark, uint64_t *ret_sequence)
{
    uint64_t sequence;
    if (!take_decimal(&value, UINT64_MAX, &sequence) || (value.length > 0 && !take_space(&value)))
        return false;
    *ret_sequence = span_equal(value, span_from_string(mark)) ? sequence : 0;
    return true;
}

/* ---- finding ---- */

struct known_node *nodes_find(struct nodes *nodes, const char *name)
{
    for (uint8_t i = 0; i < nodes->count; i++)
        if (strcmp(nodes->known[i].name, name) == 0)
            return &nodes->known[i];
    return NULL;
}

void nodes_drop(struct nodes *nodes, const char *name)
{
    struct known_node *known = nodes_find(nodes, name);
    if (known != NULL)
        *known = nodes->known[--nodes->count];
}

const struct node_fact *look_find(const struct nodes_look *look, const char *name)
{
    for (uint8_t i = 0; i < look->count; i++)
        if (strcmp(look->others[i].name, name) == 0)
            return &look->others[i];
    return NULL;
}

static struct known_node *add(struct nodes *nodes, const char *name)
{
    if (nodes->count == NODES_MAX)
        return NULL;
    struct known_node *known = &nodes->known[nodes->count++];
    *known = (struct known_node){.stranger = true};
    snprintf(known->name, sizeof known->name, "%s", name);
    return known;
}

/* ---- judging ---- */

enum node_verdict node_judge(const struct known_node *known, const struct node_fact *fact,
                             uint64_t history, bool vouched)
{
    if (fact != NULL && fact->confirmed == history)
        return NODE_FINE; /* it said so; or it was forgotten in this history */
    if (known == NULL || known->stranger)
        return vouched || fact == NULL || fact->state == NODE_GONE ? NODE_FINE : NODE_AWAITED;
    uint64_t applied = fact ? fact->applied : 0, beat = fact ? fact->beat : 0;
    if (applied < known->applied)
        return NODE_BEHIND;
    return known->silent && beat <= known->beat ? NODE_FINE : NODE_AWAITED;
}

bool node_is_running(const struct known_node *known, uint64_t now_us)
{
    return known->seen_us != 0 && now_us - known->seen_us < NODE_SILENT_MS * US_PER_MS;
}

void nodes_meet(struct nodes *nodes)
{
    for (uint8_t i = 0; i < nodes->count; i++)
        nodes->known[i].met_beat = nodes->known[i].seen_beat;
}

bool nodes_have_met(const struct nodes *nodes, const struct nodes_look *look)
{
    for (uint8_t i = 0; i < nodes->count; i++)
        if (!nodes->known[i].silent && nodes->known[i].seen_beat == nodes->known[i].met_beat &&
            look_find(look, nodes->known[i].name) != NULL)
            return false;
    return true;
}

/* Keeps track of beats in any Redis, and of names that are new. False when there are too many. */
static bool meet(struct nodes *nodes, const struct nodes_look *look, uint64_t now_us)
{
    for (uint8_t i = 0; i < look->count; i++) {
        const struct node_fact *fact = &look->others[i];
        if (fact->state == NODE_GONE)
            continue;
        struct known_node *known = nodes_find(nodes, fact->name);
        if (known == NULL && (known = add(nodes, fact->name)) == NULL)
            return false;
        if (known->seen_beat == fact->beat)
            continue;
        known->seen_beat = fact->beat;
        known->seen_us = now_us;
    }
    return true;
}

static bool is_vouched(const struct nodes_look *look)
{
    for (uint8_t i = 0; i < look->count; i++)
        if (look->others[i].state == NODE_LIVE && look->others[i].confirmed == look->history)
            return true;
    return false;
}

static void name_awaited(const char *name, char out[NODES_AWAITED_MAX])
{
    size_t used = strlen(out);
    if (used + strlen(name) + sizeof ", ..." < NODES_AWAITED_MAX)
        snprintf(out + used, NODES_AWAITED_MAX - used, "%s%s", used ? ", " : "", name);
    else if (used < 3 || strcmp(out + used - 3, "...") != 0)
        snprintf(out + used, NODES_AWAITED_MAX - used, ", ...");
}

static bool judge_all(const struct nodes *nodes, const struct nodes_look *look,
                      char ret_awaited[NODES_AWAITED_MAX])
{
    bool vouched = is_vouched(look);
    for (uint8_t i = 0; i < nodes->count; i++) {
        const struct known_node *known = &nodes->known[i];
        if (node_judge(known, look_find(look, known->name), look->history, vouched) != NODE_FINE)
            name_awaited(known->name, ret_awaited);
    }
    return ret_awaited[0] == '\0';
}

/* What a trusted look says of one node. True when the ledger should hold it: who it is, and from when on
 * it is silent or not any more. */
static bool learn(struct known_node *known, const struct node_fact *fact, uint64_t now_us)
{
    bool silent = fact->state == NODE_LEFT || !node_is_running(known, now_us);
    bool changed = known->stranger || known->silent != silent ||
                   (silent && (known->applied != fact->applied || known->beat != fact->beat));
    known->stranger = false;
    known->silent = silent;
    known->beat = fact->beat;
    known->applied = fact->applied;
    return changed;
}

static bool learn_all(struct nodes *nodes, const struct nodes_look *look, uint64_t now_us)
{
    bool changed = nodes->history != look->history;
    nodes->history = look->history;
    for (uint8_t i = nodes->count; i-- > 0;) {
        struct known_node *known = &nodes->known[i];
        const struct node_fact *fact = look_find(look, known->name);
        if (fact == NULL || fact->state == NODE_GONE) {
            nodes_drop(nodes, known->name); /* it was forgotten, here or by another gateway */
            changed = true;
        } else {
            changed = learn(known, fact, now_us) || changed;
        }
    }
    return changed;
}

bool nodes_look(struct nodes *nodes, const struct nodes_look *look, uint64_t now_us,
                char ret_awaited[NODES_AWAITED_MAX], bool *ret_changed)
{
    ret_awaited[0] = '\0';
    *ret_changed = false;
    if (!meet(nodes, look, now_us)) {
        snprintf(ret_awaited, NODES_AWAITED_MAX, "more than %d others", NODES_MAX);
        return false;
    }
    if (nodes->history != look->history && !judge_all(nodes, look, ret_awaited))
        return false;
    *ret_changed = learn_all(nodes, look, now_us);
    return true;
}
