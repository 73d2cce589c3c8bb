/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of the Redis adapter share: store.c (the owner's side), store_link.c (the connection
 * and the order of things), store_command.c (what is asked, as octets), store_answer.c (what replies
 * mean), store_handshake.c (what is asked before the first check), store_mark.c (that it is still the
 * same data), store_caps.c (places under caps).
 * Nobody else includes this.
 *
 * Requests wait in a ring in the order asked. A reply belongs to the oldest one, and only when that
 * one has left whole; any other reply is unasked for and ends the connection. */
#ifndef CONSENT_STORE_INTERNAL_H
#define CONSENT_STORE_INTERNAL_H

#include <event2/event.h>
#include <netdb.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "consent/caps.h"
#include "consent/store.h"
#include "consent/store_command.h"
#include "consent/store_reply.h"
#include "proto/base/bytes.h"
#include "proto/base/rng.h"

#define STORE_REQUESTS_MAX                                                                         \
    (STORE_CHECKS_MAX + STORE_MARKS_MAX + STORE_OTHERS_MAX + 1) /* a reading of places */
#define STORE_PLAIN_MEMBERS  64 /* of opt-outs that share a command: well below COMMAND_OCTETS_MAX */
#define STORE_RESULTS_MAX    1024       /* answers to checks gathered for one call of the owner */
#define STORE_MARKED_CHECKS  CAPS_BATCH /* so many at most share a mark */
#define STORE_EMPTIED        "Redis has been emptied or restored while it ran"
#define STORE_NOT_UNDERSTOOD "Redis gave an answer that was not understood"
#define STORE_WHY_SIZE       256
#define STORE_READ_CHUNK     (64u << 10)
#define STORE_ENTRY_ID_SIZE  42 /* two numbers of 64 bits, a dash and the NUL */
#define STORE_MARK_SIZE      33

enum store_state {
    STORE_AWAY,       /* no socket; the retry timer runs */
    STORE_CONNECTING, /* connect(2) has not ended */
    STORE_GREETING,   /* handshake */
    STORE_UP,
};

enum request_kind {
    REQUEST_CHECK,
    REQUEST_MARK,
    REQUEST_WRITE,
    REQUEST_LOOKUP,
    REQUEST_RESOLVE,
    REQUEST_ONCE,
    REQUEST_BEAT,
    REQUEST_NOTICES,
    REQUEST_CAPS,
    REQUEST_ERASED,
    REQUEST_GREETING,
};

struct resolve {
    uint64_t cookie;
    uint16_t candidate;
    uint16_t tries;
    char name[];
};

/* Writes of one MULTI, in their order. The newest ones may be plain, of one bucket, and not be a command yet: that
 * grows while such follow. */
struct write_batch {
    uint16_t count, commands;
    bool notices;
    uint8_t plain_count;
    uint32_t plain_bucket;
    uint64_t plain[STORE_PLAIN_MEMBERS];
    struct {
        uint64_t sequence;
        uint8_t commands; /* 0: it shares that of a write before it */
        bool counts;      /* its first command says whether it changed anything */
    } writes[STORE_BATCH_WRITES];
};

struct request {
    union {
        uint64_t cookie;           /* check, lookup, once */
        struct write_batch *batch; /* write; owned */
        struct resolve *resolve;   /* owned */
    };
    uint64_t wire_end; /* octets of this connection up to its end */
    uint32_t asked_ms; /* low bits of the monotonic clock */
    uint8_t kind;      /* enum request_kind */
    uint8_t replies;   /* check */
    uint16_t
        count; /* check, lookup: opt-out scopes; beat: commands inside MULTI; mark: places asked for */
    bool need_opt_in, need_age, need_days;
    bool takes_place;
    uint8_t cap_looks; /* check: the places that there are, where they are looked at */
    uint64_t cap_key;  /* with it */
};

/* An entry of a stream: its time, and its place in it. */
struct entry_id {
    uint64_t ms, order;
};

/* What a batch asked for, until the log has been read up to it. */
struct cap_batch {
    struct entry_id id;
    uint16_t count;
    bool refused; /* it is not in the log */
};

/* store_caps.c */
struct store_caps {
    struct caps *table; /* NULL: this store asks for none */
    uint8_t asked[CAPS_BATCH * CAP_OCTETS];
    uint16_t asked_count; /* since the last mark */
    struct cap_batch *batches;
    size_t batch_head, batch_count;
    struct check_result *waiting; /* of the batches, in their order */
    size_t waiting_head, waiting_count;
    size_t open;                /* places asked for and not decided */
    struct entry_id known;      /* the log is applied up to here */
    unsigned readings;          /* under way */
    bool behind;                /* there may be more than they read */
    bool resumes;               /* the one under way begins with `known` itself */
    uint64_t longest_ms;        /* window seen */
    char mark[STORE_MARK_SIZE]; /* of the data that the log belongs to */
};

/* How far the oldest request has been answered. */
struct answer {
    uint16_t step;
    bool unknown;       /* an error that concerns this request alone */
    struct entry_id id; /* mark: of the batch's places */
    struct check_result facts;
    struct consent_state state;
    bool added; /* once: the key was set now */
    enum once_answer once;
};

struct store {
    struct event_base *base;
    struct store_handlers handlers;
    void *context;
    char *host; /* NULL for a Unix socket */
    char *port;
    char *database; /* "" for none */
    char *password; /* NULL for none */
    char *node;
    uint32_t buckets;
    bool has_person_key;
    uint8_t person_key[PERSON_KEY_SIZE];

    struct sockaddr_storage address;
    socklen_t address_length;
    struct addrinfo *found, *tried; /* the host's addresses, and the one in use */

    enum store_state state;
    int fd;
    struct event *read_event, *write_event; /* of this connection */
    struct event *deadline_timer, *retry_timer;
    bool deadline_armed;
    int write_error; /* errno of a failed write, told by the next read event */
    struct buffer in, out;
    uint64_t asked_octets, sent_octets; /* of this connection */
    uint64_t popped_octets;             /* up to the end of the last request that ended */
    struct resp_reader *reader;
    uint64_t since_us; /* connecting: its begin; up: when it became so */
    uint64_t turn_ms;  /* time of the first request since the last flush, or 0 */

    struct request *ring;
    size_t head, count, checks, marks, resolves;
    size_t unmarked;          /* checks asked, and the mark not yet behind them */
    size_t writes;            /* in batches */
    uint64_t handed;          /* the position of the newest batch of this connection; 0: none yet */
    struct write_batch *open; /* of the newest request, while writes may still join it; or NULL */
    struct answer answer;     /* of ring[head] */
    struct check_result results[STORE_RESULTS_MAX];
    size_t result_count;
    size_t result_certain; /* the first so many: the mark stood behind them */

    size_t greeting; /* step of the handshake */
    bool buckets_known;
    uint64_t applied;                    /* at the handshake; then the newest write acknowledged */
    uint64_t instance;                   /* this server, in this life and role */
    uint64_t history;                    /* stands for the server and the mark */
    char mark[STORE_MARK_SIZE];          /* as this connection found it; "" before */
    char notice_id[STORE_ENTRY_ID_SIZE]; /* of the last one read on this connection */
    struct store_caps caps;
    bool renew; /* it lost writes and looks as if it had not: the next handshake says otherwise */
    char warnings[768];
    char may_evict[32]; /* the policy by which it would; "" for none */

    uint32_t backoff_ms;
    struct rng rng;
    char told[STORE_WHY_SIZE]; /* reason of the last `down`; "" since `up` */
};

/* store_link.c */
struct request *store_push(struct store *store, enum request_kind kind);
struct writer store_command_room(struct store *store); /* behind the mark of the checks before */
struct writer store_check_room(struct store *store);
void store_command_done(struct store *store, const struct writer *w);
void store_mark(struct store *store); /* behind the checks asked since the last */
bool store_output_has_room(const struct store *store);
bool store_has_room(const struct store *store); /* for anything but a check */
void store_lose(struct store *store, const char *why);
void store_lose_to_error(struct store *store, struct span error);
void store_pop(struct store *store);
void store_deliver(struct store *store);
void store_result(struct store *store, const struct check_result *result);
void store_become_up(struct store *store);
void store_close_connection(struct store *store);
/* Adds to the batch that is open, or opens one. Anything else that is asked closes it. */
void store_join_batch(struct store *store, const struct consent_write *write);
void store_on_retry(evutil_socket_t fd, short what, void *store);
void store_on_deadline(evutil_socket_t fd, short what, void *store);

/* store_answer.c: one reply for the oldest request. Not when the store has been lost by it. */
void store_take(struct store *store, const struct resp_reply *reply);
/* True when the reply is an error, which has then been dealt with. */
bool store_took_error(struct store *store, const struct resp_reply *reply);
void store_ask_scope(struct store *store, struct resolve *resolve);

/* store_mark.c */
bool store_ask_mark(struct store *store, struct writer *w);
bool store_ask_set_mark(struct store *store, struct writer *w);
bool store_mark_learn(struct store *store, struct span mark);
bool store_mark_stands(const struct store *store, const struct resp_value *value);
void store_put_mark(struct writer *w);
void store_take_mark(struct store *store, const struct resp_reply *reply);

/* store_caps.c */
void store_caps_init(struct store *store);
void store_caps_release(struct store *store);
bool store_caps_have_room(const struct store *store);
void store_ask_cap(struct store *store, const struct check *check);
void store_look_at_cap(const struct store *store, const struct request *request,
                       struct check_result *result);
unsigned store_put_caps(struct store *store,
                        struct writer *w); /* those asked since the last mark */
bool store_take_caps_id(struct store *store, const struct resp_reply *reply);
void store_caps_marked(struct store *store, const struct request *mark);
void store_caps_greet(struct store *store); /* reads what there is, then it is up */
void store_read_caps(struct store *store);  /* where there is reason to */
void store_take_caps(struct store *store, const struct resp_reply *reply);
void store_lose_caps(struct store *store); /* what is open is not known */

/* store_once.c */
void store_take_once(struct store *store, const struct request *request,
                     const struct resp_reply *reply);

/* store_beat.c */
void store_take_beat(struct store *store, const struct request *request,
                     const struct resp_reply *reply);

/* store_notice.c. An entry of a stream is [ID, [NODE, VALUE]], so five values behind each other. */
#define STORE_ENTRY_VALUES 5
bool store_is_entry(const struct resp_value *values);
/* How many of them a reading of at most so many has; false: it is none. */
bool store_count_entries(const struct resp_reply *reply, size_t most, size_t *ret_entries);
void store_take_notices(struct store *store, const struct resp_reply *reply);

/* store_erased.c */
void store_take_erased(struct store *store, const struct resp_reply *reply);

/* store_handshake.c */
bool store_parse_u64(struct span text, uint64_t *ret_value);
void store_greet(struct store *store);
void store_take_greeting(struct store *store, const struct resp_reply *reply);

#endif
