/* SPDX-License-Identifier: Apache-2.0 */
/* The gateways that share a Redis, and whether a Redis that has come back can be trusted by one of them:
 * each has written opt-outs there that it alone can write again.
 *
 * A look is what one gateway reads in Redis at one instant, about every second. The history is a number
 * that stands for what this Redis holds: it is another one after a restart, a failover, a flush. A node
 * that has written everything again that its ledger holds confirms this for the history. A gateway that
 * comes upon another history than the one it knew sends nothing until each node that it knew has either
 * confirmed it, or is known to have lost nothing: its silence had been seen before, and its position is
 * there. Redis loses the end of what was written, never something in between; so what was there at a look
 * while a node was silent is there if that node's position is.
 *
 * A node writes nothing before those that run have seen that it is there.
 *
 * Pure: no I/O, no clock. */
#ifndef CONSENT_NODES_H
#define CONSENT_NODES_H

#include "proto/base/limits.h"
#include "proto/base/span.h"

enum node_state {
    NODE_WAITS, /* it runs and sends nothing yet */
    NODE_LIVE,  /* it runs, and trusts the history that it has confirmed */
    NODE_LEFT,  /* it has ended in good order */
    NODE_GONE,  /* an operator said that it will never come back */
    NODE_STATES
};

/* One gateway, as it stands in Redis. */
struct node_fact {
    char name[NAME_OCTETS_MAX + 1];
    enum node_state state;
    uint64_t beat;      /* grows about every second while it runs; 0: it has no entry */
    uint64_t confirmed; /* history; 0 for none */
    uint64_t applied;   /* position of its newest write that is there */
};

#define NODES_LOOK_MAX (2 * NODES_MAX) /* joining at the same time may pass NODES_MAX */

struct nodes_look {
    uint64_t history;
    struct node_fact self; /* before this beat */
    struct node_fact others[NODES_LOOK_MAX];
    uint8_t count;
};

/* "BEAT HISTORY-IN-HEX STATE", the value of a node in Redis. */
#define NODE_VALUE_MAX 48
size_t node_format(const struct node_fact *fact, char out[NODE_VALUE_MAX]);
/* False, and *fact untouched, when it is no such value. */
bool node_parse(struct span value, struct node_fact *fact);

/* "SEQUENCE MARK", a position in Redis with the mark of the data that it was written beside (store_mark.c):
 * beside other data it counts as 0. False, and *ret_sequence untouched, when it is no position. */
bool position_parse(struct span value, const char *mark, uint64_t *ret_sequence);

/* One gateway, as another one remembers it. */
struct known_node {
    char name[NAME_OCTETS_MAX + 1];
    bool stranger; /* stands in a Redis that is not trusted, and was never seen in one that was */
    bool silent;   /* with the beat and the position below, when last seen */
    uint64_t beat; /* at the last look that was trusted, like those above */
    uint64_t applied;
    uint64_t seen_beat, seen_us; /* its newest beat at any look, and when it became that */
    uint64_t met_beat;           /* nodes_meet(): it has not looked since while this is seen_beat */
};

struct nodes {
    uint64_t history; /* the last one that was trusted; 0: none ever */
    uint64_t since;   /* the record of our ledger that first names it; whoever records sets it */
    struct known_node known[NODES_MAX];
    uint8_t count;
};

struct known_node *nodes_find(struct nodes *nodes, const char *name);
void nodes_drop(struct nodes *nodes, const char *name);
const struct node_fact *look_find(const struct nodes_look *look, const char *name);

enum node_verdict {
    NODE_FINE,
    NODE_AWAITED, /* it has not said yet that this history has all it wrote */
    NODE_BEHIND,  /* likewise, and writes of its are missing there */
};

/* May this history be trusted as far as this node goes? Either of `known` and `fact` may be NULL. `vouched`:
 * a node that trusts the history says so. */
enum node_verdict node_judge(const struct known_node *known, const struct node_fact *fact,
                             uint64_t history, bool vouched);

/* What a look tells, at `now_us`. Gives true when the history is trusted, which it stays while it is the
 * same. Names of those waited for are then none; else they are written into `ret_awaited`, separated by
 * commas. *ret_changed: there is something new that the ledger should hold. */
#define NODES_AWAITED_MAX 96
bool nodes_look(struct nodes *nodes, const struct nodes_look *look, uint64_t now_us,
                char ret_awaited[NODES_AWAITED_MAX], bool *ret_changed);

/* We have just set our entry: from now on, has every node that runs on this Redis looked, and so seen it? A
 * beat is a look. Before that we write nothing that only we could write again. */
void nodes_meet(struct nodes *nodes);
bool nodes_have_met(const struct nodes *nodes, const struct nodes_look *look);

/* Whether a node's beat has grown in the last NODE_SILENT_MS. */
bool node_is_running(const struct known_node *known, uint64_t now_us);

#endif
