/* SPDX-License-Identifier: Apache-2.0 */
/* The engine: queues, routes, throttle, dispatch, gate, sessions, correlation, opt-in, recovery.
 * It does no I/O and knows no clock: events go in through the functions below, actions come out
 * through its ports (gateway/ports.h). Single-threaded.
 *
 * A life:  engine_new  ->  engine_replay (snapshot, then the ledger's tail)  ->  engine_start  ->
 *          inputs and engine_turn in any order  ->  engine_drain  ->  engine_free
 *
 * Who drives it collects inputs, then calls engine_turn() once; that is where batches leave. */
#ifndef GATEWAY_ENGINE_H
#define GATEWAY_ENGINE_H

#include "gateway/config.h"
#include "gateway/metrics.h"
#include "gateway/ports.h"
#include "proto/base/arena.h"
#include "proto/base/clock.h"
#include "proto/base/hash.h"
#include "proto/base/rng.h"

struct engine;

/* `config` and `ports` must outlive the engine. `key` is the node's secret hash key: it must be the
 * same over restarts (client references are remembered by their keyed hash). */
struct engine *engine_new(const struct config *config, const struct ports *ports,
                          const struct hash_key *key, uint64_t seed);
void engine_free(struct engine *engine);

/* Recovery: every record of the newest snapshot (sequence 0), then every ledger record from there
 * on. ERR_CORRUPT: the record makes no sense here (another program wrote it); *ret_why says what. */
MUST_CHECK enum err engine_replay(struct engine *engine, uint64_t sequence, struct span public_part,
                                  struct span personal_part, const char **ret_why);

/* Before engine_replay(): every key that texts may be encrypted with (consent/secret_keys.h). Those that no
 * open message needs are destroyed by the first turn. */
void engine_know_key(struct engine *engine, uint32_t id, const uint8_t key[SECRET_KEY_SIZE]);

/* Replay is over. Messages with an intent and no outcome become `unknown` (P6); links open. */
void engine_start(struct engine *engine, struct instant now);

/* One turn: the phases in order (see engine.c). Gives the monotonic time at which the next turn is
 * needed at the latest when no input comes before. */
uint64_t engine_turn(struct engine *engine, struct instant now);

/* The last turn's octets have left by `now`, which is when they count against the carrier's rate (P7).
 * To be called after every engine_turn() that took time. */
void engine_flushed(struct engine *engine, struct instant now);

/* The configuration is about to change in place, its lists to be freed: what was read is looked at by this one. */
void engine_before_reconfigure(struct engine *engine, struct instant now);
/* It has changed: to be called before anything else then, and with nothing read since the call above or the last turn. */
void engine_reconfigure(struct engine *engine, struct instant now);

/* Stops taking submissions, unbinds when nothing is on its way any more (or `by_us` has come). */
void engine_drain(struct engine *engine, struct instant now, uint64_t by_us);
bool engine_drained(const struct engine *engine);

/* Ledger. */
void engine_on_durable(struct engine *engine, uint64_t sequence);

/* Store: as in consent/store.h. */
/* `warnings` (static or the store's; "" for none) stand in the status while the gate is open. */
void engine_on_store_warned(struct engine *engine, const char *warnings);
void engine_on_store_up(struct engine *engine, uint64_t applied);
void engine_on_store_down(struct engine *engine, const char *why);
void engine_on_checked(struct engine *engine, const struct check_result *results, size_t count,
                       struct instant now);
void engine_on_written(struct engine *engine, uint64_t sequence, bool changed, struct instant now);
void engine_on_looked_up(struct engine *engine, uint64_t cookie, bool ok,
                         const struct consent_state *state, struct instant now);
void engine_on_scope_resolved(struct engine *engine, uint64_t cookie, uint16_t number,
                              struct instant now);
void engine_on_once(struct engine *engine, uint64_t cookie, enum once_answer answer,
                    struct instant now);
void engine_on_beaten(struct engine *engine, const struct nodes_look *look, struct instant now);
void engine_on_erased(struct engine *engine, const struct erased_page *page, struct instant now);
void engine_on_noticed(struct engine *engine, const struct notice *notices, size_t count, bool more,
                       struct instant now);

/* Links. */
void engine_on_link_up(struct engine *engine, uint16_t carrier, uint16_t link, struct instant now);
void engine_on_link_octets(struct engine *engine, uint16_t carrier, uint16_t link,
                           struct span octets, struct instant now);
void engine_on_link_down(struct engine *engine, uint16_t carrier, uint16_t link, const char *why,
                         struct instant now);

/* Submitters. Strings in *ret_verdict are static. A verdict must not be told before
 * the ledger is durable up to its `ready_at` (P5). */
struct submit_verdict {
    Assent__V1__Code code;
    uint64_t id;
    const char *message;
    uint32_t parts;
    uint32_t encoding;
    uint32_t replaced; /* characters, by smart_encoding */
    const char
        *opt_out_line; /* put under the text; NULL: nothing was. Lives as long as the engine */
    const char *brand_prefix; /* put before the text; likewise */
    bool repeated_reference;
    uint64_t due_wall_ms; /* quiet hours: it waits until then, or may not go before; 0: neither */
    uint64_t ready_at;    /* may be told when the ledger is durable up to here; 0 at once */
};
void engine_submit(struct engine *engine, uint16_t client, const Assent__V1__Message *message,
                   bool dry_run, struct instant now, struct submit_verdict *ret_verdict);
/* What would become of each message if it were sent now, by the same rules; nothing is recorded, taken or
 * counted. Answered through ports.preflight_reply, maybe before the function returns. False, and no
 * answer: PREFLIGHTS_MAX are under way. 1 to SUBMIT_MESSAGES_MAX messages. */
MUST_CHECK bool engine_preflight(struct engine *engine, uint16_t client, uint64_t call,
                                 const Assent__V1__PreflightRequest *request, struct instant now);
void engine_cancel(struct engine *engine, uint16_t client, uint64_t id, struct instant now,
                   struct submit_verdict *ret_verdict);
bool engine_query(struct engine *engine, uint16_t client, uint64_t id,
                  Assent__V1__MessageStatus *ret_status); /* strings static or the engine's */

/* True while submissions are refused as a whole, with the reason ("draining", "disk full", ...);
 * a server then need not read. */
bool engine_refuses(const struct engine *engine, const char **ret_why);

/* Consent calls; answered through ports.consent_reply or show_reply with `call`, maybe before the
 * function returns. `client` CLIENT_OPERATOR may do everything. */
#define CLIENT_OPERATOR UINT16_MAX
/* True while Redis has enough to write: a server should not serve consent calls now. */
bool engine_consent_busy(const struct engine *engine);
void engine_request_opt_in(struct engine *engine, uint16_t client, uint64_t call,
                           const Assent__V1__OptInRequest *request, struct instant now);
void engine_confirm_opt_in(struct engine *engine, uint16_t client, uint64_t call,
                           const Assent__V1__ConfirmRequest *request, struct instant now);
void engine_record_opt_in(struct engine *engine, uint16_t client, uint64_t call,
                          const Assent__V1__RecordRequest *request, struct instant now);
void engine_opt_out(struct engine *engine, uint16_t client, uint64_t call,
                    const Assent__V1__OptOutRequest *request, struct instant now);
/* Operators only. */
void engine_release_hold(struct engine *engine, uint16_t client, uint64_t call,
                         const Assent__V1__ReleaseRequest *request, struct instant now);
void engine_show_consent(struct engine *engine, uint16_t client, uint64_t call,
                         const Assent__V1__ShowRequest *request, struct instant now);
/* Retention by age. The first record that is still needed, by what is known here; what is below may be cut. And
 * records that it will be; its own number, 0 where the ledger has no room now. `sequence` and `wall_ms` are not looked
 * at. */
struct cut_record;
uint64_t engine_retain_below(const struct engine *engine);
MUST_CHECK uint64_t engine_record_cut(struct engine *engine, const struct cut_record *cut,
                                      struct instant now);

/* Opens or resolves a complaint; operators only. Answered through ports.complaint_reply. */
void engine_complain(struct engine *engine, uint16_t client, uint64_t call,
                     const Assent__V1__ComplaintRequest *request, struct instant now);
/* Another gateway on this Redis will never come back. Answered as a consent call. */
void engine_forget_node(struct engine *engine, uint16_t client, uint64_t call, const char *name,
                        struct instant now);

/* Operators only. Answered as a consent call: when Erased is recorded, or with how far `sequence` is. */
void engine_erase(struct engine *engine, uint16_t client, uint64_t call,
                  const Assent__V1__EraseRequest *request, struct instant now);
/* What ports.erasure_find and ports.erasure_destroy have led to; not ok: they are asked again later. */
void engine_on_erasure_found(struct engine *engine, bool ok, const uint64_t *records, size_t count,
                             struct instant now);
void engine_on_erasure_destroyed(struct engine *engine, bool ok, uint32_t snapshots,
                                 struct instant now);

/* A call of an import. False: not now, Redis or the ledger has enough to write. Strings directly in
 * `request` have been found to be UTF-8, those of its columns not. `arena` keeps what the reply points to. */
MUST_CHECK bool engine_import(struct engine *engine, uint16_t client,
                              const Assent__V1__ImportRequest *request, struct instant now,
                              struct arena *arena, Assent__V1__ImportReply *ret_reply,
                              uint64_t *ret_ready_at);

/* Snapshot: writes records that fold to the present state; `add` gives false to stop. Called in a
 * forked child by the daemon. engine_snapshot_due() says when one is wanted. */
bool engine_snapshot(const struct engine *engine, struct instant now,
                     bool (*add)(void *context, struct span public_part, struct span personal_part),
                     void *context);
bool engine_snapshot_due(const struct engine *engine);
void engine_snapshot_begun(struct engine *engine); /* counts from here again */

/* Index of the program whose scope number an event carries, or -1. */
int engine_program_of_scope(const struct engine *engine, uint32_t scope);

/* What the world may see. */
const struct metrics *engine_metrics(const struct engine *engine);
struct engine_status {
    uint64_t open_messages, scheduled, quiet, waiting, awaiting_receipt, memory_octets;
    uint64_t texts_lost; /* messages that ended at the start: the keys of their texts were gone */
    bool gate_open;
    const char *gate_why; /* when open: what Redis may lose, or "" */
    bool draining;
    uint32_t erasures;         /* under way */
    const char *erasure_phase; /* of the first; "" for none */
};
void engine_status(const struct engine *engine, struct engine_status *ret_status);

/* Complaints, as gateway/complaint.h names them: open ones, and those opened and resolved since the start. */
struct complaint_status {
    uint64_t open, overdue; /* the second among the first */
};
enum complaint_label_kind {
    COMPLAINTS_BY_PROGRAM,
    COMPLAINTS_BY_CARRIER,
    COMPLAINTS_BY_SENDER,
    COMPLAINT_LABEL_KINDS,
};
struct complaint_label {
    char name[NAME_OCTETS_MAX + 1]; /* "unknown" where nobody said; the last one may be "other" */
    uint64_t opened;
};
void engine_complaints(const struct engine *engine, uint64_t wall_ms,
                       struct complaint_status *ret_status);
uint64_t engine_complaints_opened(const struct engine *engine, unsigned channel, unsigned type);
uint64_t engine_complaints_resolved(const struct engine *engine, unsigned finding);
const struct complaint_label *engine_complaints_of(const struct engine *engine,
                                                   enum complaint_label_kind kind,
                                                   unsigned *ret_count);

/* Reputation, of one sender at one carrier; gateway/reputation.h names what is counted. */
struct reputation_status {
    const char *sender, *carrier;
    uint64_t totals[REPUTATION_WINDOWS][REPUTATION_KINDS]; /* as of the time that was asked for */
    uint8_t alarms[REPUTATION_WINDOWS];                    /* a bit each rate */
    bool paused;                                           /* its marketing there waits: */
    uint64_t paused_wall_ms, paused_record; /* since when; sequence number of the record */
    uint8_t rate, window;                   /* for what, */
    uint32_t share, threshold;              /* and how much, as its record says */
    uint64_t count, texts;
};
/* The `index`-th pair that is known; false: there are no more. */
bool engine_reputation(const struct engine *engine, unsigned index, uint64_t wall_ms,
                       struct reputation_status *ret_status);
/* Events that were not counted since there was no room for their pair. */
uint64_t engine_reputation_uncounted(const struct engine *engine);
/* What a reply about it points into. */
struct reputation_shown {
    struct reputation_status status; /* filled by engine_reputation() */
    Assent__V1__SenderReputation row;
    Assent__V1__ReputationCounts counts[REPUTATION_WINDOWS - 1], *windows[REPUTATION_WINDOWS - 1];
    Assent__V1__ReputationRate alarms[REPUTATION_WINDOWS - 1][REPUTATION_RATES];
    Assent__V1__ReputationFinding finding;
};
void reputation_show(struct reputation_shown *shown); /* fills the rest by it */
/* Lists, or releases. Operators only. Answered through ports.reputation_reply before it returns. */
void engine_reputation_call(struct engine *engine, uint16_t client, uint64_t call,
                            const Assent__V1__ReputationRequest *request, struct instant now);

/* Why messages left a carrier for another one. */
enum failover_reason {
    FAILOVER_DOWN,     /* none of its sessions could submit */
    FAILOVER_REFUSING, /* it throttled, failed or did not answer, and took nothing */
    FAILOVER_STATUS,   /* its answer to the message said so */
    FAILOVER_REASONS,
};
const char *failover_name(unsigned reason); /* "down" */

/* "bind_refused ESME_RINVPASWD" of a session's end, the status only where it is an error. */
#define CARRIER_WHY_MAX 80
void engine_why(char out[CARRIER_WHY_MAX], const char *why, uint32_t command_status);

/* Responses to nothing that we wait for, generic_nacks, unknown commands, broken PDUs. */
enum odd_kind { ODD_UNMATCHED, ODD_NACK, ODD_UNKNOWN, ODD_MALFORMED };
#define ODD_KINDS 4
const char *odd_name(unsigned kind); /* 0.. : "unmatched" */

struct carrier_status {
    const char *name;
    const char *why; /* how its last connection ended; "" when none has */
    uint32_t sessions, sessions_bound, rate, sent_last_second, window, window_used;
    uint32_t rate_now, window_now; /* what is left of rate and window after refusals */
    uint64_t waiting[CLASS_COUNT];
    uint64_t awaiting_receipt;
    const char *receipt_hint; /* settings under which unmatched receipts would match; "" for none */
    uint32_t refused;         /* connections whose last bind was refused */
    uint32_t refused_status;  /* of one of them */
    uint64_t odd[ODD_KINDS];  /* PDUs of its that needed no action */
    uint32_t paused;          /* bits of enum pause_reason */
    bool passed_over;         /* new messages take another route, where there is one */
    uint64_t failed_over[FAILOVER_REASONS];
};
void engine_carrier_status(const struct engine *engine, uint16_t carrier, struct instant now,
                           struct carrier_status *ret_status);

/* Why a carrier's lane stands still: one bit a reason, so that taking one back cannot undo another. */
enum pause_reason {
    PAUSE_LINK_DOWN = 1 << 0,
    PAUSE_THROTTLED = 1 << 1, /* the carrier said ESME_RTHROTTLED or ESME_RMSGQFUL */
    PAUSE_GATE_AWAY = 1 << 2,
    PAUSE_LEDGER = 1 << 3, /* disk full, or the disk is behind */
    PAUSE_RATE = 1 << 4,   /* the sliding second is used up */
    PAUSE_WINDOW = 1 << 5,
    PAUSE_DRAINING = 1 << 6,
    PAUSE_GATE_BUSY = 1 << 7,     /* as many questions are open as Redis answers in good time */
    PAUSE_RATE_CUT = 1 << 8,      /* with PAUSE_RATE: the rate is below its setting, */
    PAUSE_WINDOW_CUT = 1 << 9,    /* with PAUSE_WINDOW: the window is, since the carrier refused */
    PAUSE_SESSION_RATE = 1 << 10, /* every session has used up its own rate */
    PAUSE_SENDER_RATE = 1 << 11,  /* texts of a sender wait for its own rate; others go on */
    PAUSE_SENDER_DAILY = 1 << 12, /* texts of a sender wait for the next day */
    PAUSE_REPUTATION = 1 << 13,   /* marketing of a sender waits for an operator */
};
#define PAUSE_REASONS 14
const char *pause_name(unsigned bit); /* 0.. : "link_down" */

/* A planted bug for the simulation's own test: the oracle must catch each. 0 in every real run; only
 * tests set it. */
enum plant {
    PLANT_NONE,
    PLANT_CHECK_DROPPED,       /* P1: writes without asking Redis */
    PLANT_UNKNOWN_PASSES,      /* P1: a failed check counts as a pass */
    PLANT_DENY_NOT_CONSULTED,  /* P2: the deny set is passed over before the write */
    PLANT_NO_CANCEL_ON_STOP,   /* P2: what waits stays */
    PLANT_STOP_ACK_EARLY,      /* P3: deliver_sm_resp before the opt-out is durable */
    PLANT_PART_NOT_RECORDED,   /* P3: a part of a long reply is answered and kept in memory alone */
    PLANT_REPLAY_SKIPPED,      /* P3: Redis is trusted although it forgot */
    PLANT_CONFIRM_TWICE,       /* P4 */
    PLANT_ACK_BEFORE_FSYNC,    /* P5 */
    PLANT_RESEND_AFTER_CRASH,  /* P6 */
    PLANT_ATTEMPT_NOT_DURABLE, /* P6: written before its intent is on disk */
    PLANT_RATE_AT_DISPATCH,    /* P7: accounted when dispatched, not when written */
    PLANT_TOKEN_NOT_RETURNED,  /* P7: under-use after denials */
    PLANT_NO_PRIORITY,         /* P8 */
    PLANT_FAILOVER_IN_FLIGHT,  /* P6: what was written goes to another carrier too */
    PLANT_FAILOVER_PART,       /* P6: the rest of a message that one carrier has taken in part */
    PLANT_NO_FAILOVER,         /* P8: what waits at a carrier that is down stays */
    PLANT_CARRIER_OPT_OUT_LOST, /* P3: the carrier says that the recipient opted out: not kept */
    PLANT_RECEIPT_OPT_OUT_LOST, /* P3: so does the error code of a receipt */
    PLANT_VACANCY_LOST,         /* P1: a number that nobody has goes on being sent to */
    PLANT_SENDER_PARTS,         /* P7: a sender's rate lets in texts, not parts */
    PLANT_SENDER_DAY_FORGOTTEN, /* P7: a restart forgets what a sender has written today */
    PLANT_NODES_NOT_AWAITED,    /* P2: a Redis that lost another gateway's opt-outs is trusted */
    PLANT_NEWS_BELIEVED,        /* P4: it is believed when it says that an opt-out is news */
    PLANT_DOUBT_WAITS, /* P3: an opt-out that may mean less stops nothing until it is answered */
    PLANT_QUIET_NOT_ASKED_AGAIN, /* P1: quiet hours are asked for at acceptance and never again */
    PLANT_QUIET_ONE_ZONE,        /* P1: of the zones that a number may be in one is asked */
    PLANT_LATE_YES,              /* P1: a yes counts although the question's time is over */
    PLANT_ASKED_TWICE,           /* P4: another question inside the first one's time */
    PLANT_START_WINS,            /* P3: a START lifts what came after it at another gateway */
    PLANT_REGISTRATION_NOT_ASKED_AGAIN, /* P1: a registration that ended meanwhile still counts */
    PLANT_NOTICES_IGNORED, /* P2: what waits here stays when the STOP came at another gateway */
    PLANT_MARK_NOT_READ, /* P3: a check is believed that ran on an emptied Redis; planted in its adapter */
    PLANT_CONTENT_NOT_ASKED_AGAIN, /* P1: a text is looked at when it is accepted and never again */
    PLANT_POSITION_BELIEVED,       /* P3: Redis has lost a batch, and its position says otherwise */
    PLANT_COMPLAINT_WAITS,         /* P2: a complaint is opened, and its number not suppressed */
    PLANT_CAP_NOT_RENEWED, /* P1: a place under a cap counts from when it was taken, not when it is used */
    PLANT_CAP_OWN_TEXTS,     /* P1: a gateway counts its own texts alone; planted in its adapter */
    PLANT_CONSENT_AGELESS,   /* P1: a consent that is too old still counts */
    PLANT_OWNER_ASSUMED,     /* P1: an older consent counts for a number that was reassigned */
    PLANT_START_LIFTS_HOLD,  /* P3: a handset takes a hold back */
    PLANT_RELEASE_LIFTS_ALL, /* P3: the operator's release takes back what the person ended too */
    PLANT_IMPORT_FORGOTTEN,  /* P5: after a crash an import begins anew */
    PLANT_IMPORT_TOLD_EARLY, /* P5: rows are said to be recorded before they are durable */
    PLANT_IMPORT_LIFTS,      /* P3: an imported opt-in takes an opt-out back */
    PLANT_REGISTER_AGELESS,  /* P1: an old copy of a do-not-call register still counts */
    PLANT_NO_UNMARKED, /* P1: a NO leaves no mark in Redis, and its question is written again; planted there */
    PLANT_FORESIGHT_BLIND,     /* P1: a dry run does not look at opt-outs */
    PLANT_FORESIGHT_TAKES,     /* P1: a dry run takes a place under a cap */
    PLANT_KEY_DESTROYED_EARLY, /* P5: a text's key goes when its epoch is closed */
    PLANT_TEXT_IN_CLEAR,       /* a code stands in the ledger */
    PLANT_ERASED_OPT_OUT_LOST, /* P3: a Redis that lost everything does not get an erased opt-out back */
    PLANT_ERASURE_NOT_RESUMED, /* a restart forgets the erasures that are under way */
    PLANT_ERASED_REMEMBERED,   /* who was erased stays in memory, and in the next snapshot */
    PLANT_CONSENT_RETIRED,     /* old records of consent go too */
    PLANT_RETAINED_TOO_LITTLE, /* records go that a start needs */
    PLANT_OLDER_NOT_SEARCHED,  /* an older Redis keeps who was erased since */
    PLANT_ERASURES_NOT_JOINED, /* whom other gateways erased, or a newer copy of the ledger, stays */
    PLANT_PAUSE_NOT_KEPT,      /* a sender is paused for its reputation, and goes on */
    PLANT_PAUSE_FORGOTTEN,     /* a restart forgets that it is */
    PLANT_OPT_OUTS_UNCOUNTED,  /* its opt-outs do not count */
    PLANT_RELEASE_COUNTS_ON,   /* what was counted before a release pauses again */
    PLANT_COUNT,
};
void engine_plant(struct engine *engine, enum plant plant);

#endif
