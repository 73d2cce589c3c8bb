/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of the daemon share: daemon.c (life and loop), daemon_ports.c (the engine's ports),
 * daemon_files.c (data folder, node key, recovery), daemon_snapshot.c (the child that writes one),
 * daemon_watch.c (the log of state), daemon_notify.c (the service manager). */
#ifndef GATEWAY_DAEMON_STATE_H
#define GATEWAY_DAEMON_STATE_H

#include <event2/event.h>
#include <event2/event_struct.h>
#include <sys/types.h>

#include "consent/ledger.h"
#include "consent/secret_keys.h"
#include "consent/store.h"
#include "gateway/config.h"
#include "gateway/daemon.h"
#include "gateway/engine.h"
#include "smpp/link.h"

struct certificates;
struct daemon;
struct http;
struct submit_server;

/* A carrier connection that the engine asked for. */
struct daemon_link {
    struct daemon *daemon;
    uint16_t carrier, index;
    struct link *link;   /* NULL: closed */
    const char *refused; /* link_connect() gave nothing: told to the engine in the next turn */
};

struct snapshot_child {
    pid_t pid; /* 0: none */
    uint64_t sequence;
    bool written; /* waits for the ledger to be durable up to it */
};

/* See daemon_erasure.c. */
struct erasure_child {
    pid_t pid; /* 0: none */
    int found_fd;
    bool destroys, wants_snapshot;
    uint64_t snapshot,
        snapshot_after_us; /* the one that takes the place of the others; 0: not begun */
};

/* See daemon_witness.c. */
struct witness {
    pid_t pid; /* 0: none */
    uint64_t since_us;
    uint64_t telling, told; /* records that the checkpoint covers */
    uint64_t failures, warned_us;
};

/* See daemon_seal.c. */
struct seal_child {
    pid_t pid;          /* 0: none */
    uint64_t newest;    /* first record of the newest segment when it was started last */
    int told_fd;        /* what it says may be cut; -1: it was not asked */
    uint64_t retain_ms; /* the rule that it was asked by */
    uint64_t recorded;  /* the last RecordsCut of ours: durable before anything is cut */
    bool again;         /* there may be more to do */
};

/* What was logged last; see daemon_watch.c. */
struct seen {
    bool look; /* something happened that may have changed it */
    uint64_t look_at_us;
    bool gate_known, gate_open, disk_full;
    uint32_t bound[CARRIERS_MAX];
    char why[CARRIERS_MAX][CARRIER_WHY_MAX];
    uint64_t remind_us[CARRIERS_MAX]; /* of binds that are refused */
    bool hint[CARRIERS_MAX];
};

struct daemon {
    struct config *config;
    const char *path;                 /* of its file */
    const struct daemon_trace *trace; /* NULL: no PDU is looked at */
    struct event_base *base;
    struct ledger *ledger;
    struct note_signer *signer; /* of its checkpoints */
    struct secret_keys *keys;   /* of texts that are not kept */
    struct ledger_reader
        *scan; /* of ledger_scan(): kept while it is read on from where it stands */
    uint64_t scan_next;
    struct certificates *certificates;
    struct store *store;
    struct engine *engine;
    struct submit_server *server;
    struct http *http;
    struct ports ports;
    struct daemon_link *links[CARRIERS_MAX]; /* sessions * 2 each */
    bool link_refused;                       /* some daemon_link has `refused` */
    struct snapshot_child snapshot;
    uint64_t snapshot_published; /* by this process, the newest; 0: none */
    uint64_t recovered_from;     /* the first record that the start's snapshot does not cover */
    struct erasure_child erasure;
    uint8_t person_key[PERSON_KEY_SIZE];
    bool person_key_kept; /* it stands in its file, and stays */
    struct witness witness;
    struct seal_child seal;
    struct event on_ledger, on_signal, on_wake, on_watchdog, on_hour;
    struct seen seen;
    uint64_t watchdog_us; /* 0: nobody watches */
    uint64_t drain_by_us; /* 0: running; else exit by then */
    uint64_t started_wall_ms;
};

/* daemon_ports.c */
void daemon_ports_init(struct daemon *daemon);
void daemon_ports_grow(struct daemon *daemon);    /* carriers have come to the configuration */
void daemon_ports_release(struct daemon *daemon); /* closes every link */
extern const struct store_handlers daemon_store_handlers;
void daemon_tell_refused(struct daemon *daemon, struct instant now);

/* daemon_reload.c */
void daemon_reload(struct daemon *daemon);

/* daemon_files.c: each logs what went wrong. */
MUST_CHECK bool daemon_open_ledger(struct daemon *daemon);
MUST_CHECK bool daemon_sign_ledger(struct daemon *daemon);
MUST_CHECK bool daemon_node_key(const char *data_dir, struct hash_key *ret_key);
/* The key of fingerprints: read at the start, kept for good when Redis has been met for the first time. */
MUST_CHECK bool daemon_person_key(struct daemon *daemon);
MUST_CHECK bool daemon_keep_person_key(struct daemon *daemon, const uint8_t key[PERSON_KEY_SIZE]);
/* The keys of texts that are not kept are the engine's from here on. */
MUST_CHECK bool daemon_open_keys(struct daemon *daemon);
MUST_CHECK bool daemon_recover(struct daemon *daemon);
/* After engine_start(): new keys are there, and from now on made by the ledger's thread. */
MUST_CHECK bool daemon_prepare_keys(struct daemon *daemon);

/* daemon_snapshot.c */
void daemon_snapshot_start(struct daemon *daemon, struct instant now);
void daemon_snapshot_reaped(struct daemon *daemon);  /* SIGCHLD came */
void daemon_snapshot_publish(struct daemon *daemon); /* when it is written and durable */
void daemon_snapshot_kill(struct daemon *daemon);

void daemon_become_child(pid_t parent); /* in a child that was forked for the files */

/* daemon_erasure.c: two of the engine's ports, and what comes of them */
bool daemon_erasure_find(struct daemon *daemon, const struct erase_reach *reach);
bool daemon_erasure_destroy(struct daemon *daemon, const uint64_t *records, size_t count);
void daemon_erasure_turn(struct daemon *daemon, struct instant now);
void daemon_erasure_reaped(struct daemon *daemon); /* SIGCHLD came */
void daemon_erasure_kill(struct daemon *daemon);

/* daemon_witness.c */
void daemon_witness_turn(struct daemon *daemon, struct instant now);
void daemon_witness_reaped(struct daemon *daemon); /* SIGCHLD came */
void daemon_witness_kill(struct daemon *daemon);

/* daemon_seal.c */
void daemon_seal_turn(struct daemon *daemon);
void daemon_seal_reaped(struct daemon *daemon); /* SIGCHLD came */
void daemon_seal_kill(struct daemon *daemon);
void daemon_seal_hour(struct daemon *daemon);

/* daemon_trace.c: the port of that name, where there is a trace */
void daemon_traced(void *context, uint16_t carrier, uint16_t link, bool outgoing, struct span pdu);

/* daemon_watch.c: logs changes of state. Gives the time at which it wants to look again. */
uint64_t daemon_watch(struct daemon *daemon, struct instant now);

/* daemon_notify.c: the service manager's socket; nothing happens without one. */
void daemon_notify(const char *state);
uint64_t daemon_watchdog_us(void); /* half of what the manager allows between two signs of life */

#endif
