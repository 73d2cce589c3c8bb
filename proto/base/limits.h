/* SPDX-License-Identifier: Apache-2.0 */
/* Every limit that is not a setting stands here (promise P10), with its reason; each has a test at
 * its edge. Settings' defaults stand in gateway/config_schema.c. */
#ifndef PROTO_BASE_LIMITS_H
#define PROTO_BASE_LIMITS_H

#include <assert.h>

/* Log */
#define LOG_LINE_MAX  1024 /* octets */
#define LOG_REPEAT_MS 1000 /* one call site of log_limited() */

/* TLS */
#define TLS_PATH_MAX  1024 /* octets of a file's path, with the NUL */
#define TLS_NAME_MAX  256  /* octets of a peer's name, with the NUL */
#define TLS_WARN_DAYS 14   /* a certificate that expires sooner is warned about */

/* Phone numbers: E.164 allows 15 digits; below 2^50, so scope << 50 | number fits 64 bits. */
#define NUMBER_DIGITS_MIN 5
#define NUMBER_DIGITS_MAX 15
#define SCOPE_MAX         16383u /* 14 bits */

/* Submission protocol */
#define FRAME_MAX (4u << 20) /* octets after the length word */
#define FRAME_ARENA_MAX                                                                            \
    (24u << 20) /* decoded form of one frame; 1 MiB of empty submessages is 60 MiB */
#define SUBMIT_MESSAGES_MAX    1000 /* messages in one Submit */
#define SUBMIT_SLICE           125  /* messages of it that one turn serves */
#define PREFLIGHTS_MAX         8    /* dry runs under way; above it one is refused */
#define PREFLIGHT_CHECKS_MAX   128  /* questions of theirs that Redis has at a time */
#define TEXT_OCTETS_MAX        6400 /* UTF-8; 255 parts would be more, nobody reads that */
#define TEXT_PARTS_MAX         10
#define REFERENCE_OCTETS_MAX   64
#define CAMPAIGN_OCTETS_MAX    64
#define NAME_OCTETS_MAX        32 /* node, client, program, brand, carrier */
#define EVIDENCE_OCTETS_MAX    2048
#define CLIENT_CONNECTIONS_MAX 1024
#define CLIENT_OUTPUT_MAX      (8u << 20) /* per connection; above it the connection is not read */
#define CLIENT_CALLS_MAX       256 /* unanswered calls of a connection; above it it is not read */
#define HELLO_TIMEOUT_MS       5000
#define HELLO_FRAME_MAX        4096 /* octets of a frame before Hello: strangers get little memory */
#define FRAME_TIMEOUT_MS       30000 /* a frame that has begun must be whole by then */
#define CLIENT_LINGER_MS       2000  /* for the last words to a connection that is being closed */
#define CLIENT_INPUT_TOTAL_MAX                                                                     \
    (256u << 20)                       /* octets read and not yet decoded, over all connections */
#define CLIENT_CONSENT_CALLS_MAX 65536 /* consent calls under way, over all connections */
#define SUBMIT_PATIENCE_MS       1000 /* the engine refuses: back-pressure so long, then a refusal */
#define WATCH_CHUNK_OCTETS       (256u << 10) /* read from the ledger for one watcher in one turn */
#define WATCH_BUSY_SHARE         25u /* while there is other work, watchers get 1/25 of the loop's time */
#define WATCH_TURN_US            2000 /* and a turn at least so often */
#define WATCH_BUSY_MS            10   /* since the last record: there may be more of it */
#define WATCH_PROGRAMS_MAX       16u  /* that one watcher can ask for by name */

/* Time */
#define TTL_MS_MIN        1000u
#define TTL_MS_MAX        (7u * 24 * 3600 * 1000)
#define SCHEDULE_AHEAD_MS (90ull * 24 * 3600 * 1000) /* a send-at time further away is refused */

/* Ledger */
#define LEDGER_SEGMENT_RECORDS 65536u
#define LEDGER_RECORD_MAX      (64u << 10) /* octets: public and personal part */
#define LEDGER_RESERVE_OCTETS                                                                      \
    (8u << 20)                          /* kept allocated ahead: a STOP is durable on a full disk */
#define LEDGER_BATCH_OCTETS (64u << 20) /* gathered while an fsync runs; full means back-pressure */

/* Retention by age: texts wait, are held over quiet hours, live, and get their receipts in this time, and no rule looks
 * further back. Complaints need it longer: gateway/config_schema_ledger.c adds the time in which they are due. */
#define LEDGER_RETAIN_MS_MIN (120ull * 24 * 3600 * 1000)
#define LEDGER_RETAIN_MS_MAX (36500ull * 24 * 3600 * 1000)
#define LEDGER_CUTS_MAX      16 /* segments recorded at once */

#define SECRET_KEYS_MAX                                                                            \
    64 /* keys of texts that are not kept, in use and spare: a sector of a file each */
#define SECRET_SPARES 3 /* made ahead, so that nobody waits for one */

#define NOTE_NAME_SIZE 64   /* of a signer, with the NUL: "assent/" and a node's name */
#define NOTE_SIZE      1024 /* octets of a checkpoint with its signatures, with the NUL */
#define CHECKPOINT_MS  1000 /* between two checkpoints while records come */

/* Consent */
#define SCOPES_RESERVED        16 /* numbers below are not given to brands and programs; consent/gate.h */
#define CHECK_SCOPES_MAX       7  /* everything, erased, hold, brand, program, and two registers */
#define ERASURES_MAX           64 /* under way; more are to be asked for again */
#define ERASURES_REMEMBERED    1024 /* done, so that late receipts do not bring a number back */
#define ERASURE_REQUEST_MAX    40   /* octets of a request's id */
#define REDIS_BUCKETS_MAX      (1u << 24)
#define ERASED_READ            64 /* erasures of all gateways on one Redis that are read at a time */
#define ERASED_EVERY_MS        100     /* how often a gateway looks for those of others */
#define ERASED_PEOPLE_MAX      1048576 /* that a gateway knows; above it asks for no more */
#define ERASED_STEPS_MAX       4096    /* records that one erased_records names */
#define ERASURE_RETRY_MS       10000   /* after a file could not be read or written */
#define CAP_PLACES_MAX         32      /* texts in the window of a frequency cap */
#define CAP_WINDOW_MS_MIN      1000u
#define CAP_WINDOW_MS_MAX      (90ull * 24 * 3600 * 1000)
#define CONSENT_AGE_MS_MIN     (24ull * 3600 * 1000)
#define CONSENT_AGE_MS_MAX     (3650ull * 24 * 3600 * 1000)
#define CHECK_DAY_DIGITS       5      /* of a day since 1970: to the year 2243 */
#define VERDICT_AGE_MAX_MS     50     /* P2: an older verdict is asked again */
#define STORE_DEADLINE_MS      250    /* a reply that takes longer closes the connection */
#define IMPORT_ROWS_MAX        512    /* rows in one call of an import: about half a ms of engine */
#define IMPORT_WINDOW          262144 /* rows that are sorted at a time: four of each bucket */
#define IMPORT_FILE_SIZE       129    /* of its name, with the NUL; a longer one is cut */
#define IMPORTS_REMEMBERED     64     /* imports that may be gone on with */
#define DOUBTFUL_MAX           65536 /* opt-outs that another gateway may have confirmed; more are not */
#define STOP_HOLD_MS           1000 /* P3: deliver_sm_resp waits this long for Redis */
#define DENY_GRACE_MS          1000 /* a number stays in the deny set so long after Redis has it */
#define STOP_TIMES_MS          (7ull * 24 * 3600 * 1000) /* so long Redis knows when an opt-out was taken */
#define IMPORT_TIMED_ROWS      16384 /* opt-outs of an import whose time Redis keeps */
#define AGAINS_MAX             4096 /* STARTs that Redis does not have yet: more are not answered by a text */
#define CONFIRMATION_MAX_MS    (5 * 60 * 1000)       /* P4: later than this, never */
#define CONSENT_PENDING_MS     (24ull * 3600 * 1000) /* a question may be answered so long, unless */
#define CONSENT_PENDING_MS_MIN (60ull * 1000)        /*   its program says otherwise: from here */
#define CONSENT_PENDING_MS_MAX (30ull * 24 * 3600 * 1000)
#define CONSENT_EXPIRED_MS     (7ull * 24 * 3600 * 1000) /* so long it is known that nobody answered */
#define JOIN_WORDS_MAX         8                         /* of one program */
#define JOIN_WORD_MAX          32                        /* octets */
#define JOIN_BARE_MIN          4  /* letters of a word that counts alone, without JOIN */
#define NODES_MAX              16 /* gateways on one Redis; one alone can ask all that it answers */
#define NODE_BEAT_MS           1000  /* how often each says that it runs, and looks at the others */
#define NODE_LOOK_MS           100   /* how often while it waits for others */
#define NODE_MEET_MS           2000  /* who runs and has not looked by then has no connection */
#define NODE_SILENT_MS         5000  /* without a beat for so long, a node writes nothing */
#define NODE_GONE_MS           60000 /* an operator's word on a node stays in Redis for the others */
#define NOTICE_KEPT_MS         60000 /* numbers stand there no longer after the last one */
#define NOTICES_MAX            4096 /* that Redis keeps, about; a gateway that lags further asks at its gate */
#define NOTICES_READ           64 /* at a time */
#define NOTICE_EVERY_MS        100 /* how often notices of other gateways are read, where there are some */
#define STORE_REPLY_ELEMENTS   264          /* array elements in one RESP reply: a batch's EXEC */
#define STORE_BATCH_WRITES     64           /* writes in one MULTI; others wait for it */
#define STORE_BULK_MAX         (64u << 10)  /* octets in one RESP bulk string */
#define STORE_CHECKS_MAX       65536        /* checks in flight; above it nothing is asked */
#define STORE_MARKS_MAX        4096         /* batches of checks in flight, likewise */
#define STORE_OTHERS_MAX       8192         /* writes, lookups and the like in flight */
#define STORE_REPLY_VALUES     512          /* values in one RESP reply, all levels together */
#define STORE_REPLY_DEPTH      4            /* arrays in arrays; ROLE needs 3 */
#define STORE_REPLY_LINE       1024         /* octets of a status, error or length line */
#define STORE_REPLY_MAX        (256u << 10) /* octets of one whole RESP reply */
#define STORE_OUTPUT_MAX       (32u << 20)  /* octets of commands not yet taken by the socket */
#define STORE_BACKOFF_MIN_MS   10
#define STORE_BACKOFF_MAX_MS   1000
#define CAPS_PLACES_MAX                                                                            \
    (1u << 27) /* under frequency caps, over all gateways on one Redis; above it texts wait */
#define CAPS_BATCH             256  /* that are asked for in one entry of the log */
#define CAPS_READ              40   /* entries at a time */
#define STORE_INTSET_MIN       512  /* set-max-intset-entries below this costs memory: warned */
#define KEYWORD_TEXT_MAX       1600 /* octets of a reply; longer ones are ordinary replies */
#define PURPOSE_OCTETS_MAX     64   /* of a program's purpose and frequency, in our texts */
#define WAY_OCTETS_MAX         100  /* of a program's other way out */
#define REVIEW_MS              (24ull * 3600 * 1000) /* "which messages?": silence so long means all */
#define REVIEWS_MAX            65536 /* open; one more ends the oldest as silence does */
#define COMPLAINTS_MAX         65536 /* open; one more is refused before anything is done */
#define COMPLAINT_MESSAGES_MAX 16    /* that one names */
#define COMPLAINT_DUE_MS_MIN   (3600ull * 1000)
#define COMPLAINT_DUE_MS_MAX   (366ull * 24 * 3600 * 1000)
#define COMPLAINT_LABELS_MAX                                                                       \
    64 /* programs, senders, carriers with a series of their own; others are one */
#define PROGRAM_WORDS_MAX   64 /* of one program: keywords, as many phrases, as many help cues */
#define PROGRAM_WORD_OCTETS 48 /* of one of them */
#define KEYWORD_ID_MAX      32 /* octets of the id of a row of words */

#define REPUTATION_BUCKETS 60 /* of a sliding hour, and of a sliding day */
#define REPUTATIONS_MAX                                                                            \
    1024 /* pairs of sender and carrier; of one more nothing is counted before there is room */
#define REPUTATION_PERSONS                                                                         \
    64 /* of a pair: who said STOP last, so that nobody's is counted again and again */
#define REPUTATION_SERIES_MAX                                                                      \
    64 /* pairs with series of their own in the metrics: those in trouble first */
#define REPUTATION_TEXTS_MAX 1000000000 /* of the setting: texts before a share says something */

#define QUIET_AHEAD_DAYS 15   /* longer than any row of consent/data/quiet_hours.inc keeps quiet */
#define ZONES_MAX        1024 /* time zones of the system's database, which has some 600 names */

/* SMPP */
#define PDU_MAX            65536u /* octets, bound; command_length above it ends the session */
#define PDU_UNBOUND_MAX    1024u  /* before bind */
#define TLV_MAX            64     /* TLVs kept of one PDU; more are counted and passed over */
#define MESSAGE_ID_MAX     64     /* octets, without the NUL (3.4 section 5.2.23 says 65 with it) */
#define SHORT_MESSAGE_MAX  254    /* octets sent; 255 are accepted */
#define WINDOW_MAX         10000
#define SESSION_OUTPUT_MAX (4u << 20)
#define SESSION_INPUT_MAX  (1u << 20) /* kept while a peer does not read our answers */
#define BIND_TIMEOUT_MS    10000
#define PDU_TIMEOUT_MS     30000 /* a PDU that has begun must be whole by then */
#define PROBE_TEXTS_MAX    100   /* of one `assent carrier probe`: all of them go to one handset */
#define SHOWN_PDUS_MAX     (4u << 20) /* octets that `assent pdu` takes at a time */

/* Received long texts; a full table's oldest is taken as it is */
#define REASSEMBLY_PARTS_MAX  16   /* of one text; parts of more are texts of their own */
#define REASSEMBLY_TEXT_MAX   1023 /* octets of UTF-8 kept of a part, which has 160 characters */
#define REASSEMBLY_SETS_MAX   4096
#define REASSEMBLY_OCTETS_MAX (4u << 20)
#define REASSEMBLY_MS         (5 * 60 * 1000) /* after that what has come is taken as it is */

/* Gateway */
#define CARRIERS_MAX         64
#define SESSIONS_MAX         16 /* of one carrier */
#define PROGRAMS_MAX         1024
#define SENDERS_MAX          64          /* of one program */
#define REGISTERED_MAX       1024        /* senders that `senders` names */
#define REGISTRATIONS_MAX    64          /* of one of them */
#define LISTED_DIGITS_MIN    3           /* of a whole number in a list of numbers */
#define LIST_OCTETS_MAX      (32u << 20) /* of such a list's file */
#define CLIENTS_MAX          256
#define LISTENERS_MAX        16
#define ROUTES_MAX           4096       /* of one carrier */
#define STATUS_RULES_MAX     64         /* of one carrier */
#define RECEIPT_ERRORS_MAX   64         /* of one carrier: codes with a meaning of their own */
#define SENDER_LIMITS_MAX    256        /* of one carrier: senders with a rate of their own */
#define CONFIG_OCTETS_MAX    (1u << 20) /* the configuration file */
#define CONFIG_FAULTS_MAX    50         /* told in one go */
#define HTTP_HEAD_MAX        8192       /* octets of a request; it has no body */
#define HTTP_REPLY_MAX       (2u << 20)
#define HTTP_CONNECTIONS_MAX 32
#define HTTP_TIMEOUT_MS      10000 /* from accept to close, whatever the peer does */
#define CAMPAIGNS_MAX        4096  /* waiting at one carrier */
#define FAILOVER_URGENT_MS   100   /* a code waits so long for a carrier that is unfit */
#define PARKED_RECEIPTS_MAX  65536
#define PARKED_RECEIPT_MS    60000
#define VACANCIES_MAX        (1u << 18) /* numbers that carriers call unknown; the oldest is forgotten */
#define VACANCY_TIMES_MAX    100
#define VACANCY_OVER_MS_MAX  (90ull * 24 * 3600 * 1000)
#define RECEIPTS_GATHERED    1024       /* of one turn, before they are looked up */
#define RECEIPTS_TOGETHER    32         /* looked up together */
#define ENDED_IDS_REMEMBERED (1u << 18) /* carriers' ids of ended messages: receipts come twice */
#define ENDED_REMEMBERED     (1u << 18) /* sequence numbers back that Query knows ended messages of */
#define THROTTLE_GUARD_MS    10 /* the carrier's second is measured with another clock and jitter */

static_assert(1000000000000000ull < (1ull << 50), "a number must fit 50 bits");
static_assert(STORE_BATCH_WRITES * 4 + 3 <= STORE_REPLY_ELEMENTS, "EXEC answers each command");
static_assert(NOTICES_READ * 5 + 1 <= STORE_REPLY_VALUES, "a reading is one reply");
static_assert(CAPS_READ * 5 + 1 <= STORE_REPLY_VALUES &&
                  CAPS_READ * (CAPS_BATCH * 22 + 128) <= STORE_REPLY_MAX,
              "a reading is one reply");
static_assert(LEDGER_RETAIN_MS_MIN >=
                      SCHEDULE_AHEAD_MS + QUIET_AHEAD_DAYS * 24ull * 3600 * 1000 + 2 * TTL_MS_MAX &&
                  LEDGER_RETAIN_MS_MIN >= CAP_WINDOW_MS_MAX &&
                  LEDGER_RETAIN_MS_MIN >= VACANCY_OVER_MS_MAX,
              "what is cut from the ledger must be over");
static_assert(TEXT_OCTETS_MAX + 1024 < LEDGER_RECORD_MAX, "an accepted message must fit a record");

#endif
