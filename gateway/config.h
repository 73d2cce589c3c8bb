/* SPDX-License-Identifier: Apache-2.0 */
/* The configuration as the program uses it: every string set (maybe ""), every default filled in,
 * every reference resolved to an index, every contradiction refused. Read once at start; owned by
 * the caller of config_load(); constant afterwards. The YAML schema is the tables in config_schema*.c. */
#ifndef GATEWAY_CONFIG_H
#define GATEWAY_CONFIG_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "consent/number_list.h"
#include "consent/quiet_hours.h"
#include "gateway/reputation.h"
#include "proto/base/err.h"
#include "proto/base/limits.h"
#include "proto/base/tls.h"
#include "proto/event.pb-c.h"
#include "smpp/addressing.h"
#include "smpp/message_id.h"
#include "smpp/text.h"
#include "smpp/status.h"

struct keyword_set; /* consent/keyword.h */

#define CLASS_COUNT 6 /* Assent__V1__Class, unspecified included */

enum opt_in_mode { OPT_IN_DOUBLE, OPT_IN_SINGLE };
enum stop_reach { REACH_BRAND, REACH_PROGRAM, REACH_GLOBAL };
enum quiet_mode { QUIET_AUTO, QUIET_ALL, QUIET_OFF }; /* marketing; transactional too; nothing */
enum brand_named { BRAND_ADD, BRAND_REQUIRE, BRAND_OFF };
enum link_shorteners { SHORTENERS_REFUSED, SHORTENERS_ALLOWED };
enum content_rules { CONTENT_OF_MARKETING, CONTENT_OF_ALL };
enum texts { TEXTS_WHOLE, TEXTS_HASHED, TEXTS_NONE };
enum do_not_call { DO_NOT_CALL_OFF, DO_NOT_CALL_REGISTER };
enum on_unknown { UNKNOWN_NEVER_AGAIN, UNKNOWN_SEND_AGAIN }; /* P6; marketing: always never */

/* A row of a program's own beside consent/data/keywords.tsv. */
struct program_word {
    unsigned kind; /* enum row_kind */
    char text[PROGRAM_WORD_OCTETS + 1];
    char language[9];
};

struct program_config {
    char name[NAME_OCTETS_MAX + 1];
    char brand[NAME_OCTETS_MAX + 1];
    char contact[65];                       /* for help and confirmation texts; "" for none */
    char purpose[PURPOSE_OCTETS_MAX + 1];   /* what it sends, for the same; "": its name */
    char frequency[PURPOSE_OCTETS_MAX + 1]; /* how often, for the same; "": "varies" */
    char other_way_out[WAY_OCTETS_MAX +
                       1];         /* link or number, where no reply can come; "" for none */
    char language[9];              /* default of questions and welcome: "en" */
    bool classes[CLASS_COUNT];     /* by Assent__V1__Class */
    char senders[SENDERS_MAX][17]; /* as sent: digits or up to 11 alphanumerics */
    uint16_t sender_count;
    struct program_word *words; /* owned; keywords, phrases and help cues */
    uint16_t word_count;
    enum opt_in_mode opt_in;
    enum stop_reach stop_reach;
    uint32_t pending_ms;                          /* a question may be answered so long */
    char join[JOIN_WORDS_MAX][JOIN_WORD_MAX + 1]; /* words that begin a double opt-in */
    uint16_t join_count;
    enum on_unknown on_unknown; /* for otp, transactional, emergency */
    struct frequency_cap {
        uint32_t count; /* texts to one number in any `window_ms`; 0: no cap */
        uint64_t window_ms;
    } frequency_cap;
    uint64_t consent_max_age_ms; /* 0: consent does not age */
    enum do_not_call do_not_call;
    enum brand_named brand_named; /* what becomes of a text that does not name the brand */
    enum link_shorteners link_shorteners;
    enum texts texts; /* what the ledger keeps of them once they are sent; of codes never any */
    enum content_rules content_rules; /* which texts the two before are about */
    bool smart_encoding;              /* typographic characters may be replaced; smpp/simplify.h */
    enum quiet_mode quiet_hours;
    bool retired; /* gone from the file; gateway/config_merge.h */
};

struct client_config {
    char name[NAME_OCTETS_MAX + 1];
    uint8_t key_sha256[32];
    bool has_key;
    int64_t uid;                    /* Unix socket peer that needs no key; -1 for none */
    char certificate[TLS_NAME_MAX]; /* TLS peer that needs no key; "" for none */
    bool programs[PROGRAMS_MAX];    /* by index */
};

enum yes_no { NO, YES };
enum receipt_parts { RECEIPTS_OF_ALL, RECEIPT_OF_LAST };
enum bind_mode { BIND_TRANSCEIVER, BIND_TRANSMITTER_RECEIVER };
enum validity { VALIDITY_UNSAID, VALIDITY_RELATIVE, VALIDITY_ABSOLUTE };

/* A way to a carrier, for the numbers that begin with `prefix`; gateway/route.h says how it is chosen. */
struct route_config {
    char prefix[NUMBER_DIGITS_MAX + 1]; /* "" for every number */
    char (*senders)[17];                /* NULL: from every sender */
    uint16_t sender_count;
    uint8_t classes;   /* bits by Assent__V1__Class; 0: every class */
    uint16_t priority; /* the smaller goes first */
    uint32_t cost;     /* then the smaller goes first */
    uint16_t weight;   /* then this share; 1 or more */
};

/* An exception to smpp/status.h. */
struct status_rule {
    uint32_t command_status;
    enum status_policy policy;
};

/* What a carrier's error code says about the recipient or the text, besides that this message failed. */
enum recipient_news { NEWS_NONE, NEWS_OPTED_OUT, NEWS_UNKNOWN_SUBSCRIBER, NEWS_FILTERED };

/* `code` as the carrier writes it in receipts; of a network_error_code's octets "type:code". */
struct receipt_error {
    char code[12];
    enum recipient_news news;
};

/* A sender with other limits than the carrier's `sender_rate` and `sender_daily`. */
struct sender_limit {
    char sender[17];
    uint32_t rate, daily; /* 0: none */
};

struct carrier_config {
    char name[NAME_OCTETS_MAX + 1];
    char address[256];       /* tcp://HOST:PORT, tls://HOST:PORT or unix:///PATH */
    struct tls_settings tls; /* of tls:// */
    char system_id[17];
    char password[65]; /* read from password_file */
    char system_type[14];
    char service_type[SERVICE_TYPE_MAX + 1];
    struct addressing addressing;
    enum validity validity; /* whether a message's time to live is told, and how */
    enum bind_mode bind;
    uint16_t sessions;     /* transceivers, or pairs */
    uint16_t window;       /* of one session */
    uint32_t rate;         /* submit_sm in any sliding second, over all sessions */
    uint32_t session_rate; /* and over one session; 0: no limit of its own */
    uint32_t sender_rate;  /* and of one sender; 0: no limit of its own */
    uint32_t sender_daily; /* submit_sm of one sender in a day of UTC; 0: no limit */
    struct sender_limit senders[SENDER_LIMITS_MAX];
    uint16_t sender_count;
    enum yes_no adapt; /* cut rate and window when the carrier refuses, and win them back */
    uint32_t request_timeout_ms;
    uint32_t enquire_link_ms;
    uint32_t reconnect_min_ms;   /* 1000 */
    uint32_t reconnect_max_ms;   /* 60000 */
    uint32_t receipt_timeout_ms; /* a message without its receipts ends so long after sending */
    enum id_form submit_id;      /* how ids are written in submit_sm_resp */
    enum id_form receipt_id;     /* and in receipts */
    enum receipt_parts receipt_parts; /* which parts of a long message are to report */
    enum yes_no receipts_by_text;     /* what reads like a receipt is one, marked or not */
    uint32_t refuse_status;           /* for a deliver_sm that cannot be stored; ESME_RSYSERR */
    uint32_t failover_after_ms;       /* unfit for so long, it is passed over */
    struct status_rule statuses[STATUS_RULES_MAX];
    uint16_t status_count;
    enum status_policy unknown_status; /* of a command_status that no table has */
    struct receipt_error receipt_errors[RECEIPT_ERRORS_MAX];
    uint16_t receipt_error_count;
    struct reputation_limits reputation;
    struct route_config *routes;
    uint16_t route_count;
    bool retired;           /* gone from the file; gateway/config_merge.h */
    uint32_t made;          /* counts changes of what its sessions are made of */
    struct text_rules text; /* which alphabets it takes, and how it joins parts */
};

enum sender_direction { DIRECTION_BOTH, DIRECTION_OUTBOUND, DIRECTION_INBOUND };

/* What a registrar lets a sender send. */
struct registration {
    char country[3];  /* ISO 3166-1 */
    uint8_t classes;  /* bits by Assent__V1__Class */
    char id[65];      /* the registrar's; "" for none */
    int32_t last_day; /* since 1970-01-01, UTC: it counts up to the end of this day; 0: for good */
};

/* A row of the registry of senders. */
struct sender_config {
    char number[17]; /* as programs name it; with letters too */
    enum sender_direction direction;
    struct registration *registrations; /* owned */
    uint16_t registration_count;
};

struct listener_config {
    char address[256];
    struct tls_settings tls; /* of tls:// */
};

struct config {
    uint8_t sha256[32]; /* of the file */
    char node[NAME_OCTETS_MAX + 1];
    char data_dir[4096 - 64];
    char redis_url[256];
    char redis_password[256]; /* "" for none */
    uint32_t redis_buckets;   /* a power of two; 65536 */
    struct listener_config *listeners;
    uint16_t listener_count;
    char http_address[256];       /* "" for none */
    uint64_t ledger_retain_ms;    /* older records that are no consent go; 0: none do */
    char witness_file[4096 - 64]; /* where checkpoints are kept too; "" for none */
    char witness_command[1024];   /* what takes them on its standard input; "" for none */
    struct client_config *clients;
    uint16_t client_count;
    struct program_config *programs;
    uint16_t program_count;
    struct carrier_config *carriers;
    uint16_t carrier_count;

    struct sender_config *senders; /* the registry; NULL: there is none, and nobody is asked */
    uint16_t sender_count;
    struct number_list *do_not_originate; /* NULL: none */

    struct daily_hours quiet_default; /* where no rule is known; until 0: none */
    const struct zone_table *zones;   /* of config_take_hours(); NULL: no program has quiet hours */

    /* A number is taken for vacant when this many messages, the first and the last so far apart, have met
     * an unknown subscriber and none was delivered in between. */
    uint32_t vacant_times;   /* 3 */
    uint64_t vacant_over_ms; /* 7 days */

    /* A complaint is to be resolved so long after it was received, by how it came in. */
    uint64_t complaint_due_ms[ASSENT__V1__COMPLAINT_CHANNEL__VIA_REGULATOR + 1];

    struct reputation_limits reputation; /* of carriers that do not say otherwise */

    /* limits (P10) */
    uint32_t max_open_messages;   /* waiting, scheduled, in flight, awaiting receipts; 4,000,000 */
    uint64_t max_memory_octets;   /* of their structs and texts; 2 GiB */
    uint32_t max_references;      /* remembered client references; 4,000,000 */
    uint64_t reference_window_ms; /* 24 h */
    uint32_t retry_max;           /* attempts after a temporary error; 8 */
    uint32_t retry_min_ms;        /* 1000, doubling with jitter */
    uint32_t retry_max_ms;        /* 300000 */
    uint64_t ttl_ms[CLASS_COUNT]; /* defaults by class: otp 5 min, others 1-2 days */
    uint32_t snapshot_records;    /* a snapshot every so many records; 5,000,000 */
    enum { LEVEL_DEBUG, LEVEL_INFO, LEVEL_WARN, LEVEL_ERROR } log_level;
};

/* Reads and checks `path`. On failure writes one line a fault to `errors` ("FILE:LINE: what; what is
 * allowed") and gives ERR_BAD_INPUT. Secret files that others may read are refused. Relative paths
 * are relative to the configuration file. */
MUST_CHECK enum err config_load(const char *path, FILE *errors, struct config **ret_config);
void config_free(struct config *config);
void config_free_senders(struct config *config); /* the registry alone */

/* Reads the system's time zones where a program has quiet hours (consent/zones.h says when that may be).
 * False, with a line a fault in `errors`: there are none, or a route leads to countries of which no hours
 * are known. To be called before an engine is made of it. */
MUST_CHECK bool config_take_hours(struct config *config, const char *path, FILE *errors);
/* Does the program keep quiet hours for this class? */
bool config_keeps_hours(const struct program_config *program, Assent__V1__Class message_class);

/* What the registry says of a sender; NULL: nothing. */
const struct sender_config *config_find_sender(const struct config *config, const char *sender);
/* Handsets can answer it: it is a number, and not one that only sends. */
bool config_is_answerable(const struct config *config, const char *sender);

/* What `assentd -t` prints: what this configuration would do, in words; secrets are hidden. */
void config_print(const struct config *config, FILE *out);
/* Its part about senders, on that day since 1970. */
void config_print_senders(const struct config *config, int32_t today, FILE *out);

/* Fills every default into a zeroed struct; used by config_load() and by the simulation. */
void config_defaults(struct config *config);
void program_defaults(struct program_config *program);
void carrier_defaults(struct carrier_config *carrier);
void route_defaults(struct route_config *route);

int config_find_program(const struct config *config, const char *name); /* index or -1 */
/* Our words and those of the program, or NULL when it adds none. To be freed with keyword_set_free(). */
struct keyword_set *program_words_of(const struct config *config, uint16_t program);
int config_find_client(const struct config *config, const char *name);

/* True for a tls:// address. */
bool config_is_tls(const char *address);

#endif
