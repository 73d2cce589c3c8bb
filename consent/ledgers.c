/* SPDX-License-Identifier: Apache-2.0 */
#include "consent/ledgers.h"

#include <stdio.h>
#include <stdlib.h>

#include "proto/base/arena.h"
#include "proto/base/check.h"
#include "proto/base/limits.h"

#define EVENT_ARENA_MAX (1u << 20)

/* One ledger and its next event. */
struct source {
    struct ledger_reader *reader;
    struct arena arena;
    uint64_t sequence; /* of `event`; 0: there is none */
    Assent__V1__Event *event;
    Assent__V1__Personal *personal;
    uint64_t position; /* of the newest given */
    char node[NAME_OCTETS_MAX + 1];
};

struct ledgers {
    unsigned count;
    struct source *given; /* its event is the one given last */
    const char *why;
    struct source sources[];
};

struct ledgers *ledgers_open(const char *const *directories, unsigned count, const char **ret_why)
{
    struct ledgers *ledgers = check_calloc(1, sizeof *ledgers + count * sizeof ledgers->sources[0]);
    ledgers->why = "";
    for (unsigned i = 0; i < count; i++) {
        struct source *source = &ledgers->sources[i];
        arena_init(&source->arena, EVENT_ARENA_MAX);
        ledgers->count++;
        enum err err = ledger_reader_open(directories[i], 1, &source->reader, ret_why);
        if (err == ERR_OK)
            continue;
        if (err == ERR_NOT_FOUND)
            *ret_why = "it holds no ledger";
        ledgers_free(ledgers);
        return NULL;
    }
    return ledgers;
}

void ledgers_free(struct ledgers *ledgers)
{
    for (unsigned i = 0; i < ledgers->count; i++) {
        ledger_reader_free(ledgers->sources[i].reader);
        arena_release(&ledgers->sources[i].arena);
    }
    free(ledgers);
}

static enum err decode(struct source *source, const struct ledger_record *record)
{
    arena_reset(&source->arena);
    ProtobufCAllocator *allocator = &source->arena.allocator;
    source->event =
        assent__v1__event__unpack(allocator, record->public_part.length, record->public_part.data);
    source->personal = NULL;
    if (record->personal_part.length > 0)
        source->personal = assent__v1__personal__unpack(allocator, record->personal_part.length,
                                                        record->personal_part.data);
    if (source->event == NULL || (record->personal_part.length > 0 && source->personal == NULL))
        return ERR_CORRUPT;
    source->sequence = record->sequence;
    return ERR_OK;
}

/* Sees to it that the source has its next event, if there is one. */
static enum err fill(struct ledgers *ledgers, struct source *source)
{
    struct ledger_record record;
    if (source->sequence != 0)
        return ERR_OK;
    enum err err = ledger_reader_next(source->reader, UINT64_MAX, &record);
    if (err == ERR_AGAIN)
        return ERR_OK;
    if (err != ERR_OK)
        ledgers->why = ledger_reader_why(source->reader);
    else if ((err = decode(source, &record)) != ERR_OK)
        ledgers->why = "a record is no event of this program";
    return err;
}

static void note_given(struct source *source)
{
    source->position = source->sequence;
    if (source->event->body_case == ASSENT__V1__EVENT__BODY_NODE_STARTED)
        snprintf(source->node, sizeof source->node, "%s", source->event->node_started->node);
}

enum err ledgers_next(struct ledgers *ledgers, struct ledgers_event *ret_event)
{
    struct source *first = NULL;
    if (ledgers->given != NULL)
        ledgers->given->sequence = 0;
    ledgers->given = NULL;
    for (unsigned i = 0; i < ledgers->count; i++) {
        struct source *source = &ledgers->sources[i];
        enum err err = fill(ledgers, source);
        if (err != ERR_OK)
            return err;
        if (source->sequence != 0 &&
            (first == NULL || source->event->wall_ms < first->event->wall_ms))
            first = source;
    }
    if (first == NULL)
        return ERR_AGAIN;
    ledgers->given = first;
    note_given(first);
    *ret_event = (struct ledgers_event){.sequence = first->sequence,
                                        .ledger = (unsigned)(first - ledgers->sources),
                                        .node = first->node,
                                        .event = first->event,
                                        .personal = first->personal};
    return ERR_OK;
}

const char *ledgers_why(const struct ledgers *ledgers)
{
    return ledgers->why;
}

uint64_t ledgers_position(const struct ledgers *ledgers, unsigned ledger)
{
    return ledgers->sources[ledger].position;
}

const char *ledgers_node(const struct ledgers *ledgers, unsigned ledger)
{
    return ledgers->sources[ledger].node;
}
