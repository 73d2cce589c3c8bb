/* SPDX-License-Identifier: Apache-2.0 */
/* One simulated run: a gateway, or two on one Redis, each a whole engine with a disk; around them that
 * Redis, carriers with subscribers, and submitters, all in memory and in virtual time, all drawn from
 * one seed. An event is about one gateway, `world.gw` while it runs; what it plans is about the same.
 *
 *     plan.c     what a seed stands for: sizes, rates, how often which fault strikes
 *     world.c    the clock, the engine's life: start, turns, crashes, recovery, healing, the end
 *     ports.c    what the engine may do to this world; also where a crash strikes between two calls
 *     disk.c     the ledger: what is appended, flushed, durable, and what a crash leaves; snapshots
 *     retention.c  old records go from it, when it says so itself
 *     redis.c    the consent store: a connection of each gateway, in order, slow, lost, restarted
 *                empty or old; redis_facts.c: places under caps, and days
 *     carrier.c  server-role sessions over pipes that delay and split; answers, receipts, replies
 *     people.c   submitters and subscribers; files.c: imports; foresight.c: dry runs, and their judge;
 *                erasures.c: people who ask to be erased, and what must be left of them then
 *     oracle.c   the promises. Sees octets at the carrier, what Redis held, durable records and what
 *                submitters were told; never the engine's own state. consents.c, caps.c: parts of it
 *
 * Nothing here reads a clock or orders anything by address. */
#ifndef SIM_WORLD_H
#define SIM_WORLD_H

#include "bench/receipt_text.h"
#include "consent/standing.h"
#include "gateway/engine.h"
#include "proto/number.h"
#include "tests/sim/schedule.h"

#define SIM_GATEWAYS_MAX    2
#define SIM_CARRIERS_MAX    2
#define SIM_MIDNIGHT_MS     1768348800000ull /* of 14 January 2026 in London: plan.quiet_at_us */
#define SIM_EXPIRING_SENDER "12025550103"    /* of plan.registry_ends */
#define SIM_PROGRAMS        4
#define SIM_NUMBERS_MAX     32
#define SIM_LINKS_MAX       (3 * 2)
#define SIM_PARTS_MAX       4
#define SIM_DAY_MS          86400000ull
#define SIM_FAILURE_MAX     400
#define SIM_PENDING_US      (20 * US_PER_S) /* a question may be answered so long */
#define NONE                UINT32_MAX
#define NUMBER_MASK         ((1ull << 50) - 1) /* of a member of Redis' sets */
#define PLAIN_SIZE          256

/* What a simulated carrier means by statuses of its own; its `statuses` say so. */
#define SIM_STATUS_OPTED_OUT 0x400
#define SIM_STATUS_ELSEWHERE 0x401
#define SIM_STATUS_FILTERED  0x410
#define SIM_ANY_CARRIER      UINT16_MAX /* of a complaint: nobody says which */

enum plan_kind { PLAN_CHAOS, PLAN_RATE, PLAN_OTP, PLAN_FAILOVER, PLAN_PACE, PLAN_PAIR, PLAN_KINDS };

/* How two carriers share the numbers that begin with 44 and the others. */
enum plan_routes {
    ROUTES_APART,  /* each has its own */
    ROUTES_BACKUP, /* each is the other's second route */
    ROUTES_SHARED, /* both take everything, by weight */
    ROUTES_KINDS,
};

/* How carriers write message ids in answers and in receipts; their settings say so. */
enum plan_ids { IDS_DEC, IDS_RECEIPTS_HEX, IDS_RECEIPTS_DEC, IDS_RECEIPTS_ZEROS, IDS_KINDS };

/* Chances are in parts per million; of what, says the comment. */
struct plan {
    enum plan_kind kind;
    uint64_t chaos_us; /* submissions and faults happen in this time, then everything heals */
    uint32_t messages, numbers, carriers, gateways;
    uint32_t rate, window, sessions;
    uint32_t session_rate; /* 0: none */
    uint32_t sender_rate;  /* 0: none; of the last program's sender twice as much */
    uint32_t sender_daily; /* 0: none */
    uint32_t limit;  /* PLAN_PACE: submit_sm a second that the carrier takes, and tells nobody; */
    uint32_t bucket; /* how many it takes at once; 0: it counts the sliding second */
    enum bind_mode bind;
    enum plan_routes routes;
    enum plan_ids ids;
    bool receipt_news;      /* receipts' codes say who has opted out, and who is nobody */
    uint32_t vacant;        /* bits by number: nobody's, most of the time */
    uint32_t last_receipts; /* bits by carrier: the last part of a long text alone is to report */
    uint64_t outage_us;     /* mean time between a carrier's outages; 0 never */
    uint64_t reload_us;     /* mean time between new configurations; 0 never */

    uint32_t turn_delay_us;                    /* at most */
    uint32_t stall;                            /* a turn: the process stands still for a while */
    uint32_t crash_us;                         /* mean time between crashes; 0 never */
    uint64_t drain_us;                         /* mean time between orderly restarts; 0 never */
    uint32_t fsync_us, fsync_slow, fsync_fail; /* usual time; an fsync takes long; fails */
    uint64_t disk_full_us;                     /* mean time between full disks; 0 never */
    uint32_t redis_us, redis_slow;             /* usual one-way time; a batch takes long */
    uint32_t redis_refuses;            /* a fault: it is a batch of writes that is refused */
    uint64_t redis_fault_us;           /* mean time between a drop, a restart, ...; 0 never */
    uint32_t wire_us, fragment;        /* usual one-way time; a write is split */
    uint64_t link_fault_us;            /* mean time between lost or silent connections; 0 never */
    uint32_t link_refused, link_stuck; /* connecting; a flush meets a full socket */
    uint32_t temporary, permanent, throttled, never_answered, answered_late;  /* a submit_sm */
    uint32_t elsewhere, opted_out;                                            /* likewise */
    uint32_t receipt_lost, receipt_double, receipt_early, receipt_bad, no_id; /* one taken */
    uint32_t receipt_contradicts, receipt_foreign, id_repeated;               /* one taken */
    uint32_t deliver_drop; /* a deliver_sm_resp: the carrier does not see it */
    uint32_t stop, stop_all, start, help, chatter, yes, late, join; /* a message to a subscriber */
    uint32_t doubt;       /* likewise, in words that may mean less */
    uint32_t stop_halves; /* likewise, in two parts */
    uint32_t complain;    /* a submission: an operator opens a complaint about a number */
    uint32_t hold,
        hold_released; /* a submission: a number is put on hold; a hold: it is taken back */
    uint32_t cancel, repeat, api_opt_out, scheduled, short_ttl; /* a submission */
    uint32_t notice_lost;   /* an opt-out that another gateway is to hear of: it does not */
    uint32_t other_gateway; /* a submission: another gateway writes an opt-out into Redis */
    uint64_t
        quiet_at_us; /* when a night of three minutes begins in London; 0: programs keep no hours */
    uint64_t
        content_at_us; /* links of shorteners are refused from then on; 0: always, and no brand asked for */
    uint32_t cap_count;         /* texts of a program to a number in any window; 0: no cap */
    uint32_t cap_window_ms;     /* of it */
    uint32_t consent_days;      /* a consent older than this is too old; 0: none is */
    uint64_t midnight_at_us;    /* with consent_days: when the day changes by UTC */
    bool brand_late;            /* with content_at_us: the brand is asked for from then on */
    uint32_t files, foresights; /* imports; dry runs */
    uint32_t erase;             /* a submission: somebody asks to be erased, at all gateways */
    uint64_t retain_us;         /* mean time between cuts of old records; 0: all stay */
    uint32_t reputation_texts;  /* so many say something of a sender; 0: nothing is paused */
    bool registers;     /* marketing needs a do-not-call register; the first file is a copy of it */
    bool registry_ends; /* with that night, what one sender is registered for but marketing */
    bool
        revoke_all; /* after the day from which a STOP to one program is one to all of the brand's */
};

/* PLAN_FAILOVER */
#define OUTAGE_FROM_US  (10 * US_PER_S)
#define OUTAGE_LASTS_US (15 * US_PER_S)

/* disk.c */

/* What the oracle reads in a record. */
struct fact {
    int body; /* Assent__V1__Event__BodyCase */
    uint64_t message, number, due_wall_ms, in_flight;
    uint32_t program, part; /* part: of an `accepted`, their count */
    uint16_t scopes[WRITE_SCOPES_MAX];
    uint8_t scope_count;
    int message_class, service, outcome, reason, source;
    int state; /* of a receipt */
    enum recipient_news news;
    uint64_t wall_ms, effect_ms; /* effect: when a STOP or START came */
    bool moves;                  /* somebody's consent in a program: `move` */
    struct move move;
    bool owed, owed_again; /* of an opt-out: its confirmation, and one more; */
    bool executed;         /* in Redis, */
    bool answered;         /* and its gateway has heard so */
    uint32_t
        day; /* since 1970: of a consent, or from which on the number is another's, or of the copy of a
                     do-not-call register; 0: none */
    uint64_t import, row; /* of an import's row; 0: it is none */
    uint32_t asked_by;    /* of a YES or a NO: the gateway and the record of the question; NONE */
    uint64_t question;
    uint16_t carrier;
    bool lifts_erasure; /* of a START: what is kept of opt-outs from before an erasure too */
    uint64_t erasure;   /* the one that this is the end of, or that names records */
    uint64_t
        asked_ms; /* of an erasure that another gateway was asked for: when it recorded that, */
    uint64_t consent_until; /* and from which record on consent came to Redis later */
    uint32_t sender;        /* of a program, which has one; NONE */
    uint32_t status;        /* of an `ended` */
    uint32_t rate, window, threshold;
};

/* The fold of a message's records, kept at its `accepted`. */
struct progress {
    bool open, waiting; /* waiting: no attempt stands, no part is with the carrier */
    uint64_t due_wall_ms;
    uint32_t attempts, helds;
    uint64_t last_attempt, ended_at; /* sequences */
    uint32_t sent_parts;             /* bits */
    int outcome, reason;
    bool was_in_doubt; /* it ended as unknown before */
    bool a_part_failed;
    enum reputation_kind failed_as; /* the first */
    uint64_t since_us;              /* it waits since */
};

struct record {
    uint8_t *octets;
    uint32_t public_length, personal_length;
    uint32_t personal_recorded; /* as it was appended */
    struct fact fact;
    struct progress progress;
    uint64_t appended_us;
    uint64_t executed_us; /* its write was first executed by Redis; 0: not yet */
    bool gone;            /* by its age: nobody but the oracle can read it */
};

/* A segment whose old records go as soon as the RecordsCut that says so is durable. */
struct disk_cut {
    uint64_t first, sequence;
    bool done;
};

struct snapshot {
    uint64_t sequence;
    bool published;
    struct record *records;
    size_t count, size;
};

/* A key of texts that are not kept. */
struct disk_key {
    bool there, leaving; /* leaving: to be overwritten, and a crash may keep it */
    uint32_t id;
    uint8_t octets[SECRET_KEY_SIZE];
};

struct disk {
    struct record *records;                   /* [0] is unused */
    uint64_t next, flushed, durable, syncing; /* syncing: up to here, 0 when idle */
    size_t size;
    uint64_t life; /* events of an earlier life of the process are void */
    bool full;
    struct snapshot snapshots[2]; /* [1] is the newer */
    struct erase_reach sought;    /* an erasure's */
    uint64_t *erasing;            /* records */
    size_t erasing_count;
    uint64_t erasing_snapshot; /* the one that takes the place of the others; 0: not begun */
    struct disk_key keys[SECRET_KEYS_MAX];
    uint32_t last_key;
    struct disk_cut *cuts; /* ascending */
    size_t cut_count;
};

void disk_init(struct disk *disk);
void disk_release(struct disk *disk);
uint64_t disk_append(struct world *world, struct span public_part, struct span personal_part);
void disk_flush(struct world *world);
void disk_crash(struct world *world); /* keeps what is durable and maybe a little more */
void disk_close(struct world *world); /* an orderly end: everything is durable */
bool disk_key_take(struct world *world, uint32_t *ret_id, uint8_t ret_key[SECRET_KEY_SIZE]);
void disk_key_destroy(struct world *world, uint32_t id);
unsigned disk_keys_left(const struct disk *disk);
void disk_set_full(struct world *world, bool full);
void disk_recover(struct world *world); /* replays snapshot and tail into the new engine */
void disk_snapshot(struct world *world);
uint64_t disk_scan(struct world *world, uint64_t from, uint64_t until, uint32_t max_records,
                   void (*each)(void *engine, uint64_t sequence, struct span public_part,
                                struct span personal_part),
                   void *engine);
/* What a start goes on from: records below are not needed for it; 1: all are. */
uint64_t disk_start(const struct disk *disk);
bool disk_erasure_find(struct world *world, const struct erase_reach *reach);
bool disk_erasure_destroy(struct world *world, const uint64_t *records, size_t count);
struct span record_public(const struct record *record);
struct span record_personal(const struct record *record);
uint64_t record_number(const struct record *record); /* in its personal part; 0: none */
/* The record of an `accepted`, or NULL. */
struct record *disk_accepted(struct world *world, uint64_t id);

/* retention.c */

/* Does what records say is to be done, and plans more. The process runs. */
void retention_turn(struct world *world);
void retention_crash(struct disk *disk); /* what the ledger does not say is not planned */

/* redis.c */

struct set {
    uint64_t *members;
    size_t count, size;
};
bool set_has(const struct set *set, uint64_t member);
bool set_add(struct set *set, uint64_t member);
bool set_remove(struct set *set, uint64_t member);
/* All that stands under a number but a hold. True: an opt-out was among them. */
bool set_erase(struct set *set, uint64_t number);
/* It stands under the number, or its key does, and is no hold. */
bool key_is_of(uint64_t key, uint64_t number);

struct pending {
    uint64_t key, request, asked_wall_ms, expires_wall_ms;
    uint8_t token_sha256[32];
    char asker[ASKER_SIZE];
    bool declined;
};

#define SIM_NOTICES_MAX 512
#define SIM_ERASED_MAX  512
#define SIM_CAP_MAX     4

/* redis_facts.c: what Redis holds for caps and for days */
struct redis_places {
    struct redis_place {
        uint64_t key, message, until_ms; /* until_ms: of the wall; what is over is not there */
        uint32_t gateway;
    } places[SIM_NUMBERS_MAX * SIM_PROGRAMS * SIM_CAP_MAX * 2]; /* more than fit, to see it */
    size_t count;
};
struct redis_days {
    struct redis_day {
        uint64_t key;
        uint32_t day;
    } days[SIM_NUMBERS_MAX * (SIM_PROGRAMS + 1)];
    size_t count;
};
void days_put(struct redis_days *days, uint64_t key, uint32_t day);
void days_erase(struct redis_days *days, uint64_t number);
uint32_t days_get(const struct redis_days *days, uint64_t key);
uint32_t places_free(const struct redis_places *places, uint64_t key, uint32_t count,
                     uint64_t now_ms);
/* `own_alone`: a bug that is planted. */
void places_ask(struct redis_places *places, const struct check *check, uint32_t gateway,
                bool own_alone, uint64_t now_ms, struct check_result *ret_result);

struct redis_data {
    struct set opt_out, opt_in;
    struct pending pending[SIM_NUMBERS_MAX * SIM_PROGRAMS];
    size_t pending_count;
    char scopes[SIM_PROGRAMS * 2][NAME_OCTETS_MAX + 16];
    uint16_t scope_numbers[SIM_PROGRAMS * 2];
    size_t scope_count;
    uint64_t applied[SIM_GATEWAYS_MAX];
    uint64_t applied_beside[SIM_GATEWAYS_MAX]; /* the mark that it was written beside */
    struct { /* keys that only the first may take, until they expire */
        uint64_t key, expires_wall_ms;
        enum once_kind kind;
        uint32_t holder;
    } onces[SIM_NUMBERS_MAX * (2 * SIM_PROGRAMS + 1) * ONCE_KINDS];
    size_t once_count;
    uint64_t mark;     /* 0: none; made at the next handshake */
    struct stop_time { /* when a number last opted out of a scope */
        uint64_t key, wall_ms;
    } stop_times[SIM_NUMBERS_MAX * (2 * SIM_PROGRAMS + 4)];
    size_t stop_time_count;
    struct redis_places places;
    struct redis_days days;
    struct node_fact nodes[SIM_GATEWAYS_MAX];
    struct notice notices[SIM_NOTICES_MAX]; /* oldest first; */
    size_t notice_count;
    uint64_t notices_before;                   /* so many were there before the oldest */
    struct erased_fact erased[SIM_ERASED_MAX]; /* by their times */
    size_t erased_count;
};

struct redis_server {
    struct redis_data now, old; /* old: what an earlier copy on its disk holds */
    bool running;
    uint64_t life; /* counts its starts, and how often it was emptied */
    uint64_t slow_until_us, flushed_us;
    bool refuses; /* the next batch of writes, and takes what is behind it */
};

struct command;

struct redis {                /* a gateway's connection */
    struct command *commands; /* [replied, asked) are in flight */
    size_t asked, sent, executed, replied, size;
    uint64_t last_execute_us, last_reply_us;
    uint64_t connection;     /* events of an earlier connection are void */
    uint64_t up_at_sequence; /* what was durable when the connection came up */
    bool up, caught_up_checked;
    bool broken;     /* the server's end of the connection is gone */
    uint64_t handed; /* the newest write that came on it */
    bool refused;    /* it refused a batch: what it says after that is not read */
    size_t batched;  /* commands that have their events */
    uint64_t batches, batches_answered;
    uint64_t backoff_us, up_since_us;
    uint64_t live_since_us; /* its beats say so; 0: they do not */
    uint64_t notices_read;
    uint64_t mark; /* that the handshake found */
    /* Checks that asked for a place under a cap are told when the log of places has been read, after others. */
    struct command *waiting;
    size_t waiting_count, waiting_size;
};

void server_init(struct redis_server *server);
void server_release(struct redis_server *server);
void redis_init(struct redis *redis);
void redis_release(struct redis *redis);
void redis_connect(struct world *world); /* a process starts: its adapter begins to connect */
void redis_crash(struct world *world);   /* the process is gone */
void redis_fault(struct world *world);   /* one fault, at random */
void redis_heal(struct world *world);
bool redis_ask(struct world *world, const struct check *check);
bool redis_write(struct world *world, const struct consent_write *write);
bool redis_lookup(struct world *world, uint64_t cookie, uint64_t number, const uint16_t *scopes,
                  uint8_t scope_count, uint16_t opt_in_scope);
bool redis_resolve(struct world *world, uint64_t cookie, const char *name);
bool redis_once(struct world *world, const struct once *once);
bool redis_beat(struct world *world, const struct beat *beat);
bool redis_notices(struct world *world);
bool redis_erased(struct world *world, uint64_t from);
uint64_t redis_position(const struct redis_data *data, uint32_t gateway);
void redis_flush(struct world *world);
void redis_opt_out(struct world *world, uint64_t key); /* another gateway's */
uint16_t scope_brand(struct world *world, uint32_t program);
uint16_t scope_program(struct world *world, uint32_t program);

/* carrier.c */

enum mo_kind {
    MO_RECEIPT,
    MO_STOP,
    MO_STOP_ALL,
    MO_START,
    MO_YES,
    MO_NO,
    MO_HELP,
    MO_CHATTER,
    MO_HALF,  /* of a text that says STOP when both are there */
    MO_DOUBT, /* takes consent away, and asks for help: marketing stops, and we ask */
    MO_JOIN,
};

/* A deliver_sm on its way to the gateway, until it is answered with ESME_ROK. */
struct mo {
    enum mo_kind kind;
    uint32_t number;  /* index; a receipt's subscriber too */
    uint32_t program; /* whose sender it goes to */
    uint16_t carrier;
    uint32_t receipt_of; /* text, or NONE */
    bool unasked;        /* a receipt that decides nothing by itself */
    int outcome;         /* that a receipt tells */
    struct receipt_facts receipt;
    bool done, in_flight;
    uint32_t tries;
    uint64_t handed_us; /* to the engine, last; 0 never */
    uint32_t other;     /* MO_HALF: the other one */
    uint8_t part;
    uint64_t first_us; /* handed first */
    bool acknowledged, judged;
    bool news; /* a STOP for which a confirmation is due */
    char text[200];
};

struct delivery { /* a deliver_sm or submit_sm_resp of ours inside a connection */
    uint64_t end; /* octets of the connection up to its end */
    uint32_t sequence, mo, command_status;
    bool is_answer, handed;
};

struct connection {
    struct world *world;
    uint32_t index, gateway;
    uint16_t carrier, link;
    uint32_t last_text;                             /* PLAN_PACE: of the last submit_sm on it */
    struct session *session;                        /* the carrier's end; NULL when gone */
    bool engine_open, silent, reading, stuck, over; /* over: the session said closed */
    size_t offered;                       /* octets of the engine's output seen and not yet taken */
    struct buffer *output;                /* the engine's, while stuck */
    uint64_t to_carrier_us, to_engine_us; /* the last arrival planned */
    uint64_t produced, delivered;         /* octets towards the engine */
    struct delivery *deliveries;
    size_t delivery_count, delivery_size, handed_count;
    uint64_t tick_us;
    uint8_t *held; /* octets that arrived while the engine does not read */
    size_t held_length;
};

struct wire {
    struct connection **connections;
    size_t count, size;
    /* NONE when closed */
    uint32_t current[SIM_GATEWAYS_MAX][SIM_CARRIERS_MAX][SIM_LINKS_MAX];
    struct mo *mos;
    size_t mo_count, mo_size;
    uint32_t next_message_id[SIM_CARRIERS_MAX]; /* both give the same ones */
    uint32_t last_text[SIM_CARRIERS_MAX];       /* that an id was given to, or NONE */
    uint32_t mo_being_sent;
    uint64_t throttling_until_us[SIM_CARRIERS_MAX];
    uint64_t out_until_us[SIM_CARRIERS_MAX]; /* an outage: nobody gets in */
    uint64_t *taken_at;                      /* PLAN_PACE: a ring of the last `limit` times */
    uint64_t taken, tokens_us;               /* the bucket is full at this time */
};

void wire_init(struct wire *wire, uint32_t limit);
void wire_release(struct wire *wire);
void wire_open(struct world *world, uint16_t carrier, uint16_t link);
void wire_flush(struct world *world, uint16_t carrier, uint16_t link, struct buffer *output);
void wire_close(struct world *world, uint16_t carrier, uint16_t link);
void wire_reading(struct world *world, uint16_t carrier, uint16_t link, bool reading);
void wire_crash(struct world *world); /* every connection's engine end is gone */
void wire_fault(struct world *world);
void wire_outage(struct world *world, uint16_t carrier, uint64_t lasts_us);
/* A text from a subscriber, to be delivered until it is answered. */
void wire_send_mo(struct world *world, enum mo_kind kind, uint32_t number, uint32_t program,
                  const char *text, uint64_t delay_us);
/* A long text in two parts, in this order or the other. */
void wire_send_halves(struct world *world, uint32_t number, uint32_t program,
                      const char *const halves[2], uint64_t delay_us);

/* people.c */

struct verdict_seen {
    uint32_t number;
    uint32_t used_by; /* text index, or NONE */
    uint64_t told_us;
    /* Bits by program: what Redis held when it answered. Service: texts of ours but confirmations. */
    uint32_t allows_marketing, allows_other, allows_question;
    uint32_t forgotten; /* it had had an opt-out that stands, and lost it */
};

struct part_write {
    uint32_t connection, sequence, life; /* of the last submit_sm */
    uint32_t writes, refused;
    bool answered, taken;
};

struct text { /* a message that a submitter wants sent; its text begins with "#index " */
    uint32_t program, number, client, gateway;
    Assent__V1__Class message_class;
    bool reference, accepted, told, cancel_told, scheduled;
    uint64_t id;        /* of the last acceptance */
    uint64_t capped_us; /* it was last written, and a cap counts it; 0: not */
    uint64_t accepted_us, told_us, send_at_wall_ms, ttl_ms;
    uint32_t length;
    uint32_t zone;        /* of sim_zones: where the submitter says that the recipient is */
    bool foreign_letters; /* needs UCS-2 */
    bool no_id;           /* the carrier gave no id: no receipt can be matched */
    bool owed;            /* PLAN_PACE: refused for its pace, and not written again yet */
    int receipt;          /* outcome of the first final receipt that was answered; 0 none */
    uint32_t said;        /* outcomes of receipts that reached the gateway, a bit each */
    uint32_t twin;        /* to another number, that the carrier gave the same id; or NONE */
    bool blurred;         /* a receipt of either came, and the ids of both were not known */
    uint64_t receipt_at;  /* sequence number that the ledger had reached then */
    struct part_write parts[SIM_PARTS_MAX];
};

/* With plan.quiet_at_us: clocks, in minutes ahead of UTC on that day. [0]: nothing is said. */
#define SIM_ZONES 6
extern const struct sim_zone {
    const char *name;
    int minutes;
} sim_zones[SIM_ZONES];
/* Does the text wait for the hours of its recipient, and is it night there? Asks nobody. */
bool people_keep_hours(const struct world *w, const struct text *t);
/* At that time its sender is not registered for it any more. */
bool people_lost_registration(const struct world *w, const struct text *t, uint64_t wall_ms);
/* The text has a link of a public shortener. */
bool people_have_link(const struct world *w, uint32_t text);
bool people_are_asleep(const struct world *w, const struct text *t, uint64_t wall_ms);

enum call_kind {
    CALL_REQUEST,
    CALL_CONFIRM,
    CALL_RECORD,
    CALL_OPT_OUT,
    CALL_SHOW,
    CALL_COMPLAIN,
    CALL_RESOLVE, /* the number's last complaint, and releases its hold */
    CALL_HOLD,
    CALL_RELEASE,
    CALL_ERASE
};

struct call {
    enum call_kind kind;
    uint32_t program, number, client, gateway;
    uint64_t life, asked_us;
    bool answered;
};

struct promise_to_tell { /* an answer that waits for the ledger */
    uint64_t ready_at, life;
    uint32_t gateway;
    enum { TELL_ACCEPTED, TELL_CANCELLED, TELL_CALL, TELL_FILE } kind;
    uint32_t what; /* text, call or file */
    uint64_t id, next_row;
    bool ok;
    char token[65];
};

#define SIM_FILES_MAX 3
#define SIM_FILE_ROWS 16

struct file { /* to be imported: files.c */
    Assent__V1__ImportKind kind;
    uint32_t program, gateway, life, rows, numbers[SIM_FILE_ROWS], days_ago[SIM_FILE_ROWS];
    uint32_t copied_days_ago;       /* a register */
    bool sorted;                    /* its rows come so */
    bool begun, waits, ends, ended; /* waits: for an answer to be durable; ended: so it was told */
    uint64_t import, next_row;      /* as it was told; 0: it will ask */
};

struct foresight { /* a dry run: foresight.c */
    struct text text;
    bool open, asked, room;
    uint32_t life;
    uint64_t call;
    struct verdict_seen seen; /* when Redis was asked */
};

struct people {
    struct file files[SIM_FILES_MAX];
    uint32_t file_count;
    struct foresight foresights[SIM_GATEWAYS_MAX];
    uint64_t foresight_count;
    struct text *texts;
    size_t text_count, text_size;
    struct call *calls;
    size_t call_count, call_size;
    struct promise_to_tell *tells;
    size_t tell_count, tell_size;
    uint64_t numbers[SIM_NUMBERS_MAX];
    uint64_t complaints[SIM_NUMBERS_MAX][SIM_GATEWAYS_MAX]; /* the last one, told; 0: none */
    bool to_be_erased[SIM_NUMBERS_MAX];
};

void people_init(struct world *world);
void people_release(struct people *people);
void people_begin(struct world *world);
void people_durable(struct world *world); /* tells what may be told now */
void people_crash(struct world *world);   /* nothing untold will ever be told */
void people_consent_reply(struct world *world, uint64_t call, uint64_t ready_at,
                          const Assent__V1__ConsentReply *reply);
void people_complaint_reply(struct world *world, uint64_t call, uint64_t ready_at,
                            const Assent__V1__ComplaintReply *reply);
void people_show_reply(struct world *world, uint64_t call, const Assent__V1__ShowReply *reply);
/* A part came to a subscriber's carrier. */
void people_receive(struct world *world, uint32_t number, uint32_t program, const char *text);
/* A message to this number is about to leave: a subscriber may choose this moment. */
void people_meddle(struct world *world, uint32_t number, uint32_t program_scope);
void people_tell_file(struct world *world, uint32_t file, uint64_t import, uint64_t next_row,
                      uint64_t ready_at);
uint32_t people_find_number(const struct world *world, uint64_t number); /* index or NONE */
/* At the gateway of this event. */
void people_plan_call(struct world *world, uint64_t delay_us, enum call_kind kind, uint32_t program,
                      uint32_t number);

/* oracle.c */

struct stop_scopes {
    uint16_t scopes[SIM_PROGRAMS + 1];
    uint8_t count;
};

struct subscriber { /* what a subscriber and the carrier know about their consent */
    struct told {
        /* Bits by program: a STOP was answered and not lifted; [1] to marketing, [0] to others. */
        uint32_t denied[2];
        uint32_t read[2]; /* the same, from the moment its octets were read; void after a crash */
        uint32_t read_life;
        bool held; /* a complaint was answered, and nobody has asked to release its hold */
        bool was_held;
        uint32_t service_writes[8]; /* by kind */
        struct set opted_out;       /* scopes of the STOPs since the last START */
        uint64_t erased_us;         /* when an erasure was recorded here last */
        bool owed; /* the next opt-out recorded is a STOP that is owed a confirmation */
    } at[SIM_GATEWAYS_MAX];
    bool doubted; /* some opt-out of theirs may have meant less */
    uint32_t confirmations_due, confirmations;
    uint64_t last_start_us, last_stop_us, last_release_us, last_erased_us;
};

struct submit_seen { /* a submit_sm as it left */
    uint32_t connection, sequence, number, program, part;
    uint32_t text; /* index, or NONE for a service text */
    int service;
    bool last; /* of its parts */
    uint8_t registered_delivery;
    uint8_t esm_class, data_coding, reference;
    char plain[PLAIN_SIZE];
};

struct write_times {
    uint64_t *times;
    size_t count, size;
};

/* Messages to a number that met an unknown subscriber, and none was delivered in between. */
struct vacancy_seen {
    uint32_t times;
    uint64_t first_wall_ms;
};

struct reputation_seen { /* of a sender at a carrier */
    struct {
        uint64_t wall_ms;
        enum reputation_kind kind;
    } * events;
    size_t count, size;
    uint32_t persons; /* bits by number: their opt-outs are counted */
    bool paused, due; /* due: a pause is to be the next record but alarms */
};

struct witness { /* what the oracle has seen of one gateway */
    struct reputation_seen reputations[SIM_CARRIERS_MAX][SIM_PROGRAMS];
    Assent__V1__Code release_code;
    struct vacancy_seen vacancies[SIM_NUMBERS_MAX];
    struct verdict_seen *verdicts;
    size_t verdict_count, verdict_size;
    struct write_times writes[SIM_CARRIERS_MAX];
    struct write_times session_writes[SIM_CARRIERS_MAX]
                                     [SIM_LINKS_MAX]; /* where it has its own rate */
    struct write_times sender_writes[SIM_CARRIERS_MAX][SIM_PROGRAMS]; /* a sender each */
    struct {
        uint64_t day;
        uint32_t count;
    } sender_days[SIM_CARRIERS_MAX][SIM_PROGRAMS];
    uint64_t oldest_open; /* no open message's record is below */
};

struct oracle {
    struct subscriber subscribers[SIM_NUMBERS_MAX];
    struct submit_seen *sent;
    size_t sent_count, sent_size;
    struct set other_gateways; /* opt-outs that are not ours to keep */
    struct moved {             /* the newest move of a number in a scope that Redis ever had */
        uint64_t key, at_us;
        bool denied;
    } * moves;
    size_t move_count, move_size;
    uint32_t reassigned_day[SIM_NUMBERS_MAX]; /* the newest that Redis ever had; 0: none */
    uint64_t redis_lost_us;                   /* it has forgotten something then; 0 never */
    char (*service_texts)[PLAIN_SIZE];
    int *service_kinds;
    size_t service_count;
    uint64_t checks, sends, stops_answered, otp_worst_us;
    uint64_t bulk_worst_us;                /* PLAN_FAILOVER: as otp_worst_us, of marketing */
    uint32_t first_owed, latest, highest;  /* PLAN_PACE: texts */
    uint64_t pace_from_us, paced, refused; /* the carrier's count begins here */
};

/* Letters, digits, '#' and spaces of a short_message, whatever its alphabet. */
void oracle_plain(struct span octets, uint8_t esm_class, uint8_t data_coding, char out[PLAIN_SIZE]);
int oracle_service_kind(const struct world *world, const char *plain);
void oracle_init(struct world *world);
void oracle_release(struct oracle *oracle);
void witness_release(struct witness *witness);
void oracle_appended(struct world *world, uint64_t sequence);
void oracle_recovered(struct world *world);
void oracle_stops_recovered(struct world *world); /* a part of it */
/* consents.c: a record has been appended; a text of marketing leaves. */
void consents_appended(struct world *world, uint64_t sequence);
uint32_t consents_day(const struct world *world, uint64_t number, uint32_t program);
/* caps.c: does a cap count the text; it is written. */
bool caps_count(const struct world *world, const struct text *text);
void caps_written(struct world *world, uint32_t text);
/* erasures.c: a record has been appended; Redis has dropped what stood under a number. */
void erasures_begin(struct world *world);
void erasures_appended(struct world *world, uint64_t sequence);
void erasures_executed(struct world *world, uint64_t number);
/* An erasure whose end is not durable yet at this gateway; 0: none. */
uint64_t erasures_open(const struct world *world);
/* Somebody whom another gateway erased before, or this one in a newer copy of its ledger, is not erased here. */
bool erasures_lacking(const struct world *world);
/* This member stands for an opt-out that was kept, as an erasure's records say: that may be one from after it, which
 * Redis had when the erasure was written again. */
bool erasures_say_kept(const struct world *world, uint64_t key);
/* This one stands beside such a later one; or it stands for one from before, of an older Redis. */
bool erasures_met_later(const struct world *world, uint64_t key);
bool erasures_met_older(const struct world *world, uint64_t key);
/* What a register said of somebody erased may stand in a copy that came back: it may also be newer. */
bool erasures_may_leave(const struct world *world, uint64_t key);
void erasures_end(struct world *world);
/* An erasure of the number is in any ledger, of this time. */
bool erasures_know(const struct world *world, uint64_t number, uint64_t from_wall_ms,
                   uint64_t until_wall_ms);
/* files.c */
void files_begin(struct world *world);
/* P1: has this gateway a copy of the do-not-call register that counts at this time? */
bool files_register_counts(const struct world *world, uint64_t wall_ms);
void files_told(struct world *world, uint32_t file, uint64_t import, uint64_t next_row);
void files_appended(struct world *world, uint64_t sequence);
void files_end(struct world *world);
/* reputation.c */
void reputation_begin(struct world *world);
void reputation_release(struct witness *witness);
void reputation_fold(struct world *world, uint64_t sequence, bool replayed);
void reputation_forget(struct world *world); /* the records are folded again */
enum reputation_kind reputation_of_receipt(const struct fact *receipt); /* that says a failure */
void reputation_written(struct world *world, const struct text *text,
                        const struct submit_seen *submit);
/* Carriers where the sender's marketing is paused. */
uint32_t reputation_pauses(struct world *world, uint32_t program);
void reputation_told(struct world *world, const Assent__V1__ReputationReply *reply);
/* foresight.c */
void foresight_begin(struct world *world);
bool foresight_is(const struct check *check);
void foresight_asked(struct world *world, const struct check *check,
                     const struct verdict_seen *seen);
void foresight_told(struct world *world, uint64_t call, const Assent__V1__PreflightReply *reply);
void consents_check_marketing(struct world *world, uint32_t number, uint32_t program);
void oracle_executed_check(struct world *world, const struct check *check,
                           struct verdict_seen *ret_seen);
void oracle_told_verdict(struct world *world, const struct verdict_seen *seen);
void oracle_executed_write(struct world *world, const struct consent_write *write);
/* What an older Redis had under the number of who was erased is gone. */
void oracle_searched(struct world *world, const struct consent_write *write, uint64_t number);
/* A write of an opt-out of which the other gateway can hear. */
void oracle_opt_out_noticed(struct world *world, const struct consent_write *write);
/* The text of a submit_sm that left, or NONE. */
uint32_t oracle_text_of(const struct world *world, uint32_t connection, uint32_t sequence);
/* The carrier gives the text the id of another one, if it has not done so with either before. */
bool oracle_may_repeat(struct world *world, uint32_t text, uint32_t other);
void oracle_answered_without_id(struct world *world, uint32_t connection, uint32_t sequence);
void oracle_octets_out(struct world *world, uint32_t connection, struct span octets);
void oracle_handed(struct world *world, uint32_t connection, const struct delivery *delivery);
/* PLAN_PACE: the carrier took a submit_sm, or refused it for its pace. */
void oracle_paced(struct world *world, bool taken);
double oracle_pace_used(const struct world *world);    /* shares: of the limit, */
double oracle_pace_refused(const struct world *world); /* and of what came to the carrier */
void oracle_told_accepted(struct world *world, uint32_t text, uint64_t id);
void oracle_told_opt_out(struct world *world, uint32_t call);
void oracle_told_complaint(struct world *world, uint32_t call);
/* The hold of a complaint is about to be released; it was not. */
void oracle_asked_release(struct world *world, uint32_t number);
void oracle_any_release(struct world *world, uint32_t number);
void oracle_kept_hold(struct world *world, uint32_t number);
/* What they have said before is forgotten: a STOP that comes says something new. `erases`: this gateway's memory of
 * them goes too. */
void oracle_forgets(struct world *world, uint32_t number);
void oracle_erases(struct world *world, uint32_t number);
void oracle_turn_over(struct world *world);
bool oracle_settled(struct world *world); /* nothing is open in a ledger */
void oracle_end(struct world *world);

/* plan.c */
#define PACE_SETTLE_US (10 * US_PER_S) /* so long it may search for the carrier's limit, */
#define PACE_JUDGED_US (20 * US_PER_S) /* and so long it must have found it */
void plan_draw(struct plan *plan, uint64_t seed, int forced_kind);
bool plan_is_chaos(const struct plan *plan); /* not bulk */
uint64_t plan_rate_seconds(uint32_t rate);   /* how long the backlog of PLAN_RATE lasts at least */

/* world.c */

struct gateway { /* a process and what its machine keeps */
    uint32_t index;
    struct config config;    /* the world's, but for the node's name */
    struct engine *engine;   /* NULL while the process is dead */
    uint64_t mono_offset_us; /* each life of the process has another */
    uint32_t life;           /* how many processes there were */
    uint32_t crash_in;       /* port calls until the crash; 0: none planned */
    uint64_t dead_sequence;  /* what a dead process is told that it appended */
    bool crashed, ended;     /* ended: it has drained for the last time */
    uint64_t drain_since_us; /* 0: it does not drain */
    uint64_t turn_token, turn_at_us, stalled_until_us, turns_window;
    uint32_t turns_now;
    struct disk disk;
    struct redis redis;
    struct witness seen;
};

struct world {
    uint64_t seed;
    struct plan plan;
    struct schedule schedule;
    uint64_t now_us, end_us;
    struct rng rng, wire_rng, redis_rng, disk_rng, people_rng, secret_rng, retain_rng;
    struct config config;
    struct route_config routes[SIM_CARRIERS_MAX][2];
    struct ports ports;
    struct gateway gateways[SIM_GATEWAYS_MAX];
    struct gateway *gw; /* that the event is about which runs now */
    bool healing, ending, over;
    uint64_t crashes;
    uint64_t links_end_us; /* since when no program may send links of shorteners; 0: not yet */
    struct redis_server server;
    struct wire wire;
    struct people people;
    struct oracle oracle;
    enum plant plant;
    bool trace, failed;
    uint64_t digest, events;
    char failure[SIM_FAILURE_MAX];
};

struct outcome {
    bool failed;
    char failure[SIM_FAILURE_MAX];
    uint64_t digest, virtual_us, events, sends, stops, crashes, otp_worst_us;
    enum plan_kind kind;
    uint32_t limit;
    double pace_used, pace_refused;
};

/* Runs one seed. `forced_kind`: -1 for what the seed says. */
void world_run(uint64_t seed, int forced_kind, enum plant plant, bool trace,
               struct outcome *ret_outcome);

void world_at(struct world *world, uint64_t delay_us, event_run *run, uint64_t a, uint64_t b,
              uint64_t c);
void world_at_with(struct world *world, uint64_t delay_us, event_run *run, uint64_t a, uint64_t b,
                   uint64_t c, struct span data);

/* From here on the event is about this gateway, and so is what it plans. */
void world_turn_to(struct world *world, uint32_t gateway);

/* For events that enter the engine: false when it is dead; when it is stalled or asleep the event
 * is put off. After entering, call world_entered(). */
bool world_may_enter(struct world *world, struct event *event);
void world_entered(struct world *world);

struct instant world_instant(const struct world *world);
uint64_t world_wall_ms(const struct world *world);

/* A process that dies now (outside of engine calls): fsync error. */
void world_die(struct world *world, const char *why);

/* The first broken promise ends the run. */
void world_fail(struct world *world, const char *promise, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
void world_trace(struct world *world, const char *who, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
#define TRACE(world, who, ...)                                                                     \
    do {                                                                                           \
        if ((world)->trace)                                                                        \
            world_trace(world, who, __VA_ARGS__);                                                  \
    } while (0)

/* Around `usual_us`: mostly half to one and a half of it. */
uint64_t spread(struct rng *rng, uint64_t usual_us);
void ports_fill(struct world *world);

#endif
