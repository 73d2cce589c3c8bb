/* SPDX-License-Identifier: Apache-2.0 */
/* The inside of smsc-sim: the carrier model of carrier_model.h behind sockets. One loop turn reads
 * all sessions that have something, does what has fallen due, fills the windows with deliver_sm, and
 * writes once a session.
 *
 * An account is a system_id: its receipts and replies go to any of its sessions that may receive,
 * and wait while there is none. */
#ifndef BENCH_SIM_H
#define BENCH_SIM_H

#include <event2/event.h>

#include "bench/faults.h"
#include "bench/receipt_text.h"
#include "bench/schedule.h"
#include "bench/sim_hold.h"
#include "bench/sim_log.h"
#include "bench/sim_pcap.h"
#include "bench/stillness.h"
#include "smpp/link.h"
#include "smpp/session.h"

#define PEERS_MAX          16384
#define ACCOUNTS_MAX       64
#define STOP_LATENCIES_MAX 1000000
#define PACE_SECONDS       600 /* of submits counted second by second */

struct sim_options {
    const char *listen, *port_file, *system_id, *password, *subscribers;
    const char *log, *pcap, *report;
    const char *tls_cert, *tls_key, *tls_client_ca;
    int log_format;
    uint32_t deliver_window;
    uint64_t redeliver_us, deliver_timeout_us, enquire_link_us, drop_every_us, duration_us;
    uint64_t seed;
    struct carrier_config carrier;
    uint32_t stop_within;
    uint32_t hold_receipts;
    int held_order;
    struct faults faults;
    bool list_faults;
    enum id_spelling answer_ids, receipt_ids;
    enum fault error_faults[CARRIER_ERRORS_MAX]; /* that carrier.errors are for */
};

struct sim;

struct peer {
    struct sim *sim;
    struct link *link;
    struct session *session;
    uint32_t number;     /* of the connection, from 1; its place is number % PEERS_MAX */
    uint32_t unanswered; /* submit_sm */
    uint32_t place;      /* among the strangers */
    uint16_t account;
    bool stranger, bound, held, ended;
    struct sim_pcap_stream stream;
    /* What faults need (sim_fault.c). */
    struct buffer received, bent, paced; /* of split input; to be paced; to be written */
    uint64_t write_at_us, read_at_us;    /* not before */
    size_t pdu_left;        /* octets of a PDU of which only the beginning was written */
    uint32_t last_sequence; /* of the deliver_sm that was sent as number 0 */
    enum fault due;         /* to happen at the end of the turn; FAULTS: nothing */
    bool silent;
};

struct account {
    char system_id[17];
    struct item_list ready; /* deliver_sm that wait for a place in a window */
    uint32_t turn;          /* which peer sent last */
    uint64_t held_until_us; /* binds get ESME_RALYBND */
};

struct sim_counts {
    uint64_t connected, bound, most_bound, binds_refused, dropped;
    uint64_t receipts_sent, receipts_answered;
    uint64_t replies_sent, replies_answered;
    uint64_t redelivered, delivers_refused, overflow;
};

struct sim_pace {
    /* Monotonic; 0: none yet. A receipt counts when it is answered. */
    uint64_t first_submit_us, last_submit_us, last_receipt_us;
    uint64_t held_given_us;           /* receipts that were kept back, all at once */
    uint32_t by_second[PACE_SECONDS]; /* submit_sm, from the first one on */
    /* The highest second, when what was read after standing still counts over that time too. */
    uint64_t highest_second_written;
};

struct sim {
    const struct sim_options *options;
    struct event_base *base;
    struct link_listener *listener;
    struct tls_context *tls; /* NULL for tcp:// and unix:// */
    struct carrier_model *model;
    struct rng rng;
    struct sim_log *log;
    struct sim_pcap *pcap;
    struct sim_counts counts;
    struct sim_pace pace;
    uint64_t now_us, started_us, next_tick_us;
    struct stillness still;
    uint32_t last_number;
    struct peer *peers[PEERS_MAX];
    struct peer *active[PEERS_MAX]; /* looked at in every turn */
    size_t active_count;
    struct peer *strangers[PEERS_MAX]; /* have not bound and need nothing: looked at by the tick */
    size_t stranger_count;
    struct account accounts[ACCOUNTS_MAX];
    size_t account_count;
    uint32_t *stop_latencies; /* microseconds from the STOP's last sending to its answer */
    size_t stop_latency_count;
    struct schedule schedule;
    struct sim_hold hold;
    struct faults faults;
    uint64_t submits, last_message_id, unknown_ids; /* for faults */
};

/* Listens and is ready to run; gives NULL when it cannot, having said why on stderr. */
struct sim *sim_new(const struct sim_options *options, struct event_base *base);
void sim_free(struct sim *sim);

/* Reads what time it is; to be called by whatever the loop calls. */
void sim_take_time(struct sim *sim);

/* What follows every turn of the loop: due items, deliveries, writes. Gives when to wake at the
 * latest. */
uint64_t sim_end_turn(struct sim *sim);

/* Cuts every connection as a network does. */
void sim_drop_all(struct sim *sim);

/* Writes the counts as JSON into options->report, whole or not at all. */
void sim_write_report(struct sim *sim);

/* A deliver_sm from `source` to `destination`; ITEM_NONE when too much is waiting. */
uint32_t sim_take_deliver(struct sim *sim, uint16_t account, const struct smpp_address *source,
                          const struct smpp_address *destination, enum item_kind kind);

/* Sends it when the time has passed, as soon as a window has room. */
void sim_deliver_after(struct sim *sim, uint32_t index, uint64_t delay_us);

#endif
