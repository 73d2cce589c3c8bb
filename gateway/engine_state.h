/* SPDX-License-Identifier: Apache-2.0 */
/* The engine's inside, shared by the files that are its phases:
 *
 *   engine.c    life, the turn, drain, status        admit.c      submit, cancel, query
 *   dispatch.c  tokens, intent, gate, wire           carrier.c    links and sessions
 *   answer.c    the carrier's answers                ending.c     how messages leave the pipeline
 *   receipts.c  what receipts change                 correlation.c   carriers' ids of messages
 *   recipient_news.c  what carriers' codes say of a recipient   vacancy.c  numbers that nobody has
 *   receipt_hint.c  settings that would match more   inbound.c    replies from handsets
 *   failover.c  which carrier a message waits at     reconfigure.c  a new configuration
 *   long_reply.c  parts of replies                sender.c     what one sender may write
 *   consent.c   calls of submitters about consent    projection.c consent events into Redis
 *   reach.c     what a STOP ends                    nodes.c      other gateways on this Redis
 *   question.c  double opt-in                       imports.c    files of opt-ins and opt-outs
 *   notices.c   opt-outs that came at another gateway
 *   denial.c    the deny set and recent opt-outs        confirmation.c  one for one opt-out
 *   again.c     what follows a START
 *   opt_out_text.c   the line under marketing        review.c     opt-outs that may have meant less
 *   program_words.c  words that programs add        quiet.c  quiet hours of recipients
 *   content_text.c  what a text must say and may not
 *   erasure.c   erasure of a person on request; with erasure_list.c, erasure_join.c, erasure_replay.c
 *   erased_people.c who was erased, here and at other gateways
 *   complaints.c  opened and resolved               reputations.c  of senders at carriers; pauses for it
 *   record.c    events into the ledger               recover.c    replay and snapshot
 *   secret.c    texts that are not kept
 *
 * Only these files include this header. */
#ifndef GATEWAY_ENGINE_STATE_H
#define GATEWAY_ENGINE_STATE_H

#include "consent/keyword.h"
#include "consent/keyword_rows.h"
#include "consent/policy.h"
#include "consent/projection.h"
#include "consent/quiet_hours.h"
#include "consent/standing.h"
#include "gateway/engine.h"
#include "gateway/imports.h"
#include "gateway/message.h"
#include "gateway/pacing.h"
#include "gateway/queue.h"
#include "gateway/route.h"
#include "gateway/throttle.h"
#include "proto/base/arena.h"
#include "smpp/reassembly.h"
#include "smpp/session.h"
#include "smpp/text.h"

/* ---- carriers ---- */

struct carrier_link {
    struct engine *engine;
    struct session *session; /* NULL while there is no connection */
    uint16_t carrier, index;
    uint32_t generation; /* counts connections: an owed answer to an older one is dropped */
    bool opening;        /* link_open() called, no answer yet */
    bool closing;        /* the session is over; cleaned up at the end of the turn */
    bool bound;
    bool reading_stopped;
    uint32_t reserved; /* window slots held by messages that are not written yet */
    struct throttle
        *throttle; /* session_rate; NULL until it is needed. Its reservations are `reserved` */
    uint64_t open_at_us; /* next attempt to connect; 0: none planned */
    uint64_t backoff_ms;
    uint64_t bound_at_us;
    uint32_t refused; /* the last bind's command_status; ESME_ROK when it was taken */
    uint64_t tick_us; /* when the session wants session_tick() */
    enum session_mode mode;
    uint32_t made; /* of settings that carrier_config.made counted so */
};

/* Another way to read ids that would match receipts which match nothing now. */
struct receipt_hint {
    uint64_t minute_us, until_us;
    uint32_t tests; /* in this minute */
    uint8_t hits[ID_FORMS][ID_FORMS];
    char text[40]; /* "submit_id: hex, receipt_id: dec" */
};

/* One of our senders at a carrier that limits each; it stays, since its last second counts. */
struct sender {
    struct throttle throttle;
    uint32_t rate, daily; /* 0: not limited, or not any more */
    uint32_t day;         /* of UTC, that these are about: */
    uint32_t today;       /* written */
    uint32_t recorded;    /* so many the ledger has counted ahead */
    char address[17];
    uint32_t in_part; /* messages before the wire that hold tokens for a few parts only */
    struct parking parking;
    bool capped;              /* it waits for the next day */
    bool waits;               /* `timer` is set: flows may stand in `parking` */
    struct wheel_timer timer; /* when it may go on */
    struct carrier *carrier;
    struct sender *next_unflushed;
    bool unflushed; /* on the carrier's list: it wrote in this turn */
};

struct carrier {
    const struct carrier_config *config;
    struct carrier_link *links;
    uint16_t link_count;
    uint16_t next_link; /* round robin: whose turn it is */
    uint32_t run;       /* messages that it was given since it is */
    struct queue queue;
    struct throttle throttle;
    struct pacing pacing; /* belongs to the carrier, not to a session: it outlives them */
    uint64_t awaiting_receipt;
    uint64_t down_since_us;     /* no session may submit; 0: one may */
    uint64_t refusing_since_us; /* it takes nothing; 0: it does, or nothing was tried */
    uint64_t refused_us;        /* last */
    uint64_t walked_round;      /* of engine.failover_round: its queue has been looked through */
    uint64_t failed_over[FAILOVER_REASONS];
    uint32_t
        in_part[CLASS_COUNT]; /* messages before the wire that hold tokens for a few parts only */
    struct table senders; /* hash of the address to struct sender, where the carrier limits them */
    struct sender *unflushed;
    uint32_t senders_waiting, senders_capped; /* the second among the first: until the next day */
    uint64_t senders_since_us; /* a sender made soon after this may have written before */
    uint32_t reputations_paused;
    uint32_t paused;           /* bits of enum pause_reason, as of the last turn */
    struct session_counts odd; /* of sessions that ended */
    char why[CARRIER_WHY_MAX]; /* how its last connection ended: "bind_refused ESME_RINVPASWD" */
    struct receipt_hint hint;
    enum id_form submit_id; /* as its ids stand in the table */
};

/* ---- answers that wait ---- */

/* A deliver_sm that is answered when the ledger is durable up to `ready_at`. */
struct owed {
    uint16_t carrier, link;
    uint32_t generation;
    uint32_t sequence_number, command_id;
    uint64_t ready_at;
    uint64_t since_us;
};

/* The answer to a STOP waits for Redis too, at most STOP_HOLD_MS (P3). */
struct owed_stop {
    TAILQ_ENTRY(owed_stop) link;
    struct owed owed;
    uint64_t consent; /* the newest consent record: Redis must have it */
    uint64_t deadline_us;
};

/* ---- consent events on their way into Redis ---- */

struct projection_entry {
    TAILQ_ENTRY(projection_entry) link;
    struct consent_write write;
    /* WRITE_OPT_OUT that came as a reply: what its confirmation needs */
    bool confirm;
    Assent__V1__ServiceKind text;
    uint16_t program, carrier;
    uint8_t sender;
    char language[9];
    uint64_t received_wall_ms;
    uint64_t received_us; /* 0 for a replayed or imported one */
    bool imported;
};

TAILQ_HEAD(projection_list, projection_entry);

enum store_phase { STORE_DOWN, STORE_RESOLVING, STORE_CATCHING_UP, STORE_LIVE };

struct projection {
    enum store_phase phase;
    const char *why;      /* not live: for people */
    const char *warnings; /* about this Redis, in the place of `why` while live */
    char why_text[160];
    uint64_t applied;             /* Redis has everything up to here */
    uint64_t cursor;              /* CATCHING_UP: next ledger record to look at */
    uint64_t last_consent;        /* newest consent record appended */
    uint64_t position_sent;       /* newest position handed to Redis */
    struct projection_list queue; /* LIVE: waiting to be durable */
    struct projection_list sent;  /* handed to Redis, not acknowledged */
    bool has_acked;               /* `acked` is known: */
    uint64_t acked; /* Redis has acknowledged everything up to here, to this process or the last */
    uint64_t found; /* what Redis had when it came (back) */
    uint64_t life_from;              /* the first record of this process */
    struct projection_list doubtful; /* opt-outs that another gateway may have confirmed */
    uint32_t queue_count, sent_count, doubtful_count;
    uint64_t rewind;    /* CATCHING_UP: Redis did not take this record's write */
    uint32_t resolving; /* scope names asked for and not answered */
};

/* The other gateways on this Redis. */
struct node_watch {
    struct nodes all;
    uint64_t looked;     /* history at the last look of this connection; 0: none yet */
    uint64_t confirmed;  /* history in which Redis has all that our ledger holds; 0: not this one */
    uint64_t confirm_at; /* when Redis has this consent record it has all */
    uint64_t beat, first_beat; /* of this process */
    uint64_t beat_at_us;       /* the next one */
    bool asked;                /* a beat is on its way */
    bool joining, joined;      /* it, or the one before, has set our entry */
    bool trusted;              /* as of the last look */
    bool met;                  /* the others know that we are here */
    uint64_t joined_us, answered_us;
    bool full, leaving;
    enum node_state told; /* by the last beat */
    uint64_t doubled_until_us, gone_since_us;
    char forget[NAME_OCTETS_MAX + 1], clear[NAME_OCTETS_MAX + 1];
    char why[256]; /* not trusted: for people */
};

/* Notices of other gateways. */
struct notice_watch {
    bool asked;          /* they are being read */
    uint32_t lookups;    /* of numbers that they name */
    uint64_t read_at_us; /* next */
};

/* Who was erased by any gateway on this Redis. */
struct erased_watch {
    struct table people; /* of our ledger: key of the fingerprint -> when last */
    bool reachable;      /* Redis is */
    bool asked;
    bool compared; /* all that is there has been read since Redis is reachable */
    /* Our records up to this one were in Redis before any erasure that is not read yet was. Kept over connections. */
    uint64_t in_redis;
    bool knows_in_redis;
    uint64_t rank; /* of the next to be read, */
    uint64_t read_at_us;
    struct person_mark last; /* and of the one before it */
    uint64_t last_wall_ms;
};

/* An opt-out of the last minutes: one confirmation each (P4). */
struct recent_opt_out {
    TAILQ_ENTRY(recent_opt_out) link;
    struct recent_opt_out *next_same_number;
    uint64_t number;
    uint64_t sequence;
    uint64_t wall_ms;
    uint16_t scopes[WRITE_SCOPES_MAX];
    uint8_t scope_count;
    bool confirmed;
    bool erased; /* its person was, since: no snapshot has it */
};

/* A number and scope denied in memory, until Redis has the opt-out and no verdict from before can
 * still be waiting. `until_us` 0: Redis does not have it yet. */
struct denial {
    TAILQ_ENTRY(denial) link; /* denials_leaving, once until_us is set */
    uint64_t key;
    uint64_t sequence; /* the newest opt-out of this key */
    uint64_t until_us;
};

/* ---- texts that are not kept: secret.c ---- */

#define SECRET_TERMS 5

struct epoch {
    uint32_t id;
    struct secret *key;  /* NULL: the place is free */
    uint64_t open;       /* messages that need their text */
    uint64_t settled_at; /* the record after which the last of them did not */
    bool unsettled;      /* one more did not in this turn */
    bool closed;
};

struct secrets {
    struct epoch epochs[SECRET_KEYS_MAX];
    uint8_t open[SECRET_TERMS]; /* the epoch that texts join, + 1; 0: none */
    uint64_t close_at_us[SECRET_TERMS];
    bool look; /* an epoch may be at its end */
    uint8_t random[1024];
    size_t random_left;
    uint8_t encrypted[TEXT_OCTETS_MAX + SECRET_OVERHEAD]; /* the last one, */
    uint8_t hash[TEXT_HASH_SIZE];                         /* and this, until they are packed */
};

/* A lookup in Redis that somebody waits for: a consent call or a reply from a handset. */
struct inquiry;

/* ---- receipts ---- */

struct correlation {
    struct correlation *next_same_hash; /* newest first */
    struct correlation *next_of_message;
    uint64_t hash;
    struct message *message;
    uint16_t carrier;
    uint8_t part;
    uint8_t length;
    bool repeated; /* the carrier has given this id to more than one */
    char id[];     /* raw */
};

/* A receipt as it came. */
struct receipt_in {
    struct owed owed;
    uint64_t hash; /* of carrier and id */
    uint64_t number;
    uint8_t state;
    uint8_t id_length;
    char id[MESSAGE_ID_MAX]; /* raw */
    char error_code[12];
    char state_text[20]; /* a state that is no known word; "" else */
    bool late;           /* its message has ended without it */
};

/* A receipt that no message has claimed yet. At first it is early: neither recorded nor answered, since
 * the submit_sm_resp is most often just behind it, on another session. Then it is recorded as
 * unmatched and answered, and stays a while longer for a late submit_sm_resp to claim. */
struct parked_receipt {
    TAILQ_ENTRY(parked_receipt) link;
    uint64_t until_us;
    bool early;
    uint8_t part;     /* and */
    uint64_t message; /* joined: whose it is */
    struct receipt_in in;
};

TAILQ_HEAD(parked_list, parked_receipt);

/* An opt-out that may have meant something else: gateway/review.c. */
struct review {
    TAILQ_ENTRY(review) link;
    uint64_t number;
    uint64_t due_wall_ms;
    char address[22]; /* of ours */
    char carrier[NAME_OCTETS_MAX + 1];
    char rule[80];
    char language[9];
};

struct seen_reference {
    uint64_t hash;
    uint64_t wall_ms;
};

/* What became of the last messages, for engine_query(): a slot by the low bits of the id. */
struct ended_message {
    uint64_t id;
    uint16_t client, carrier;
    uint8_t outcome, parts, attempts;
};

struct engine {
    const struct config *config;
    const struct ports *ports;
    struct hash_key key;
    struct rng rng;
    struct instant now;
    struct metrics metrics;
    enum plant plant;

    struct message_store messages;
    struct ended_message *ended; /* ENDED_REMEMBERED */
    struct wheel wheel;
    struct wheel sender_wheel; /* of senders that wait */
    struct carrier *carriers;  /* CARRIERS_MAX: they never move */
    uint16_t carrier_count;    /* those that are in use */
    struct route_table *routes;
    uint64_t passed_over[2]; /* bits by carrier; [1] for codes and emergencies */
    uint64_t failover_round; /* counts changes of passed_over */

    uint64_t durable;
    struct {
        uint64_t sequence, at_us; /* 0: none on its way */
    } durable_sample;
    uint16_t first_carrier; /* whose bulk dispatch_turn() begins with */
    uint64_t ask_limit;     /* bulk before Redis; see adapt_ask_limit() */
    uint64_t ask_shortest_us;
    uint64_t opt_outs_until_us; /* until then they are taken to come: see pipeline_is_full() */
    uint64_t snapshot_at;       /* sequence at which the last snapshot began */
    bool draining, unbinding, drained;
    uint64_t drain_by_us;
    uint64_t intents_after_crash;

    /* Scope numbers by index of the configuration, PROGRAMS_MAX; 0: not known yet. */
    uint16_t *program_scope;
    uint16_t *brand_scope;      /* of the program's brand, by program index */
    struct table scope_program; /* scope number to program index + 1 */

    struct projection projection;
    struct node_watch nodes;
    struct notice_watch notices;
    struct imports imports;
    struct erasures *erasures;
    struct erased_watch erased;
    TAILQ_HEAD(, recent_opt_out) recent_opt_outs;
    struct table recent_by_number;
    TAILQ_HEAD(, again) agains; /* STARTs that Redis does not have yet, oldest first */
    size_t again_count;
    struct table denials; /* consent key to struct denial */
    TAILQ_HEAD(, denial) denials_leaving;

    struct preflight *preflights[PREFLIGHTS_MAX]; /* NULL: free */
    uint32_t preflight_checks;                    /* Redis has so many of theirs */

    struct table inquiries; /* cookie to struct inquiry */
    uint64_t next_inquiry;

    struct owed *owed; /* ring */
    size_t owed_start, owed_count, owed_size;
    TAILQ_HEAD(, owed_stop) owed_stops;

    struct table correlations; /* hash to struct correlation */
    size_t correlation_count;
    uint64_t *ended_ids;                           /* ENDED_IDS_REMEMBERED: hashes */
    struct receipt_in gathered[RECEIPTS_GATHERED]; /* since the last turn, not looked up yet */
    size_t gathered_count;
    struct parked_list early, parked; /* oldest first */
    struct parked_list joined;        /* claimed, and told in the next turn */
    struct table parked_by_key;
    uint64_t parked_count;

    TAILQ_HEAD(, vacancy) vacancies;
    struct table vacancy_by_number;

    struct table references; /* keyed hash to message id */
    struct seen_reference *reference_ring;
    size_t reference_start, reference_count, reference_size;

    struct reassembly *reassembly; /* parts of long replies */
    struct table help_given;       /* keyed hash of number and sender to wall ms */
    TAILQ_HEAD(, review) reviews;  /* oldest first */
    struct table reviews_by_key;   /* keyed hash of number and sender to struct review */
    struct keyword_set **words;    /* by program, PROGRAMS_MAX; NULL: ours alone */
    struct table opt_out_lines;    /* hash of language and other way to the line */
    struct brand **brands;         /* by program; content_text.c */
    struct complaint_desk *desk;   /* complaints.c */
    struct reputation_book *reputations;
    uint16_t content_round; /* counts configurations */
    struct table orphans;   /* recovery: messages whose program is no longer configured */

    struct sender_facts {
        const struct sender_config *row; /* NULL: not in the registry */
        bool may_originate;
    } * sender_facts; /* by program and place, SENDERS_MAX each; NULL: nothing is configured */
    struct quiet_book *quiet_book; /* NULL: no program keeps quiet hours */
    struct quiet_cache *quiet_cache;
    uint16_t zone_before; /* that a text has named last: those of a list come in runs */
    uint64_t quiet_held;  /* messages that wait for their end */

    struct secrets secrets;
    uint64_t texts_lost; /* messages that ended at the start for want of a key */

    uint8_t *scratch;   /* for packing one event */
    struct arena arena; /* for unpacking one */
};

#define SCRATCH_SIZE     (LEDGER_RECORD_MAX * 2)
#define INBOUND_TEXT_MAX 1024 /* UTF-8 of a reply that waits for Redis: a yes or no */
#define REPLY_TEXT_MAX   (REASSEMBLY_PARTS_MAX * (REASSEMBLY_TEXT_MAX + 1))

/* protobuf-c's strings are not const; packing does not write to them. */
#define UNCONST(string) ((char *)(uintptr_t)(string))

/* ---- record.c: appends an event; gives its sequence number ---- */
#define EVENT_INIT(e)                                                                              \
    {                                                                                              \
        PROTOBUF_C_MESSAGE_INIT(&assent__v1__event__descriptor), .wall_ms = (e)->now.wall_ms       \
    }
uint64_t record_event(struct engine *e, Assent__V1__Event *event,
                      const Assent__V1__Personal *personal);
/* Packs into the engine's scratch. */
void record_pack(struct engine *e, const Assent__V1__Event *event,
                 const Assent__V1__Personal *personal, struct span *ret_public,
                 struct span *ret_personal);
void record_attempt(struct engine *e, struct message *m);
/* Fills `form` with how the text is sent. */
Assent__V1__TextForm *record_form(const struct message *m, Assent__V1__TextForm *form);
void record_sent(struct engine *e, struct message *m, uint8_t part, struct span carrier_id);
void record_held(struct engine *e, struct message *m, Assent__V1__Reason reason,
                 uint64_t due_wall_ms);
void record_deferred(struct engine *e, struct message *m);
void record_ended(struct engine *e, struct message *m, Assent__V1__Outcome outcome,
                  Assent__V1__Reason reason, uint16_t scope, uint64_t cause);
/* By a STOP; `node`: at which it came, "" for this one. */
void record_cancelled(struct engine *e, struct message *m, uint16_t scope, uint64_t cause,
                      const char *node);

/* ---- secret.c: texts that are not kept ---- */
bool secret_is_text(const struct engine *e, uint16_t program, uint8_t message_class);
/* False: no key is to be had now. */
bool secret_is_ready(struct engine *e, uint64_t lifetime_us);
/* The message has just been made, and secret_is_ready(): from here on its text is to be put in by secret_put(),
 * where it has an epoch. */
void secret_join(struct engine *e, struct message *m);
/* Instead of the text; good until the next call. `id`: of the message, which may not have it yet. */
void secret_put(struct engine *e, const struct message *m, uint64_t id,
                Assent__V1__Personal *personal);
/* What its program wants to keep of it. */
void secret_put_hash(struct engine *e, const struct message *m, Assent__V1__Personal *personal);
/* The text is needed no more. */
void secret_release(struct engine *e, struct message *m);
/* The text of an `accepted`, in `out` or in `personal`; *ret_epoch is for the message. Lost: without its key. */
struct span secret_replay(struct engine *e, uint64_t id, const Assent__V1__Personal *personal,
                          char out[TEXT_OCTETS_MAX], uint8_t *ret_epoch, bool *ret_lost);
/* This may be a copy of another process: no nonce of its may be used here. */
void secret_forked(struct engine *e);
void secrets_turn(struct engine *e);          /* after all that records an end */
bool secrets_settled(const struct engine *e); /* every key that could be destroyed is */
uint64_t secrets_next_us(const struct engine *e);
void secrets_free(struct engine *e);

/* ---- registry.c: which senders may send what where; gateway/registry.h ---- */
void registry_configure(struct engine *e); /* at start, and when the configuration changes */
void registry_release(struct engine *e);
void registry_facts(const struct engine *e, const struct message *m, struct gate_facts *facts);
/* Why nothing of this class goes from this sender to this number, or NULL. */
const char *registry_refuses(const struct engine *e, uint16_t program, uint8_t sender,
                             Assent__V1__Class message_class, uint64_t number);
bool sender_is_answerable(const struct engine *e, uint16_t program, uint8_t sender);

/* ---- opt_out_text.c ---- */
/* The line that marketing with this text needs under it, or NULL when it says how to end it. `by_reply`: a
 * reply can come to its sender. */
const char *opt_out_line_for(struct engine *e, const struct program_config *program, bool by_reply,
                             const char *language, struct span text);
void opt_out_lines_release(struct engine *e);

/* ---- content_text.c ---- */
void content_configure(struct engine *e); /* at start, and when the configuration changes */
void content_release(struct engine *e);
/* Why no such text is accepted, or NULL. */
const char *content_refuses(const struct engine *e, uint16_t program,
                            Assent__V1__Class message_class, struct span text);
/* What is to be put before it, "Acme: ", or NULL; stays as long as the engine. */
const char *content_prefix(const struct engine *e, uint16_t program,
                           Assent__V1__Class message_class, struct span text);
/* The text has been made whole just now. */
void content_accepted(const struct engine *e, struct message *m);
/* To be called before the gate is asked: the text is looked at where its rules may be others by now. */
void content_look(const struct engine *e, struct message *m);
void content_facts(const struct engine *e, const struct message *m, struct gate_facts *facts);

/* ---- admit.c ---- */
void ended_remember(struct engine *e, const struct message *m, Assent__V1__Outcome outcome);
/* A message of the gateway's own: confirmation, help, question, welcome. Gives its id, 0 when it
 * cannot be made. */
/* The message as it would be accepted, in no table and on no list, or NULL; *ret_verdict says more. */
struct message *admit_preview(struct engine *e, uint16_t client, const Assent__V1__Message *in,
                              struct submit_verdict *ret_verdict);
uint64_t admit_service(struct engine *e, Assent__V1__ServiceKind kind, uint16_t program,
                       uint8_t sender, uint64_t number, const char *language, uint64_t cause,
                       int carrier, uint64_t ttl_ms);
/* Plans the text by the rules of the message's carrier, and so decides its parts anew. To be called
 * when m->carrier has changed, while the message stands in no queue and holds nothing. False, and
 * nothing has changed: the carrier cannot take this text, or parts are written already and it would
 * take others. */
bool message_plan(struct engine *e, struct message *m);
struct text_plan message_text_plan(const struct message *m);
void message_set_text_plan(struct message *m, const struct text_plan *plan);
uint64_t reference_hash(const struct engine *e, const char *client, const char *reference);
void reference_remember(struct engine *e, uint64_t hash, uint64_t id, uint64_t wall_ms);
/* Puts an accepted message where it waits: schedule, retry or the queue of the best carrier. */
void message_wait(struct engine *e, struct message *m, bool front);
void engine_timer_fired(struct engine *e, struct message *m);
bool program_knows_client(const struct engine *e, uint16_t client, int program);

/* ---- quiet.c ---- */
void quiet_configure(struct engine *e); /* again with every configuration */
void quiet_release(struct engine *e);
/* NULL: the program keeps no quiet hours for this class. The answer is good until the next call. */
const struct quiet_answer *quiet_of(const struct engine *e, const struct program_config *program,
                                    Assent__V1__Class message_class, uint64_t number, uint16_t zone,
                                    uint64_t wall_ms);
const struct quiet_answer *message_quiet(const struct engine *e, const struct message *m,
                                         uint64_t wall_ms);
/* When it may go, of the wall clock; 0: now, by this gate. */
uint64_t message_quiet_until(const struct engine *e, const struct message *m);
/* True: it is quiet there now, and `due_us` is when to ask again. It stands in no queue, or leaves it
 * then; nothing is recorded. */
bool message_is_quiet(struct engine *e, struct message *m);
void message_wait_until(struct engine *e, struct message *m, uint64_t wall_ms); /* sets due_us */
uint64_t message_due_wall_ms(const struct engine *e, const struct message *m);
void message_record_quiet(struct engine *e, struct message *m);
void message_set_quiet(struct engine *e, struct message *m, bool quiet);
/* False where there is no answer. */
bool quiet_local_time(const struct quiet_answer *answer, Assent__V1__LocalTime *ret_local);

/* ---- dispatch.c ---- */
void dispatch_turn(struct engine *e);
void gate_turn(struct engine *e);
void wire_turn(struct engine *e);
uint64_t dispatch_next_us(struct engine *e);
bool message_in_scopes(const struct engine *e, const struct message *m, const uint16_t *scopes,
                       uint8_t count);
/* The scopes whose opt-outs deny it, by its class. */
uint8_t message_scopes(const struct engine *e, const struct message *m,
                       uint16_t out[CHECK_SCOPES_MAX]);
/* ---- gates.c: the facts for consent/policy.h ---- */
enum purpose message_purpose(const struct message *m);
/* What configuration and message say by themselves. */
void gates_own_facts(const struct engine *e, const struct message *m, struct gate_facts *ret_facts);
/* What is asked of Redis about it; an answer is read against the same check made again. */
void gates_check(const struct engine *e, const struct message *m, struct check *ret_check);
void gates_add_answer(const struct engine *e, const struct message *m, const struct check *asked,
                      const struct check_result *result, struct gate_facts *facts);
/* The opt-out's scope that denied, for the record; 0 for none. */
uint16_t gates_denied_scope(const struct check *asked, const struct check_result *result);
/* What this gateway knows and Redis may not yet: an opt-out of the last moments. */
bool gates_denied_here(const struct engine *e, const struct message *m, enum gate *ret_gate,
                       uint16_t *ret_scope);
/* The same as a fact. */
void gates_add_denial(const struct engine *e, const struct message *m, struct gate_facts *facts);
/* An opt-out does not stop it: confirmation of an opt-out, help, emergency. */
bool message_is_exempt(const struct message *m);

/* ---- preflight.c: dry runs ---- */
#define PREFLIGHT_COOKIE (1ull << 63) /* in the cookie of a check: it is a dry run's */
void preflight_turn(struct engine *e);
bool preflight_waits(const struct engine *e); /* to ask: the next turn is due soon */
void preflight_checked(struct engine *e, const struct check_result *result);
void preflights_free(struct engine *e);

/* ---- answer.c ---- */
/* A request's cookie is message id << PART_BITS | part - 1. */
#define PART_BITS 4
void message_request_ended(struct engine *e, uint64_t cookie, enum request_end end,
                           uint32_t command_status, struct span carrier_id);
void message_late_answer(struct engine *e, uint64_t cookie, uint32_t command_status,
                         struct span carrier_id);
/* When every part that was written has its answer: what becomes of the message? */
void message_settle(struct engine *e, struct message *m);
/* The carrier's exceptions first, then the standard's table. */
enum status_policy carrier_status_policy(const struct carrier_config *carrier, uint32_t status);
/* What is unknown may go out once more, by its program's policy (P6). */
bool may_send_again(const struct engine *e, const struct message *m);

/* ---- sender.c: the rate of one sender at one carrier, where the carrier limits that ---- */
/* queue_join_flow() at the message's carrier, with the sender that its flow keeps to. */
void message_join_flow(struct engine *e, struct message *m, const char *label);
/* Of `room` what the sender of `m`, the head of its flow, may write. 0: its flow is parked. */
uint32_t sender_room(struct engine *e, struct message *m, uint32_t room);
void sender_reserve(struct engine *e, struct message *m); /* m->reserved of its parts */
void sender_give_back(struct engine *e, struct message *m);
void sender_write(struct engine *e, struct sender *s);
void senders_turn(struct engine *e); /* those whose time has come take their turns again */
void senders_flushed(struct carrier *c, uint64_t now_us);
#define PAUSES_OF_SENDERS (PAUSE_SENDER_RATE | PAUSE_SENDER_DAILY | PAUSE_REPUTATION)
void sender_day_replay(struct engine *e, const Assent__V1__SenderDay *body);
/* Fills the record of what it may have written; false: nothing to tell. `body` points into `s`. */
bool sender_day_describe(const struct sender *s, Assent__V1__SenderDay *body);
/* The carrier has other settings. */
void senders_configure(struct engine *e, struct carrier *c);
void senders_release(struct carrier *c);

/* ---- failover.c ---- */
/* The carrier for a new message, or -1 when no route leads to its number. */
int route_find(struct engine *e, const struct route_query *query);
/* Its carrier alone is another then; it stands in no queue, and nothing of it is on the wire. */
void message_set_carrier(struct engine *e, struct message *m, uint16_t carrier);
/* To the best carrier that is fit and takes its text, when it may go; it stands in no queue. */
void message_reroute(struct engine *e, struct message *m);
/* Its carrier will not have it: to the next route. False when there is none, or it may not go. */
bool message_go_elsewhere(struct engine *e, struct message *m);
void carrier_refuses(struct engine *e, struct carrier *c);
void carrier_takes(struct carrier *c);
void failover_turn(struct engine *e);
uint64_t failover_next_us(const struct engine *e);

/* ---- ending.c ---- */
/* Ends a message: record, counters, tokens and slots given back, correlations dropped. */
void message_end(struct engine *e, struct message *m, Assent__V1__Outcome outcome,
                 Assent__V1__Reason reason, uint16_t scope, uint64_t cause);
/* By a STOP, as record_cancelled(). */
void message_cancel(struct engine *e, struct message *m, uint16_t scope, uint64_t cause,
                    const char *node);
/* The same without a record, for outcomes that another record holds already. */
void message_finish(struct engine *e, struct message *m, Assent__V1__Outcome outcome);
/* Tokens and slots of parts that are not written. */
void message_give_back(struct engine *e, struct message *m);
/* Off its queue, timer and counts, with nothing held: before a change of state. */
void message_leave_state(struct engine *e, struct message *m);
/* Gives back what it holds and lets it wait again. */
void message_hold(struct engine *e, struct message *m, Assent__V1__Reason reason);
/* The same, until a time; nothing of it is written yet. */
void message_hold_until(struct engine *e, struct message *m, Assent__V1__Reason reason,
                        uint64_t due_wall_ms);
void message_to_sent(struct engine *e, struct message *m);
void message_in_doubt(struct engine *e, struct message *m, uint64_t until_us);
uint16_t all_parts(const struct message *m);
static inline struct carrier *message_carrier(struct engine *e, const struct message *m)
{
    return &e->carriers[m->carrier];
}

/* ---- carrier.c ---- */
void carriers_init(struct engine *e);
void carriers_release(struct engine *e);
void carrier_init(struct engine *e, uint16_t index);
void carriers_turn(struct engine *e);  /* ticks, opens */
void carriers_flush(struct engine *e); /* writes out, cleans up links that ended */
uint64_t carriers_next_us(const struct engine *e);
/* A session that may take the message's next part, or NULL. Sets PAUSE_SESSION_RATE when only a
 * session's own rate stands against it. */
struct carrier_link *carrier_pick_link(struct engine *e, struct carrier *c,
                                       const struct message *m);
/* The session's own rate, up to date; NULL when it has none. */
struct throttle *link_throttle(const struct engine *e, const struct carrier *c,
                               struct carrier_link *link);
uint32_t carrier_bound(const struct carrier *c);
/* What its peers did that needs no action, over all sessions. */
struct session_counts carrier_odd(const struct carrier *c);
/* How many parts of the message it may take: places in its window, less what is reserved, and what its
 * own rate allows. */
uint32_t link_room(struct engine *e, struct carrier *c, struct carrier_link *link,
                   const struct message *m);
uint32_t carrier_unanswered(const struct carrier *c);
/* The carrier refused a submit_sm of `m` for its pace: the lane stands still, and what was on its way
 * to the wire goes back to its place. */
void lane_refused(struct engine *e, struct carrier *c, enum refusal about, const struct message *m);
void link_answer(struct engine *e, uint16_t carrier, uint16_t link, uint32_t generation,
                 uint32_t command_id, uint32_t sequence_number, uint32_t status);
void owe_answer(struct engine *e, const struct owed *owed);
void owe_stop_answer(struct engine *e, const struct owed *owed);
void owed_turn(struct engine *e);
uint64_t owed_next_us(const struct engine *e);

/* ---- correlation.c ---- */
void correlation_init(struct engine *e);
void correlation_release(struct engine *e);
uint64_t correlation_hash(const struct engine *e, uint16_t carrier, struct span id,
                          enum id_form form);
struct correlation *correlation_add(struct engine *e, struct message *m, uint8_t part,
                                    struct span carrier_id);
struct correlation *correlation_find(struct engine *e, const struct receipt_in *in);
void correlation_respell(struct engine *e, uint16_t carrier);
/* What is known of an id that no open message has: that its message has ended, with a receipt of it or
 * without one. Ids of long ago are forgotten. */
enum ended_id { ID_NEVER_SEEN, ID_ENDED, ID_REPORTED };
enum ended_id correlation_ended(const struct engine *e, const struct receipt_in *in);
void correlate_drop(struct engine *e, struct message *m);
/* Has the processor fetch the place where an ended id is remembered. */
void correlation_prefetch(const struct engine *e, const struct receipt_in *in);

/* ---- receipt_hint.c ---- */
void hint_unmatched(struct engine *e, const struct receipt_in *in);
const char *hint_text(const struct carrier *c, uint64_t now_us);

/* ---- receipts.c ---- */
void receipts_init(struct engine *e);
void receipts_release(struct engine *e);
/* A part has its carrier id; its receipt may have come before. */
void correlate_add(struct engine *e, struct message *m, uint8_t part, struct span carrier_id);
/* `owed` is answered when what the receipt says is durable. Gathers until the turn, when every session has
 * been read: the submit_sm_resp may stand on another one. receipts_take() acts. */
void receipt_came(struct engine *e, const struct owed *owed, const struct sm_body *body);
void receipts_take(struct engine *e);
uint64_t receipts_next_us(const struct engine *e);
/* A message that has just become SENT may have its receipts already. */
void receipts_settle(struct engine *e, struct message *m);
void receipts_turn(struct engine *e);
/* The outcome of a message whose receipts are not all there when its time is over. */
Assent__V1__Outcome receipts_overdue(const struct message *m);
/* Replay of a recorded receipt. */
void receipt_apply(struct engine *e, struct message *m, uint8_t part, uint8_t state);
void receipt_park_again(struct engine *e, int carrier, const Assent__V1__Receipt *body,
                        uint64_t number);
Assent__V1__Outcome outcome_of_receipt(uint8_t state);

/* ---- recipient_news.c ---- */
enum recipient_news news_of_receipt(const struct engine *e, uint16_t carrier, uint8_t state,
                                    const char *error_code);
/* Before the receipt is recorded and applied; opts out, and so may end the message when it waits. */
void news_take_receipt(struct engine *e, const struct message *m, uint8_t state,
                       const char *error_code);
/* By the answer to a submit_sm; the first after the message was settled, the second before. */
void news_opted_out(struct engine *e, const struct message *m, uint32_t command_status);
void news_unknown_subscriber(struct engine *e, const struct message *m, uint32_t command_status);
void news_replay_receipt(struct engine *e, const struct message *m, const Assent__V1__Receipt *body,
                         uint64_t wall_ms);

/* ---- vacancy.c ---- */
void vacancies_init(struct engine *e);
void vacancies_release(struct engine *e);
/* One more message met with an unknown subscriber; `code` says by what. */
void vacancy_note(struct engine *e, const struct message *m, const char *code);
void vacancy_replay(struct engine *e, uint64_t number, uint64_t wall_ms);
void vacancy_replay_mark(struct engine *e, uint64_t number, uint64_t wall_ms);
/* One was delivered. */
void vacancy_end(struct engine *e, uint64_t number);
/* The day of a consent given then, to be kept where the number is marked, or may be by a register; else 0. */
uint32_t vacancy_consent_day(const struct engine *e, uint64_t number, uint64_t wall_ms);
/* Snapshots: the one after `v`, oldest first; NULL begins and ends. */
const struct vacancy *vacancy_after(const struct engine *e, const struct vacancy *v);
uint64_t vacancy_describe(const struct vacancy *v, Assent__V1__SeenVacancy *body); /* its number */
void vacancy_seen(struct engine *e, const Assent__V1__SeenVacancy *body, uint64_t number);

/* ---- inbound.c ---- */
void inbound_came(struct engine *e, const struct owed *owed, const struct sm_body *body);
void inbound_looked_up(struct engine *e, struct inquiry *q, bool ok,
                       const struct consent_state *state);

/* A reply from a handset, decoded. */
struct reply {
    struct owed owed;      /* command_id 0: nobody waits for an answer */
    struct part part;      /* PART_NONE: a text for itself */
    bool incomplete;       /* parts are missing: it may take consent away, not give it */
    uint64_t number;       /* 0: the source address is no number */
    uint64_t came_wall_ms; /* 0: now */
    const char *address;   /* of ours */
    const char *text;      /* UTF-8 */
    struct span raw;
    uint16_t programs[SENDERS_MAX]; /* that send from this address */
    uint16_t program_count;
    uint8_t sender; /* index in the first program's senders */
};
/* Fills programs and sender from the address. */
void reply_programs(const struct engine *e, struct reply *r);
/* Does what the text asks for, and owes the answer. False: only Redis can tell whether a question is
 * open; inbound_looked_up() goes on. */
bool reply_act(struct engine *e, struct reply *r);
void reply_stop(struct engine *e, struct reply *r, const struct keyword_match *match);
void reply_record(struct engine *e, const struct reply *r, const char *meaning,
                  const struct keyword_match *match);
void reply_ordinary(struct engine *e, struct reply *r, const struct keyword_match *match);
/* START: what was before the STOP stands again; the opt-in was never taken out of Redis. */
void reply_start(struct engine *e, struct reply *r, const struct keyword_match *match, bool answer);
/* Owes the answer to what has been recorded so far. */
void reply_answer(struct engine *e, struct reply *r);

/* One of the texts that answer an opt-out (P4). */
static inline bool service_confirms(unsigned kind)
{
    return kind == ASSENT__V1__SERVICE_KIND__OPT_OUT_CONFIRMATION ||
           kind == ASSENT__V1__SERVICE_KIND__WHICH_MESSAGES ||
           kind == ASSENT__V1__SERVICE_KIND__MARKETING_STOPPED;
}

/* ---- program_words.c ---- */
/* What it means to the programs that its address serves. */
struct keyword_match reply_match(const struct engine *e, const struct reply *r, bool pending);
void program_words_configure(struct engine *e); /* at start, and when the configuration changes */
void program_words_release(struct engine *e);

/* ---- review.c ---- */
#define REVIEW_SILENCE "silence" /* how the opt-out came about that nobody's answer prevented */
/* Marketing stops; of MEANING_REVIEW what was meant is asked, and all stops where no answer comes. */
void reply_review(struct engine *e, struct reply *r, const struct keyword_match *match);
/* Takes a yes or no to that question; false: none is open. */
bool review_answer(struct engine *e, struct reply *r, const struct keyword_match *answer);
void reviews_opted_out(struct engine *e, uint64_t number, const uint16_t *scopes, uint8_t count);
void reviews_opted_in_again(struct engine *e, uint64_t number, const uint16_t *scopes,
                            uint8_t count);
void review_replay(struct engine *e, const Assent__V1__Event *event, uint64_t number);
/* The record that opens it again: for snapshots. Points into the arguments. */
void review_describe(const struct review *review, Assent__V1__Inbound *body,
                     Assent__V1__Personal *personal);
void reviews_turn(struct engine *e);
uint64_t reviews_next_us(const struct engine *e);
void reviews_release(struct engine *e);

/* ---- long_reply.c ---- */
void long_reply_came(struct engine *e, struct reply *r);
/* What the whole text asked for is recorded: no part is waited for any more. */
void long_reply_close(struct engine *e, const struct part *part);
void long_replies_turn(struct engine *e);
uint64_t long_replies_next_us(const struct engine *e);
void long_reply_replay(struct engine *e, const Assent__V1__Event *event,
                       const Assent__V1__Personal *personal);
/* The record of the set's text at index `at`, which points into `set` and itself; false: none is there. */
struct part_record {
    Assent__V1__ReplyPart form;
    Assent__V1__Inbound body;
    Assent__V1__Personal personal;
    Assent__V1__Event event;
};
bool long_reply_describe(const struct engine *e, const struct part_set *set, unsigned at,
                         struct part_record *ret_record);

/* An opt-out, whoever asked for it: memory first, then queue, ledger and Redis. Gives the sequence
 * number of its record. */
struct opt_out {
    uint64_t number;
    uint16_t scopes[WRITE_SCOPES_MAX];
    uint8_t scope_count;
    Assent__V1__ConsentSource source;
    const char *client, *carrier, *sender, *rule, *language, *how, *text, *evidence;
    struct span raw;
    int program;            /* -1: none */
    const char *reach_rule; /* of the law, that widened the reach; NULL: none */
};
/* Without its reach. */
struct opt_out opt_out_of_reply(const struct engine *e, const struct reply *r,
                                const struct keyword_match *match);
uint64_t opt_out_apply(struct engine *e, const struct opt_out *o);
/* What waits for this number in these scopes is cancelled, by the opt-out's record `cause` at `node`, "" for this
 * one; what is on the wire is not sent again. */
void messages_opted_out(struct engine *e, uint64_t number, const uint16_t *scopes, uint8_t count,
                        uint64_t cause, const char *node);
struct stop_reach_scopes;
void opt_out_reach(struct opt_out *o, const struct stop_reach_scopes *reach);

/* ---- reach.c ---- */
struct stop_reach_scopes {
    uint16_t scopes[WRITE_SCOPES_MAX];
    uint8_t count;
    const struct revocation_rule *rule; /* of the law, that widened it; NULL: none */
};
/* What a STOP ends that takes effect now and is about all these programs; none: everything. More scopes
 * than a record holds become everything too. */
void stop_reach_of(const struct engine *e, uint64_t number, const uint16_t *programs,
                   uint16_t count, struct stop_reach_scopes *ret_reach);
/* False, and nothing changed: it is full. */
bool reach_add(struct stop_reach_scopes *reach, uint16_t scope);

/* ---- consent.c ---- */
enum inquiry_kind {
    INQUIRY_REQUEST,
    INQUIRY_CONFIRM,
    INQUIRY_SHOW,
    INQUIRY_REPLY, /* a yes or no from a handset */
    INQUIRY_HELP,  /* has it been given by another gateway? `call` is its cause */
    INQUIRY_CONFIRMATION,
    INQUIRY_JOIN, /* a handset asks for the question */
    INQUIRY_RECORD,
    INQUIRY_RELEASE,
    INQUIRY_NOTICE, /* of another gateway: does the opt-out stand? */
    INQUIRY_ERASURE,
};

struct inquiry {
    enum inquiry_kind kind;
    uint64_t cookie;
    uint64_t call;
    uint16_t client;
    uint64_t number;
    uint16_t programs[SENDERS_MAX]; /* asked one after the other */
    uint16_t program_count, at;
    uint8_t sender;
    /* INQUIRY_REPLY, INQUIRY_JOIN */
    struct owed owed;
    struct keyword_match match;                        /* while a question is pending */
    struct keyword_match plain;                        /* while none is */
    char rules[2][KEYWORD_RULE_SIZE], languages[2][9]; /* theirs: a program's words may change */
    char address[22];
    struct part part;
    char text[INBOUND_TEXT_MAX];
    uint8_t raw[256];
    uint16_t raw_length;
    char rule[JOIN_WORD_MAX + 8]; /* "join/acme" */
    bool claimed;                 /* INQUIRY_JOIN, INQUIRY_REQUEST: no other gateway asks */
    bool lifted;                  /* INQUIRY_JOIN: its opt-out */
    uint64_t came_wall_ms;
    uint64_t came_at;            /* INQUIRY_JOIN: the ledger's next record then */
    uint32_t open_count;         /* INQUIRY_REPLY: questions that it may answer, */
    struct consent_state newest; /* and the one that it does */
    uint16_t newest_program;
    /* INQUIRY_REQUEST, INQUIRY_CONFIRM, INQUIRY_RECORD, INQUIRY_RELEASE */
    uint64_t obtained_wall_ms;
    bool import;
    char source[129];
    char language[9];
    char token[65];
    char *evidence;
    /* inquiry_ask_once(): what its answer does; it frees the inquiry */
    void (*once_answered)(struct engine *e, struct inquiry *q, enum once_answer answer);
    struct projection_entry *opt_out; /* INQUIRY_CONFIRMATION; owned */
    struct notice notice;             /* INQUIRY_NOTICE */
    /* INQUIRY_SHOW */
    Assent__V1__ProgramConsent *shown;
};
struct inquiry *inquiry_new(struct engine *e, enum inquiry_kind kind);
void inquiry_free(struct engine *e, struct inquiry *q);
/* Asks Redis about programs[at]; false when it is away. */
bool inquiry_ask(struct engine *e, struct inquiry *q);
/* Asks whether it is the first time in `ttl_ms` over all gateways that this happens to q->number in `scope`;
 * q->once_answered goes on. False, and nothing was asked: Redis is away. */
bool inquiry_ask_once(struct engine *e, struct inquiry *q, enum once_kind kind, uint16_t scope,
                      uint64_t ttl_ms);
/* An inquiry that holds all of the reply. */
struct inquiry *inquiry_of_reply(struct engine *e, enum inquiry_kind kind, const struct reply *r);
/* What may deny a program's marketing, in the order in which it is told. */
#define SHOWN_SCOPES 5
void shown_scopes(const struct engine *e, uint16_t program, uint16_t out[SHOWN_SCOPES]);

/* An operator takes a hold back: those from before `before_wall_ms`; 0: all. Gives the record's sequence number. */
uint64_t hold_release(struct engine *e, uint64_t number, const char *who, const char *reason,
                      uint64_t before_wall_ms);

/* ---- complaints.c ---- */
void complaints_init(struct engine *e);
void complaints_release(struct engine *e);
/* Redis has the opt-out of this record; it was not there before. */
void complaint_hold_written(struct engine *e, uint64_t sequence, bool added);
uint64_t complaints_first_message(const struct engine *e); /* that an open one names; UINT64_MAX */
void complaints_store_away(struct engine *e); /* nothing that was not acknowledged will be soon */
/* `personal` NULL: erased. */
void complaints_replay(struct engine *e, uint64_t sequence, const Assent__V1__Event *event,
                       const Assent__V1__Personal *personal);
void complaints_snapshot(struct engine *e,
                         void (*put)(void *context, Assent__V1__Event *event,
                                     const Assent__V1__Personal *personal),
                         void *context);

/* ---- reputations.c ---- */
void reputations_init(struct engine *e);
void reputations_release(struct engine *e);
void reputations_begin(struct engine *e); /* all is replayed: from here on thresholds count */
void reputations_turn(struct engine *e);
/* A record of the message, Ended or Receipt, that is being made or replayed; the message has not changed yet. */
void reputation_ended(struct engine *e, const struct message *m, const Assent__V1__Ended *body,
                      uint64_t wall_ms);
void reputation_reported(struct engine *e, struct message *m, const Assent__V1__Receipt *body,
                         uint64_t wall_ms);
/* `number` 0: erased. */
void reputation_opted_out(struct engine *e, uint64_t number, const Assent__V1__OptedOut *body,
                          uint64_t wall_ms);
void reputations_erase(struct engine *e, const struct person_mark *person);
void reputation_complained(struct engine *e, const char *sender, const char *carrier,
                           uint64_t wall_ms);
/* It may not be written: its sender is paused at its carrier. What has begun is not held. */
bool reputation_holds(const struct engine *e, const struct message *m);
/* The same for the head of a flow, which is parked with it. */
bool reputation_parks(struct engine *e, const struct message *m);
void reputations_replay(struct engine *e, uint64_t sequence, const Assent__V1__Event *event,
                        const Assent__V1__Personal *personal);
void reputations_snapshot(const struct engine *e,
                          void (*put)(void *context, Assent__V1__Event *event,
                                      const Assent__V1__Personal *personal),
                          void *context);

/* ---- question.c ---- */
/* Where the number stands in the program, by what Redis says and what is on its way there. */
enum state consent_state_of(const struct engine *e, uint16_t program, uint64_t number,
                            const struct consent_state *s);
/* The same, without opt-outs. */
enum state consent_state_beneath(const struct engine *e, uint16_t program, uint64_t number,
                                 const struct consent_state *s);
/* Redis answered about a request or a JOIN; they end here or go on by themselves. */
void question_looked_up(struct engine *e, struct inquiry *q, const struct consent_state *s);
void question_away(struct engine *e, struct inquiry *q);
/* True when the reply asks to join a program; its answer comes by itself then. */
bool question_join(struct engine *e, const struct reply *r, const struct keyword_match *plain);
/* A yes or no: gathers what may be meant, program by program; then answers the newest question. False:
 * none was open. */
void question_note(const struct engine *e, struct inquiry *q, const struct consent_state *s);
bool question_answer(struct engine *e, struct inquiry *q);
/* The second step of a double opt-in: record, Redis, welcome text. */
struct opt_in_proof {
    uint16_t program;
    const struct consent_state *asked; /* the question */
    uint64_t number;
    Assent__V1__ConsentSource source;
    uint32_t open_questions;
    const char *language, *rule, *text;
    struct span raw;
    int carrier; /* -1: by route */
};
uint64_t question_confirm(struct engine *e, const struct opt_in_proof *proof);

/* ---- denial.c: the deny set, and recent opt-outs for P4 ---- */
void deny_add(struct engine *e, uint64_t number, uint16_t scope, uint64_t sequence);
/* START: opt-outs of records below this one. */
void deny_lift(struct engine *e, uint64_t number, uint16_t scope, uint64_t sequence);
/* Redis has the opt-out of this record (and all before it). */
void deny_acknowledged(struct engine *e, uint64_t number, uint16_t scope, uint64_t sequence);
void deny_all_acknowledged(struct engine *e);
/* The scope that denies, or -1. */
int deny_find(const struct engine *e, uint64_t number, const uint16_t *scopes, uint8_t count);
/* One of them denies by a record from `sequence` on. */
bool deny_is_newer(const struct engine *e, uint64_t number, const uint16_t *scopes, uint8_t count,
                   uint64_t sequence);
void recent_add(struct engine *e, const struct consent_write *write, uint64_t wall_ms);
/* The opt-out of this record has its confirmation. */
void recent_mark(struct engine *e, uint64_t number, uint64_t sequence);
/* This opt-out, or one that covers it and stands, has had its confirmation. */
bool recent_confirmed(const struct engine *e, const struct consent_write *write);
/* START: what covers one of these scopes, of records below this one, stands no more, and needs no
 * confirmation any more. */
void recent_lift(struct engine *e, uint64_t number, const uint16_t *scopes, uint8_t count,
                 uint64_t sequence);
void denials_turn(struct engine *e);
void denials_release(struct engine *e);

/* ---- again.c: what follows a START ---- */
/* The text that says so is owed, until Redis has lifted it. */
void again_owe(struct engine *e, const struct reply *r, const char *language, uint64_t sequence);
void again_written(struct engine *e, const struct consent_write *write, bool lifted);
void agains_release(struct engine *e);

/* ---- projection.c ---- */
void projection_init(struct engine *e);
void projection_release(struct engine *e);
void projection_turn(struct engine *e);
/* Asks for scope numbers of programs that are new. */
void scopes_resolve_new(struct engine *e);
/* A consent event was appended. */
void projection_note(struct engine *e, uint64_t sequence, const Assent__V1__Event *event,
                     const Assent__V1__Personal *personal);
/* A write of this kind for number and scope is on its way into Redis, and no erasure behind it. */
bool projection_pending(const struct engine *e, enum consent_write_kind kind, uint64_t number,
                        uint16_t scope);
/* The gate is open, and a write of a record up to this one is on its way to Redis. */
bool projection_owes(const struct engine *e, uint64_t sequence);
bool projection_done(const struct engine *e, uint64_t sequence);
/* This record has been looked at again, since Redis came (back), or need not be. */
bool projection_passed(const struct engine *e, uint64_t sequence);
static inline bool gate_is_open(const struct engine *e)
{
    return e->projection.phase == STORE_LIVE;
}
/* The gate is shut: the first record that Redis has not acknowledged. 0: it is open, or that is not known.
 * GateState keeps it, so that Redis' own position is not believed where it is ahead. */
uint64_t projection_write_from(const struct engine *e);
void projection_replay_gate(struct engine *e, const Assent__V1__GateState *body);
/* The gate closes although Redis is there. */
void projection_close(struct engine *e, const char *why);
uint64_t projection_next_us(const struct engine *e);
void scope_learn(struct engine *e, const char *name, uint16_t number);
int carrier_index(const struct engine *e, const char *name);
int sender_index(const struct program_config *program, const char *sender);

/* ---- confirmation.c: of opt-outs that came as a reply (P4) ---- */
/* Redis has the write of this entry, which is taken over. */
/* Before an opt-out is written; false: Redis takes no more now. */
bool confirmation_keep(struct engine *e, const struct projection_entry *entry);
void confirmation_written(struct engine *e, struct projection_entry *entry, bool added);
void confirmations_turn(struct engine *e);

/* ---- nodes.c: the other gateways on this Redis ---- */
void nodes_up(struct engine *e);
void nodes_down(struct engine *e);
void nodes_turn(struct engine *e);
uint64_t nodes_next_us(const struct engine *e);
/* The others know of us: what we write is ours to write again. */
bool nodes_may_write(const struct engine *e);
/* This Redis has all that any gateway has ever written there; nodes.why says what is missing. */
bool nodes_trust(const struct engine *e);
/* Tells the others that this gateway ends; true when that is done or cannot be. */
bool nodes_sign_off(struct engine *e);
struct nodes_record {
    Assent__V1__NodesSeen body;
    Assent__V1__SeenNode nodes[NODES_MAX], *pointers[NODES_MAX];
};
/* Fills what points into `nodes` and itself. */
void nodes_describe(const struct nodes *nodes, struct nodes_record *ret);
void nodes_replay(struct engine *e, const Assent__V1__NodesSeen *body);

/* ---- notices.c: opt-outs that came at another gateway ---- */
bool notices_wanted(const struct engine *e); /* there are others on this Redis */
void notices_turn(struct engine *e);
uint64_t notices_next_us(const struct engine *e);
void notice_looked_up(struct engine *e, struct inquiry *q, bool ok,
                      const struct consent_state *state);

/* ---- erasure.c ---- */
void erasures_init(struct engine *e);
void erasures_release(struct engine *e);
void erasures_turn(struct engine *e);
uint64_t erasures_next_us(const struct engine *e);
void erasures_status(const struct engine *e, struct engine_status *ret_status);
/* Why nothing is taken for this number now, or NULL. */
const char *erasure_refuses(const struct engine *e, uint64_t number);
/* Its person has been erased lately: no record is to bring it back by itself. */
bool erasure_remembers(const struct engine *e, uint64_t number);
/* A START's record is appended or replayed. */
void erasure_start_came(struct engine *e, uint64_t number, uint64_t effect_wall_ms);
/* That of a hold is appended. */
void erasure_hold_came(struct engine *e, uint64_t number);
void erasure_looked_up(struct engine *e, struct inquiry *q, bool ok,
                       const struct consent_state *state);
/* False: the event is not about an erasure. */
bool erasures_replay(struct engine *e, uint64_t sequence, const Assent__V1__Event *event,
                     const Assent__V1__Personal *personal);
void erasures_snapshot(const struct engine *e,
                       void (*put)(void *context, Assent__V1__Event *event,
                                   const Assent__V1__Personal *personal),
                       void *context);
/* Somebody was erased by a gateway on this Redis. Nothing happens where our ledger has that. */
void erasure_join(struct engine *e, const struct erased_fact *fact);
/* This record is about to be destroyed: Redis is not to have it again. `personal` may be NULL. */
bool erasure_covers(struct engine *e, uint64_t sequence, const Assent__V1__Event *event,
                    const Assent__V1__Personal *personal);
/* Not all of what was skipped for that stands in the ledger in another form yet. */
bool erasures_owe_opt_outs(const struct engine *e);

/* ---- erased_people.c ---- */
void erased_people_init(struct engine *e);
void erased_people_release(struct engine *e);
void erased_people_note(struct engine *e, const struct person_mark *person, uint64_t wall_ms);
uint64_t erased_people_when(const struct engine *e,
                            const struct person_mark *person); /* 0: never */
bool erased_people_full(const struct engine *e);
/* `in_redis`: our records up to this one are there. 0 where nothing was known before: an older copy that has a new
 * name, and all its records were there. */
void erased_people_up(struct engine *e, uint64_t in_redis);
void erased_people_down(struct engine *e);
/* Redis' have been read: before that nothing is written there and nothing sent. */
bool erased_people_compared(const struct engine *e);
void erased_people_turn(struct engine *e);
uint64_t erased_people_next_us(const struct engine *e);
void erased_people_replay(struct engine *e, const Assent__V1__SeenErased *body);
void erased_people_snapshot(const struct engine *e,
                            void (*put)(void *context, Assent__V1__Event *event), void *context);

/* What they keep in memory about a person, and would put into snapshots. */
void recents_erase(struct engine *e, const struct person_mark *person);
void reviews_erase(struct engine *e, const struct person_mark *person);
void vacancies_erase(struct engine *e, const struct person_mark *person);
void complaints_erase(struct engine *e,
                      const struct person_mark *person); /* they stay, without the person */

/* ---- recover.c: see engine_replay() ---- */
void recover_finish(struct engine *e);
void help_remember(struct engine *e, uint64_t number, const char *address, uint64_t wall_ms);

#endif
