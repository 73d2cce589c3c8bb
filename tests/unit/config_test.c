/* SPDX-License-Identifier: Apache-2.0 */
/* The configuration: what loads, what every fault says and in which line, and that deploy/assent.yaml
 * tells the truth about keys and defaults. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "gateway/config.h"
#include "gateway/config_text.h"

#define DEPLOY VECTORS "/../../deploy/"
#define HASH   "0123456789abcdef0123456789abcdef0123456789abcdef0123456789ABCDEF"

static char folder[] = "/tmp/assent-config-XXXXXX";

static const char *in_folder(const char *name)
{
    static char path[256];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    return path;
}

static void write_file(const char *name, const char *text, mode_t mode)
{
    FILE *file = fopen(in_folder(name), "w");
    assert_non_null(file);
    fputs(text, file);
    fclose(file);
    assert_int_equal(chmod(in_folder(name), mode), 0);
}

/* Loads `text`; what was said about it stands in `said` then. */
static char said[65536];

static struct config *load(const char *text)
{
    struct config *config = NULL;
    write_file("test.yaml", text, 0644);
    memset(said, 0, sizeof said);
    FILE *errors = fmemopen(said, sizeof said - 1, "w");
    enum err err = config_load(in_folder("test.yaml"), errors, &config);
    fclose(errors);
    assert_int_equal(err == ERR_OK, config != NULL);
    assert_int_equal(err == ERR_OK, said[0] == '\0');
    return config;
}

static char *read_file(const char *path)
{
    static char text[65536];
    FILE *file = fopen(path, "r");
    assert_non_null(file);
    size_t length = fread(text, 1, sizeof text - 1, file);
    text[length] = '\0';
    fclose(file);
    return text;
}

/* A configuration with everything that must be there, in which one thing at a time is replaced. */
static const char good[] =
    "node: gw1\n"                                                             /* 1 */
    "data_dir: /var/lib/assent\n"                                             /* 2 */
    "redis: {url: \"unix:///run/redis/redis-server.sock\"}\n"                 /* 3 */
    "listeners:\n"                                                            /* 4 */
    "  - {address: \"unix:///run/assent/assent.sock\"}\n"                     /* 5 */
    "  - {address: \"tcp://0.0.0.0:7300\"}\n"                                 /* 6 */
    "http: {address: \"tcp://127.0.0.1:7380\"}\n"                             /* 7 */
    "clients:\n"                                                              /* 8 */
    "  - {name: shop, key_sha256: \"" HASH "\", programs: [offers, login]}\n" /* 9 */
    "programs:\n"                                                             /* 10 */
    "  - name: offers\n"                                                      /* 11 */
    "    brand: Acme\n"                                                       /* 12 */
    "    classes: [marketing]\n"                                              /* 13 */
    "    senders: [\"12025550100\"]\n"                                        /* 14 */
    "    opt_in: double\n"                                                    /* 15 */
    "    stop_reach: brand\n"                                                 /* 16 */
    "  - {name: login, brand: Acme Bank, classes: [otp, transactional], senders: "
    "[\"12025550101\"]}\n"
    "carriers:\n"                             /* 18 */
    "  - name: alpha\n"                       /* 19 */
    "    address: \"tcp://127.0.0.1:2775\"\n" /* 20 */
    "    system_id: acme\n"                   /* 21 */
    "    password_file: alpha.secret\n"       /* 22 */
    "    bind: transceiver\n"                 /* 23 */
    "    sessions: 1\n"                       /* 24 */
    "    window: 100\n"                       /* 25 */
    "    rate: 500\n"                         /* 26 */
    "    routes: [\"1\", \"44\"]\n"           /* 27 */
    "limits: {retry_min: 2s}\n"               /* 28 */
    "ttl: {otp: 3m}\n";                       /* 29 */

/* `good` with `old` replaced by `fresh`. */
static const char *with(const char *old, const char *fresh)
{
    static char text[8192];
    const char *at = strstr(good, old);
    assert_non_null(at);
    snprintf(text, sizeof text, "%.*s%s%s", (int)(at - good), good, fresh, at + strlen(old));
    return text;
}

static void test_good(void **state)
{
    (void)state;
    struct config *config = load(good);
    assert_non_null(config);
    assert_string_equal(config->node, "gw1");
    assert_int_equal(config->listener_count, 2);
    assert_string_equal(config->http_address, "tcp://127.0.0.1:7380");
    assert_true(config->clients[0].has_key);
    assert_int_equal(config->clients[0].key_sha256[1], 0x23);
    assert_int_equal(config->clients[0].uid, -1);
    assert_true(config->clients[0].programs[0] && config->clients[0].programs[1]);
    assert_int_equal(config_find_program(config, "login"), 1);
    assert_int_equal(config_find_program(config, "nobody"), -1);
    assert_int_equal(config_find_client(config, "shop"), 0);
    assert_true(config->programs[1].classes[ASSENT__V1__CLASS__OTP]);
    assert_false(config->programs[1].classes[ASSENT__V1__CLASS__MARKETING]);
    assert_string_equal(config->programs[0].senders[0], "12025550100");
    assert_string_equal(config->carriers[0].password, "open sesame");
    assert_int_equal(config->carriers[0].route_count, 2);
    assert_string_equal(config->carriers[0].routes[1].prefix, "44");
    assert_int_equal(config->carriers[0].receipt_timeout_ms, 48 * 3600 * 1000);
    assert_int_equal(config->retry_min_ms, 2000);
    assert_int_equal(config->ttl_ms[ASSENT__V1__CLASS__OTP], 180000);
    assert_int_equal(config->ttl_ms[ASSENT__V1__CLASS__MARKETING], 24 * 3600 * 1000);
    config_free(config);
}

struct fault {
    const char *old, *fresh;
    unsigned line;
    const char *says;
};

static const struct fault faults[] = {
    {"node: gw1", "nodes: gw1", 1,
     "unknown key \"nodes\" in the configuration; allowed: node, data_dir"},
    {"node: gw1\n", "", 1, "the configuration has no `node`, which it needs"},
    {"node: gw1", "node: GW1", 1, "1 to 32 of a-z, 0-9"},
    {"node: gw1", "node: gw1\nnode: gw2", 2, "`node` is there twice"},
    {"node: gw1", "node: [gw1]", 1, "`node` holds a list or a mapping; one value is allowed"},
    {"node: gw1", "node: \"a\\0b\"", 1, "control character"},
    {"node: gw1", "unknown_subscriber: {times: 0}\nnode: gw1", 1, "from 1 to 100"},
    {"node: gw1", "complaints: {due: {regulator: 5m}}\nnode: gw1", 1, "from 1h to 366d"},
    {"node: gw1", "complaints: {due: {press: 1d}}\nnode: gw1", 1, "carrier, regulator"},
    {"node: gw1", "reputation: {opt_outs: {alarm: 12%}}\nnode: gw1", 1,
     "`opt_outs` would pause at 10% and alarm at 12% only"},
    {"node: gw1", "reputation: {opt_outs: {pause: 5}}\nnode: gw1", 1,
     "a share like 5% or 0.3%, or off, from off to 100% is allowed"},
    {"node: gw1", "reputation: {unknown: {pause: 101%}}\nnode: gw1", 1, "to 100% is allowed"},
    {"node: gw1", "reputation: {texts: 0}\nnode: gw1", 1, "a whole number from 1 to 1000000000"},
    {"node: gw1", "reputation: {spam: {pause: 1%}}\nnode: gw1", 1,
     "unknown key \"spam\" in `reputation`; allowed: texts, filtered, unknown, opt_outs, "
     "complaints"},
    {"rate: 500", "reputation: {filtered: {pause: 1%}}\n    rate: 500", 26,
     "`filtered` would pause at 1% and alarm at 5% only"},
    {"node: gw1", "unknown_subscriber: {over: 91d}\nnode: gw1", 1, "to 90d is allowed"},
    {"node: gw1", "log_level: loud\nnode: gw1", 1, "allowed: debug, info, warn, error"},
    {"node: gw1", "witness: {file: a, command: b}\nnode: gw1", 1, "either a `file` or a `command`"},
    {"node: gw1", "witness: {}\nnode: gw1", 1, "either a `file` or a `command`"},
    {"node: gw1", "witness: {command: ''}\nnode: gw1", 1, "may not be empty"},
    {"data_dir: /var/lib/assent", "data_dir: ''", 2, "a path is needed"},
    {"url: \"unix:///run/redis/redis-server.sock\"", "url: \"http://x\"", 3,
     "redis://HOST:PORT/DATABASE"},
    {"{url: \"unix:///run/redis/redis-server.sock\"}", "{url: \"redis://h:6379/0\", buckets: 1000}",
     3, "a power of two is allowed"},
    {"redis: {url: \"unix:///run/redis/redis-server.sock\"}", "redis:", 3, "{key: value}"},
    {"{address: \"tcp://0.0.0.0:7300\"}", "{address: \"tcp://0.0.0.0:7300\", backlog: 5}", 6,
     "unknown key \"backlog\" in a listener; allowed: address, tls"},
    {"tcp://0.0.0.0:7300", "unix:///run/assent/assent.sock", 6, "two listeners have the address"},
    {"tcp://0.0.0.0:7300", "tcp://0.0.0.0:70000", 6, "the port is a number from 0 to 65535"},
    {"tcp://127.0.0.1:7380", "tcp://0.0.0.0:7300", 7, "has the address of a listener"},
    {HASH, "abc", 9, "64 hexadecimal digits"},
    {"key_sha256: \"" HASH "\", ", "", 9, "neither `key_sha256` nor `uid`"},
    {"programs: [offers, login]", "programs: [offers, logon]", 9, "there is no program \"logon\""},
    {", programs: [offers, login]", "", 9, "a client has no `programs`"},
    {"clients:\n", "clients:\n  - {name: shop, uid: 5, programs: [login]}\n", 10,
     "two clients are called shop"},
    {"name: shop, key", "name: shop, uid: -3, key", 9,
     "`uid` cannot be \"-3\"; a whole number from 0"},
    {"brand: Acme\n", "brand: Acme\n    colour: blue\n", 13,
     "unknown key \"colour\" in a program; allowed: name, brand"},
    {"brand: Acme\n", "brand: Acme\n    quiet_hours: 9-20\n", 13,
     "`quiet_hours` cannot be \"9-20\"; allowed: auto, all, off"},
    {"node: gw1", "quiet_hours_default: 20-9\nnode: gw1", 1,
     "`quiet_hours_default` cannot be \"20-9\"; hours of a day like 9-20 or 8:30-21:15 are "
     "allowed"},
    {"node: gw1", "quiet_hours_default: [9, 20]\nnode: gw1", 1, "one value is allowed"},
    {"brand: Acme\n", "brand: Acme\n    language: xx\n", 13,
     "`language` cannot be \"xx\"; en, fr, es, pt, de, it, nl, tr, id, tl, ar, ru, hi, zh, ja and "
     "ko are allowed"},
    {"[marketing]", "[marketing, spam]", 13, "unknown class \"spam\"; allowed: otp, transactional"},
    {"[marketing]", "[service]", 13, "unknown class \"service\""},
    {"[marketing]", "[]", 13, "`classes` is empty; at least 1"},
    {"    classes: [marketing]\n", "", 11, "a program has no `classes`"},
    {"[\"12025550100\"]", "[\"+12025550100\"]", 14, "1 to 15 digits without +"},
    {"[\"12025550100\"]", "[\"Acme Offers Inc\"]", 14, "up to 11 letters and digits"},
    {"[\"12025550100\"]", "[\"12025550100\", Acme]", 11,
     "nobody can answer the sender Acme with STOP; marketing from it needs `other_way_out`"},
    {"brand: Acme\n",
     "brand: Acme\n    other_way_out: \"a link so long that no text has room for it, which is a "
     "hundred "
     "octets and one more than it may have.\"\n",
     13, "at most 100 octets"},
    {"brand: Acme\n", "brand: Acme\n    keywords: [{text: \"3311\"}]\n", 13,
     "one of `keywords` has no `meaning`"},
    {"brand: Acme\n", "brand: Acme\n    keywords: [{text: Stop., meaning: reply}]\n", 13,
     "`keywords` cannot have \"Stop.\": it ends messages by law or custom"},
    {"brand: Acme\n", "brand: Acme\n    keywords: [{text: quit, meaning: cancel}]\n", 13,
     "it ends messages by law or custom"},
    {"brand: Acme\n", "brand: Acme\n    keywords: [{text: '!!', meaning: opt_out}]\n", 13,
     "it holds no letter and no digit"},
    {"brand: Acme\n", "brand: Acme\n    phrases: [{text: away, meaning: opt_out}]\n", 13,
     "unknown key \"meaning\" in one of `phrases` or `help_cues`"},
    {"brand: Acme\n", "brand: Acme\n    help_cues: [my order]\n", 13, "is written as lines of"},
    {"[\"12025550100\"]", "12025550100", 14, "`senders` is not a list"},
    {"opt_in: double", "opt_in: triple", 15, "allowed: double, single"},
    {"opt_in: double", "on_unknown: send_again", 11, "marketing is never sent again"},
    {"stop_reach: brand", "stop_reach: planet", 16, "allowed: brand, program, global"},
    {"stop_reach: brand", "pending: 59s", 16, "1m"},
    {"stop_reach: brand", "pending: 31d", 16, "30d"},
    {"stop_reach: brand", "join: [stop]", 16, "means something else already"},
    {"stop_reach: brand", "join: [acme news]", 16, "one word"},
    {"node: gw1", "node: gw1\nledger: {retain: 122d}", 2, "the windows of rules need 120d"},
    {"node: gw1", "node: gw1\nledger: {retain: 149d}\ncomplaints: {due: {web: 30d}}", 2,
     "for the 30d until they are due"},
    {"node: gw1", "node: gw1\nledger: {retain: 36501d}", 2, "to 36500d is allowed"},
    {"name: login", "name: offers", 17, "two programs are called offers"},
    {"address: \"tcp://127.0.0.1:2775\"", "address: \"127.0.0.1:2775\"", 20,
     "begins with tcp://, tls:// or unix://"},
    {"address: \"tcp://127.0.0.1:2775\"", "address: \"tcp://:2775\"", 20,
     "a carrier is tcp://HOST:PORT"},
    {"system_id: acme", "system_id: acme-corporation-x", 21, "at most 16 octets are allowed"},
    {"alpha.secret", "beta.secret", 22, "cannot read"},
    {"alpha.secret", "open.secret", 22, "others may read"},
    {"alpha.secret", "empty.secret", 22, "is empty"},
    {"alpha.secret", "lines.secret", 22, "more than one line"},
    {"alpha.secret", ".", 22, "is not a regular file"},
    {"rate: 500", "service_type: CMT345", 26, "at most 5 octets are allowed"},
    {"rate: 500", "short_sender: {ton: 8}", 26, "a whole number from 0 to 7 is allowed"},
    {"rate: 500", "short_sender: {plus: yes}", 26, "unknown key \"plus\" in a kind of sender"},
    {"rate: 500", "recipient: {npi: 19}", 26, "a whole number from 0 to 18 is allowed"},
    {"rate: 500", "country: \"+1\"", 26, "a country code like 1, 44 or 971 is allowed"},
    {"rate: 500", "country: \"1234\"", 26, "at most 3 octets are allowed"},
    {"rate: 500", "rate: 500\n    national_digits: 10", 19, "`national_digits` needs `country`"},
    {"rate: 500", "country: \"1\"\n    national_digits: 15", 27, "from 0 to 14 is allowed"},
    {"rate: 500", "validity: always", 26, "allowed: unsaid, relative, absolute"},
    {"bind: transceiver", "bind: both", 23, "allowed: transceiver, transmitter_receiver"},
    {"sessions: 1", "sessions: 17", 24, "a whole number from 1 to 16 is allowed"},
    {"window: 100", "window: 0", 25, "a whole number from 1 to 10000 is allowed"},
    {"rate: 500", "rate: 0", 26, "a whole number from 1 to 1000000 is allowed"},
    {"    rate: 500\n", "", 19, "a carrier has no `rate`"},
    {"rate: 500", "rate: 500\n    reconnect_min: 2m", 19, "`reconnect_min` is longer"},
    {"rate: 500", "request_timeout: 10", 26,
     "a duration like 250ms, 30s, 5m, 24h or 7d, from 100ms to 10m"},
    {"opt_in: double", "opt_in: double\n    smart_encoding: 1", 16, "allowed: no, yes"},
    {"opt_in: double", "opt_in: double\n    frequency_cap: {count: 33, window: 30d}", 16,
     "a whole number from 1 to 32 is allowed"},
    {"opt_in: double", "opt_in: double\n    frequency_cap: {count: 0, window: 30d}", 16,
     "a whole number from 1 to 32 is allowed"},
    {"opt_in: double", "opt_in: double\n    frequency_cap: {count: 4, window: 91d}", 16,
     "from 1s to 90d is allowed"},
    {"opt_in: double", "opt_in: double\n    frequency_cap: {count: 4}", 16,
     "`frequency_cap` has no `window`, which it needs"},
    {"opt_in: double", "opt_in: double\n    consent_max_age: 1h", 16, "is allowed"},
    {"opt_in: double", "opt_in: double\n    do_not_call: yes", 16, "allowed: off, register"},
    {"opt_in: double", "opt_in: double\n    brand_named: maybe", 16, "allowed: add, require, off"},
    {"opt_in: double", "opt_in: double\n    link_shorteners: yes", 16, "allowed: refuse, allow"},
    {"opt_in: double", "opt_in: double\n    content_rules: otp", 16, "allowed: marketing, all"},
    {"opt_in: double", "opt_in: double\n    texts: some", 16, "allowed: whole, hashed, none"},
    {"classes: [otp, transactional]", "classes: [otp], texts: hashed", 17,
     "nothing is ever kept of a code"},
    {"opt_in: double", "opt_in: double\n    contact: \"https://bit.ly/x\"", 11,
     "program offers: `contact` has a link of a public shortener"},
    {"opt_in: double", "opt_in: double\n    other_way_out: tinyurl.com/x", 11,
     "`other_way_out` has a link of a public shortener"},
    {"rate: 500", "alphabet: gsm8", 26, "allowed: gsm7, latin1, ascii"},
    {"rate: 500", "latin1: maybe", 26, "allowed: no, yes"},
    {"rate: 500", "national: turkish", 26, "`national` is not a list"},
    {"rate: 500", "national: [klingon]", 26, "\"klingon\"; allowed: turkish, spanish, "},
    {"rate: 500", "national: [marathi]", 26,
     "bengali, gujarati, hindi, kannada, malayalam, oriya, "},
    {"rate: 500", "national: [nepali]", 26, "punjabi, tamil, telugu, urdu"},
    {"rate: 500", "concatenation: udh", 26, "allowed: udh8, udh16, sar, payload"},
    {"rate: 500", "concatenation: payload\n    payload_max: 254", 27,
     "from 255 to 65535 is allowed"},
    {"rate: 500", "rate: 500\n    payload_max: 1000", 19,
     "`payload_max` is for `concatenation: pa"},
    {"rate: 500", "rate: 500\n    national: [turkish]\n    alphabet: latin1", 19,
     "`alphabet: gsm7`"},
    {"rate: 500", "rate: 500\n    national: [turkish]\n    concatenation: sar", 19,
     "`concatenation: udh8`"},
    {"rate: 500", "session_rate: 1000001", 26, "a whole number from 0 to 1000000"},
    {"rate: 500", "sender_rate: 1000001", 26, "a whole number from 0 to 1000000"},
    {"rate: 500", "rate: 500\n    sender_rate: 501", 19,
     "`sender_rate` is 501, more than its `rate`"},
    {"rate: 500", "rate: 500\n    senders: 12025550100", 27, "`senders` is not a list"},
    {"rate: 500", "rate: 500\n    senders: [{rate: 3}]", 27, "a sender's limit has no `sender`"},
    {"rate: 500", "sender_daily: 1000000001", 26, "a whole number from 0 to 1000000000"},
    {"rate: 500", "rate: 500\n    senders: [{sender: \"12025550100\", rate: -1}]", 27,
     "a whole number from 0 to 1000000"},
    {"rate: 500", "rate: 500\n    senders: [{sender: \"12025550109\", rate: 3}]", 27,
     "no program has the sender \"12025550109\", so this rate is for nobody"},
    {"rate: 500", "rate: 500\n    senders: [{sender: \"12025550100\", rate: 501}]", 19,
     "the rate of sender 12025550100 is 501, more than `rate`, 500"},
    {"rate: 500",
     "rate: 500\n    senders: [{sender: \"12025550100\", rate: 3}, {sender: \"12025550100\", rate: "
     "4}]",
     27, "sender 12025550100 is there twice"},
    {"rate: 500", "adapt: perhaps", 26, "allowed: no, yes"},
    {"rate: 500", "submit_id: octal", 26, "allowed: raw, hex, dec"},
    {"rate: 500", "receipt_id: 16", 26, "allowed: raw, hex, dec"},
    {"rate: 500", "receipts_by_text: maybe", 26, "allowed: no, yes"},
    {"rate: 500", "receipt_parts: first", 26, "allowed: all, last"},
    {"rate: 500", "receipt_errors: [069]", 26, "is written as {\"069\": opted_out"},
    {"rate: 500", "receipt_errors: {069: gone}", 26, "allowed: opted_out, unknown_subscriber"},
    {"rate: 500", "receipt_errors: {069: opted_out, \"069\": opted_out}", 26, "is there twice"},
    {"rate: 500", "receipt_errors: {\"no such code\": opted_out}", 26, "up to 11 characters"},
    {"rate: 500", "refuse_status: 0", 26, "a command_status like 0x08 from 0x01 to 0xffffffff"},
    {"rate: 500", "refuse_status: 0x123456789", 26, "a command_status like 0x08"},
    {"rate: 500", "refuse_status: 0x", 26, "a command_status like 0x08"},
    {"rate: 500", "refuse_status: 0x8g", 26, "a command_status like 0x08"},
    {"[\"1\", \"44\"]", "[\"1\", \"+44\"]", 27, "without +, or \"\" for every number"},
    {"[\"1\", \"44\"]", "[\"1\", \"1\"]", 27, "route \"1\" is there twice"},
    {"[\"1\", \"44\"]", "[{prefix: \"1\", weight: 0}]", 27, "a whole number from 1 to 1000"},
    {"[\"1\", \"44\"]", "[{cost: 2}]", 27, "a route has no `prefix`"},
    {"[\"1\", \"44\"]", "[{prefix: \"1\", via: x}]", 27,
     "allowed: prefix, senders, classes, cost, priority, weight"},
    {"[\"1\", \"44\"]", "[{prefix: \"1\", senders: [\"12025550199\"]}]", 27,
     "no program has the sender \"12025550199\""},
    {"[\"1\", \"44\"]", "[{prefix: \"1\", classes: [emergency]}]", 27,
     "no program has the class emergency"},
    {"[\"1\", \"44\"]", "[\"1\", {prefix: \"1\", cost: 3}]", 27, "route \"1\" is there twice"},
    {"[\"1\", \"44\"]", "[\"1\", {prefix: \"1\", classes: [otp]}]", 0, ""},
    {"rate: 500", "rate: 500\n    failover_after: 2d", 27, "from 0ms to 1d is allowed"},
    {"rate: 500", "rate: 500\n    unknown_status: ignore", 27,
     "allowed: retry, retry_elsewhere, throttle, final, opted_out"},
    {"rate: 500", "rate: 500\n    statuses: [0x45]", 27, "is written as {0x45: retry_elsewhere"},
    {"rate: 500", "rate: 500\n    statuses: {ESME_ROK: retry}", 27,
     "`statuses` cannot have \"ESME_ROK\""},
    {"rate: 500", "rate: 500\n    statuses: {0x100000000: retry}", 27,
     "`statuses` cannot have \"0x100000000\""},
    {"rate: 500", "rate: 500\n    statuses: {0x45: retry, 69: final}", 27,
     "status 69 is there twice"},
    {"rate: 500", "rate: 500\n    statuses: {0x45: sometimes}", 27,
     "`0x45` cannot be \"sometimes\""},
    {"retry_min: 2s", "retry_min: 10m", 28, "`retry_min` is longer than `retry_max`"},
    {"retry_min: 2s", "open_messages: 1000}\nlog_level: warn #", 0, ""},
    {"retry_min: 2s", "memory: 1MiB", 28, "from 16MiB to 1024GiB"},
    {"ttl: {otp: 3m}", "ttl: {otp: 8d}", 29, "from 1s to 7d is allowed"},
    {"ttl: {otp: 3m}", "ttl: {otp: 3m", 30, "not YAML: "},
    {"ttl: {otp: 3m}", "---\nmore: 1", 30, "a second document begins here"},
};

/* Whether a line of what was said names this line of the file and has this text. */
static bool is_said(unsigned line, const char *text)
{
    char place[280];
    snprintf(place, sizeof place, "%s:%u: ", in_folder("test.yaml"), line);
    for (const char *at = said; (at = strstr(at, place)) != NULL; at++) {
        const char *found = strstr(at, text);
        if (found != NULL && found < at + strcspn(at, "\n"))
            return true;
    }
    return false;
}

static void test_faults(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof faults / sizeof faults[0]; i++) {
        const struct fault *fault = &faults[i];
        struct config *config = load(with(fault->old, fault->fresh));
        if (fault->line == 0) {
            assert_non_null(config);
            config_free(config);
            continue;
        }
        if (config != NULL || !is_said(fault->line, fault->says))
            fail_msg("\"%s\" should say in line %u: %s\nbut said: %s", fault->fresh, fault->line,
                     fault->says, said);
    }
}

/* One run tells everything, in the order of the file. */
static void test_many_faults(void **state)
{
    (void)state;
    char text[4096] = "node: NO\nlog_level: loud\nbogus: 1\n";
    assert_null(load(text));
    assert_non_null(strstr(said, ":1: `node`"));
    assert_non_null(strstr(said, ":2: `log_level`"));
    assert_non_null(strstr(said, ":3: unknown key \"bogus\""));
    assert_true(strstr(said, ":1: `node`") < strstr(said, ":3: unknown"));
    size_t used = strlen(text);
    for (unsigned i = 0; i < CONFIG_FAULTS_MAX + 10; i++)
        used += (size_t)snprintf(text + used, sizeof text - used, "bogus%u: 1\n", i);
    assert_null(load(text));
    assert_non_null(strstr(said, "more\n"));
}

static void test_retention(void **state)
{
    (void)state;
    struct config *config = load(good);
    assert_int_equal(config->ledger_retain_ms, 0);
    config_free(config);
    config = load(with("node: gw1", "node: gw1\nledger: {retain: 123d}")); /* 120 and 72 hours */
    assert_non_null(config);
    assert_int_equal(config->ledger_retain_ms, LEDGER_RETAIN_MS_MIN + 3ull * 24 * 3600 * 1000);
    config_free(config);
    config = load(with("node: gw1", "node: gw1\nledger: {retain: 36500d}"));
    assert_non_null(config);
    assert_int_equal(config->ledger_retain_ms, LEDGER_RETAIN_MS_MAX);
    config_free(config);
}

static void test_receipt_settings(void **state)
{
    (void)state;
    struct config *config =
        load(with("rate: 500", "rate: 500\n    submit_id: hex\n    receipt_id: dec\n"
                               "    receipts_by_text: yes\n    refuse_status: 0x64\n"
                               "    receipt_parts: last"));
    assert_non_null(config);
    assert_int_equal(config->carriers[0].submit_id, ID_HEX);
    assert_int_equal(config->carriers[0].receipt_id, ID_DEC);
    assert_int_equal(config->carriers[0].receipts_by_text, YES);
    assert_int_equal(config->carriers[0].receipt_parts, RECEIPT_OF_LAST);
    assert_int_equal(config->carriers[0].refuse_status, 0x64);
    config_free(config);
}

static void test_text_settings(void **state)
{
    (void)state;
    struct config *config =
        load(with("rate: 500", "rate: 500\n    alphabet: ascii\n    latin1: yes\n"
                               "    concatenation: payload\n    payload_max: 255"));
    assert_non_null(config);
    const struct text_rules *text = &config->carriers[0].text;
    assert_int_equal(text->alphabet, ALPHABET_ASCII);
    assert_true(text->latin1);
    assert_int_equal(text->concatenation, CONCATENATION_PAYLOAD);
    assert_int_equal(text->payload_max, 255);
    config_free(config);
    config = load(with("rate: 500", "rate: 500\n    national: [turkish, bengali, urdu]\n"
                                    "    concatenation: udh16"));
    assert_non_null(config);
    text = &config->carriers[0].text;
    assert_int_equal(text->national,
                     1u << NATIONAL_TURKISH | 1u << NATIONAL_BENGALI | 1u << NATIONAL_URDU);
    assert_int_equal(text->concatenation, CONCATENATION_UDH16);
    config_free(config);
}

static void test_odd_files(void **state)
{
    (void)state;
    struct config *config = NULL;
    assert_null(load(""));
    assert_non_null(strstr(said, "the file is empty"));
    assert_null(load("just text"));
    assert_null(load("&a [*a, *a]"));
    assert_null(load("programs: &p [*p]\n"));
    assert_null(load("node: \xff\n"));
    assert_non_null(strstr(said, "not YAML"));
    FILE *errors = fmemopen(said, sizeof said - 1, "w");
    assert_int_equal(config_load("/nonexistent/x.yaml", errors, &config), ERR_BAD_INPUT);
    assert_int_equal(config_load(folder, errors, &config), ERR_BAD_INPUT);
    fclose(errors);
    assert_non_null(strstr(said, "/nonexistent/x.yaml: cannot read it"));
    assert_non_null(strstr(said, "a file is needed"));
}

#define REGISTERED(rows) "node: gw1\nsenders:\n" rows
#define OFFERS_SENDER                                                                              \
    "  - {number: \"12025550100\", registrations: [{country: US, classes: [marketing]}]}\n"
#define LOGIN_SENDER                                                                               \
    "  - {number: \"12025550101\", registrations: [{country: US, classes: [otp], id: C123, "       \
    "expires: 2027-03-31}]}\n"

static void test_registry(void **state)
{
    (void)state;
    static const struct {
        const char *rows, *said;
        unsigned line;
    } bad[] = {
        {"  []\n", "`senders` is empty; at least 1 must be there", 3},
        {OFFERS_SENDER, "program login: `senders` of the configuration does not have 12025550101",
         19},
        {OFFERS_SENDER "  - {number: \"12025550101\", direction: inbound}\n",
         "program login: nothing may be sent from 12025550101, which only receives", 20},
        {OFFERS_SENDER OFFERS_SENDER LOGIN_SENDER, "sender 12025550100 is there twice; keep one",
         4},
        {OFFERS_SENDER LOGIN_SENDER "  - {number: \"12025550102\"}\n",
         "sender 12025550102 has no `registrations`, so nothing could be sent from it", 5},
        {OFFERS_SENDER LOGIN_SENDER "  - {number: \"12025550102\", direction: inbound, "
                                    "registrations: [{country: US, classes: [otp]}]}\n",
         "sender 12025550102 only receives", 5},
        {"  - {number: \"12025550100\", registrations: [{country: UK, classes: [marketing]}]}\n",
         "`country` cannot be \"UK\"; two letters of ISO 3166-1 like US, GB or FR are allowed", 3},
        {"  - {number: \"12025550100\", registrations: [{country: US, classes: [spam]}]}\n",
         "unknown class \"spam\"", 3},
        {"  - {number: \"12025550100\", registrations: [{country: US, classes: [otp], expires: "
         "2027-02-29}]}\n",
         "`expires` cannot be \"2027-02-29\"; a day like 2027-03-31 is allowed", 3},
        {"  - {number: \"12025550100\", registrations: [{classes: [otp]}]}\n",
         "a registration has no `country`", 3},
        {"  - {number: \"12025550100\", registrations: []}\n", "`registrations` is empty", 3},
        {"  - {number: \"+1\", direction: inbound}\n", "`number` cannot be \"+1\"; 1 to 15 digits",
         3},
        {"  - {number: \"12025550100\", direction: up}\n", "allowed: both, outbound, inbound", 3},
        {"  - {number: \"12025550100\", bogus: 1}\n", "allowed: number, direction, registrations",
         3},
        {"  - {number: \"12025550100\", direction: outbound, registrations: [{country: US, "
         "classes: "
         "[marketing]}]}\n" LOGIN_SENDER,
         "nobody can answer the sender 12025550100 with STOP", 14},
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        char text[2048], line[16];
        snprintf(text, sizeof text, REGISTERED("%s"), bad[i].rows);
        snprintf(line, sizeof line, "yaml:%u: ", bad[i].line);
        assert_null(load(with("node: gw1\n", text)));
        const char *at = strstr(said, bad[i].said);
        if (at == NULL || strstr(said, line) == NULL)
            fail_msg("row %zu: %s", i, said);
    }
    struct config *config = load(
        with("node: gw1\n", REGISTERED(OFFERS_SENDER LOGIN_SENDER
                                       "  - {number: \"12025550102\", direction: inbound}\n")));
    if (config == NULL)
        fail_msg("%s", said);
    assert_int_equal(config->sender_count, 3);
    const struct sender_config *login = config_find_sender(config, "12025550101");
    assert_int_equal(login->registrations[0].classes, 1u << ASSENT__V1__CLASS__OTP);
    assert_int_equal(login->registrations[0].last_day, 20908);
    assert_true(config_is_answerable(config, "12025550101"));
    static char text[16384];
    static const struct {
        int32_t today;
        const char *said;
    } days[] = {
        {20877, "as \"C123\", up to 2027-03-31\n"},
        {20878, "up to 2027-03-31; warning: 30 days left, renew it"},
        {20908, "warning: 0 days left, renew it"},
        {20909, "warning: it has EXPIRED, renew it"},
        {20909, "12025550101 has no valid registration for otp: all of it from program login"},
        {20877, "12025550101 has no valid registration for transactional"},
        {20877, "  12025550102 receives only\n"}};
    for (size_t i = 0; i < sizeof days / sizeof *days; i++) {
        memset(text, 0, sizeof text);
        FILE *out = fmemopen(text, sizeof text - 1, "w");
        config_print_senders(config, days[i].today, out);
        fclose(out);
        if (strstr(text, days[i].said) == NULL)
            fail_msg("%s", text);
    }
    config_free(config);
}

/* `most` senders with one registration each, or one with `most` registrations, after the two needed. */
static char *many(unsigned senders, unsigned registrations)
{
    static char text[262144];
    size_t used = (size_t)snprintf(text, sizeof text, "%s",
                                   with("node: gw1\n", REGISTERED(OFFERS_SENDER LOGIN_SENDER)));
    char *at = strstr(text, LOGIN_SENDER) + strlen(LOGIN_SENDER);
    char *rest = strdup(at);
    assert_non_null(rest);
    used = (size_t)(at - text);
    for (unsigned i = 2; i < senders; i++) {
        used += (size_t)snprintf(text + used, sizeof text - used,
                                 "  - {number: \"%u\", registrations: [", 5000000 + i);
        for (unsigned r = 0; r < registrations; r++)
            used += (size_t)snprintf(text + used, sizeof text - used,
                                     "%s{country: US, classes: [otp]}", r ? ", " : "");
        used += (size_t)snprintf(text + used, sizeof text - used, "]}\n");
    }
    snprintf(text + used, sizeof text - used, "%s", rest);
    free(rest);
    return text;
}

static void test_registry_limits(void **state)
{
    (void)state;
    struct config *config = load(many(REGISTERED_MAX, 1));
    if (config == NULL)
        fail_msg("%s", said);
    assert_int_equal(config->sender_count, REGISTERED_MAX);
    config_free(config);
    assert_null(load(many(REGISTERED_MAX + 1, 1)));
    assert_non_null(strstr(said, "`senders` has 1025 entries; at most 1024 are allowed"));
    config = load(many(3, REGISTRATIONS_MAX));
    assert_non_null(config);
    assert_int_equal(config->senders[2].registration_count, REGISTRATIONS_MAX);
    config_free(config);
    assert_null(load(many(3, REGISTRATIONS_MAX + 1)));
    assert_non_null(strstr(said, "`registrations` has 65 entries; at most 64 are allowed"));
}

static void test_do_not_originate(void **state)
{
    (void)state;
    const char *text = with("node: gw1\n", "node: gw1\ndo_not_originate: dno.txt\n");
    (void)unlink(in_folder("dno.txt"));
    assert_null(load(text));
    assert_non_null(strstr(said, ":2: `do_not_originate`: cannot read"));
    write_file("dno.txt", "18885550100\n1202555010x\n", 0644);
    assert_null(load(text));
    assert_non_null(strstr(said, "dno.txt:2: not a number; digits are allowed"));
    write_file("dno.txt", "18885550100\n120255501*\n", 0644);
    struct config *config = load(text);
    assert_non_null(config);
    assert_int_equal(number_list_count(config->do_not_originate), 2);
    static char out_text[16384];
    FILE *out = fmemopen(out_text, sizeof out_text - 1, "w");
    config_print(config, out);
    fclose(out);
    assert_non_null(strstr(out_text, "`do_not_originate` has 12025550100: program offers sends "
                                     "nothing from it"));
    assert_non_null(strstr(out_text, "no registry: a sender of a program counts as registered"));
    config_free(config);
    assert_null(load(with("node: gw1\n", "node: gw1\ndo_not_originate: .\n")));
    assert_non_null(strstr(said, "is not a regular file of up to 32 MiB"));
    assert_int_equal(unlink(in_folder("dno.txt")), 0);
}

static void test_window_against_limit(void **state)
{
    (void)state;
    assert_null(load(with("window: 100\n    rate: 500\n    routes: [\"1\", \"44\"]\nlimits: {",
                          "window: 1001\n    rate: 500\n    routes: [\"1\"]\n"
                          "limits: {open_messages: 1000, ")));
    assert_non_null(strstr(said, ":19: carrier alpha: window times sessions is 1001"));
}

static void test_reputation_of_a_carrier_begins_with_that_of_all(void **state)
{
    (void)state;
    struct config *config = load(with(
        "carriers:\n", "reputation: {texts: 50, opt_outs: {alarm: off, pause: 8%}}\ncarriers:\n"));
    assert_non_null(config);
    unsigned opt_outs = ASSENT__V1__REPUTATION_RATE__RATE_OPT_OUTS;
    unsigned filtered = ASSENT__V1__REPUTATION_RATE__RATE_FILTERED;
    assert_int_equal(config->carriers[0].reputation.least_texts, 50);
    assert_int_equal(config->carriers[0].reputation.rates[opt_outs].alarm, 0);
    assert_int_equal(config->carriers[0].reputation.rates[opt_outs].pause, 80000);
    config_free(config);
    config =
        load(with("rate: 500", "rate: 500\n    statuses: {0x4b3: filtered}\n    receipt_errors: "
                               "{300: filtered}\n    reputation: {filtered: {pause: 7.5%}}"));
    assert_non_null(config);
    const struct carrier_config *carrier = &config->carriers[0];
    assert_int_equal(carrier->reputation.rates[filtered].pause, 75000);
    assert_int_equal(carrier->reputation.rates[filtered].alarm, 50000);
    assert_int_equal(carrier->reputation.rates[opt_outs].pause, 100000);
    assert_int_equal(carrier->statuses[0].policy, STATUS_FILTERED);
    assert_int_equal(carrier->receipt_errors[0].news, NEWS_FILTERED);
    char shown[8192] = "";
    FILE *out = fmemopen(shown, sizeof shown - 1, "w");
    config_print(config, out);
    fclose(out);
    assert_non_null(strstr(shown, "filtered 5%/7.5%, unknown 10%/30%"));
    config_free(config);
}

/* deploy/assent.yaml -------------------------------------------------------------------------- */

static void test_deployed_file(void **state)
{
    (void)state;
    struct config *config = load(read_file(DEPLOY "assent.yaml"));
    if (config == NULL)
        fail_msg("%s", said);
    assert_string_equal(config->data_dir, "/var/lib/assent");
    config_free(config);
}

/* Takes the "# " from lines that show a setting. */
static const char *uncommented(const char *text)
{
    static char out[65536];
    size_t used = 0;
    while (*text != '\0') {
        size_t length = strcspn(text, "\n") + 1, indent = strspn(text, " ");
        const char *key = text + indent + 2;
        bool setting = strncmp(text + indent, "# ", 2) == 0 &&
                       (strncmp(key, "- {address", 10) == 0 ||
                        (strspn(key, "abcdefghijklmnopqrstuvwxyz_") > 0 &&
                         key[strspn(key, "abcdefghijklmnopqrstuvwxyz_")] == ':'));
        used += (size_t)snprintf(out + used, sizeof out - used, "%.*s%.*s", (int)indent, text,
                                 (int)(length - indent - (setting ? 2 : 0)),
                                 setting ? key : text + indent);
        text += length;
    }
    return out;
}

static void assert_same_settings(const struct config *a, const struct config *b)
{
    assert_int_equal(a->redis_buckets, b->redis_buckets);
    assert_int_equal(a->max_open_messages, b->max_open_messages);
    assert_int_equal(a->max_memory_octets, b->max_memory_octets);
    assert_int_equal(a->max_references, b->max_references);
    assert_int_equal(a->reference_window_ms, b->reference_window_ms);
    assert_int_equal(a->retry_max, b->retry_max);
    assert_int_equal(a->retry_min_ms, b->retry_min_ms);
    assert_int_equal(a->retry_max_ms, b->retry_max_ms);
    assert_int_equal(a->snapshot_records, b->snapshot_records);
    assert_int_equal(a->log_level, b->log_level);
    assert_memory_equal(a->ttl_ms, b->ttl_ms, sizeof a->ttl_ms);
    assert_memory_equal(a->complaint_due_ms, b->complaint_due_ms, sizeof a->complaint_due_ms);
    assert_memory_equal(&a->reputation, &b->reputation, sizeof a->reputation);
}

/* What config_take_hours() says of `text`; "" where it is content. */
static const char *hours_of(const char *text)
{
    struct config *config = load(text);
    assert_non_null(config);
    memset(said, 0, sizeof said);
    FILE *errors = fmemopen(said, sizeof said - 1, "w");
    bool taken = config_take_hours(config, "x.yaml", errors);
    fclose(errors);
    assert_int_equal(taken, said[0] == '\0');
    config_free(config);
    return said;
}

/* A program that keeps quiet hours needs them for every country that a route leads to. */
static void test_hours_are_known_for_every_route(void **state)
{
    (void)state;
    assert_non_null(strstr(hours_of(good),
                           "x.yaml: carrier alpha: route \"1\" leads to countries of "
                           "which no quiet hours are known: "));
    assert_non_null(strstr(said, "CA"));
    assert_non_null(strstr(said,
                           "route \"44\" leads to countries of which no quiet hours are known: "
                           "GB GG JE IM; set `quiet_hours_default`"));
    assert_string_equal(hours_of(with("node: gw1", "quiet_hours_default: 9-20\nnode: gw1")), "");
    assert_string_equal(hours_of(with("brand: Acme\n", "brand: Acme\n    quiet_hours: off\n")), "");
    assert_string_equal(hours_of(with("[\"1\", \"44\"]", "[\"33\", \"1212\", \"1888\"]")), "");
    assert_string_equal(hours_of(with("[\"1\", \"44\"]", "[{prefix: \"44\", classes: [otp]}]")),
                        "");
    assert_non_null(strstr(hours_of(with("classes: [otp, transactional]",
                                         "classes: [otp, transactional], quiet_hours: all")),
                           "route \"44\""));
    assert_string_equal(hours_of(with("brand: Acme\n    classes: [marketing]",
                                      "brand: Acme\n    classes: [transactional]")),
                        "");
    assert_string_equal(hours_of(uncommented(read_file(DEPLOY "assent.yaml"))), "");
}

/* What the file shows commented out is the default, and there is no setting that it does not show. */
static void test_deployed_file_tells_defaults(void **state)
{
    (void)state;
    const char *text = uncommented(read_file(DEPLOY "assent.yaml"));
    struct config *config = load(text);
    if (config == NULL)
        fail_msg("%s", said);
    struct config defaults = {0};
    struct program_config program = {0};
    struct carrier_config carrier = {0};
    config_defaults(&defaults);
    program_defaults(&program);
    carrier_defaults(&carrier);
    assert_same_settings(config, &defaults);
    assert_string_equal(config->programs[0].language, program.language);
    assert_int_equal(config->programs[0].opt_in, program.opt_in);
    assert_int_equal(config->programs[0].stop_reach, program.stop_reach);
    assert_int_equal(config->programs[0].on_unknown, program.on_unknown);
    assert_int_equal(config->programs[0].smart_encoding, program.smart_encoding);
    assert_int_equal(config->programs[0].quiet_hours, program.quiet_hours);
    assert_int_equal(config->programs[0].brand_named, program.brand_named);
    assert_int_equal(config->programs[0].link_shorteners, program.link_shorteners);
    assert_int_equal(config->programs[0].content_rules, program.content_rules);
    assert_int_equal(config->programs[0].texts, program.texts);
    const struct carrier_config *shown = &config->carriers[0];
    assert_int_equal(shown->bind, carrier.bind);
    assert_int_equal(shown->sessions, carrier.sessions);
    assert_int_equal(shown->window, carrier.window);
    assert_int_equal(shown->request_timeout_ms, carrier.request_timeout_ms);
    assert_int_equal(shown->enquire_link_ms, carrier.enquire_link_ms);
    assert_int_equal(shown->reconnect_min_ms, carrier.reconnect_min_ms);
    assert_int_equal(shown->reconnect_max_ms, carrier.reconnect_max_ms);
    assert_int_equal(shown->receipt_timeout_ms, carrier.receipt_timeout_ms);
    assert_int_equal(shown->submit_id, carrier.submit_id);
    assert_memory_equal(&shown->text, &carrier.text, sizeof carrier.text);
    assert_memory_equal(&shown->addressing, &carrier.addressing, sizeof carrier.addressing);
    assert_string_equal(shown->service_type, carrier.service_type);
    assert_int_equal(shown->validity, carrier.validity);
    assert_int_equal(shown->receipt_id, carrier.receipt_id);
    assert_int_equal(shown->receipts_by_text, carrier.receipts_by_text);
    assert_int_equal(shown->receipt_parts, carrier.receipt_parts);
    assert_int_equal(shown->refuse_status, carrier.refuse_status);
    assert_memory_equal(&shown->reputation, &carrier.reputation, sizeof carrier.reputation);
    assert_int_equal(config->clients[0].uid, 1001);
    config_free(config);
}

/* The keys that an unknown key is answered with are the whole schema: each must stand in the file. */
static void assert_keys_shown(const char *fault_text, const char *text)
{
    const char *at = strstr(fault_text, "allowed: ");
    assert_non_null(at);
    char keys[1024];
    snprintf(keys, sizeof keys, "%.*s", (int)strcspn(at + 9, "\n"), at + 9);
    for (char *key = strtok(keys, ", "); key != NULL; key = strtok(NULL, ", ")) {
        char with_colon[64];
        snprintf(with_colon, sizeof with_colon, "%s:", key);
        if (strstr(text, with_colon) == NULL)
            fail_msg("deploy/assent.yaml does not show `%s`", key);
    }
}

static void test_deployed_file_is_complete(void **state)
{
    (void)state;
    char text[65536];
    strcpy(text, uncommented(read_file(DEPLOY "assent.yaml")));
    static const char *const places[][2] = {
        {"node: gw1", "bogus: 1"},
        {"redis: {url", "redis: {bogus: 1, url"},
        {"brand: Acme\n", "bogus: 1\n"},
        {"node: gw1\n", "node: gw1\nsenders: [{bogus: 1}]\n"},
        {"node: gw1\n", "node: gw1\nsenders: [{registrations: [{bogus: 1}]}]\n"},
        {"{name: shop", "{bogus: 1, name: shop"},
        {"system_id: acme", "bogus: 1"},
        {"limits: {", "limits: {bogus: 1, "},
        {"ttl: {", "ttl: {bogus: 1, "},
        {"http: {", "http: {bogus: 1, "},
        {"http: {", "witness: {bogus: 1}\nhttp: {"},
        {"http: {", "complaints: {due: {bogus: 1}}\nhttp: {"},
        {"http: {", "reputation: {bogus: 1}\nhttp: {"},
        {"http: {", "reputation: {filtered: {bogus: 1}}\nhttp: {"},
        {"{address: \"tcp://0", "{bogus: 1, address: \"tcp://0"},
    };
    for (size_t i = 0; i < sizeof places / sizeof places[0]; i++) {
        assert_null(load(with(places[i][0], places[i][1])));
        assert_keys_shown(said, text);
    }
}

/* Printing ------------------------------------------------------------------------------------ */

static void test_print(void **state)
{
    (void)state;
    struct config *config =
        load(with("rate: 500", "rate: 500\n    sender_rate: 1\n    "
                               "senders: [{sender: \"12025550100\", rate: 3}]"));
    static char text[16384];
    FILE *out = fmemopen(text, sizeof text - 1, "w");
    config_print(config, out);
    fclose(out);
    assert_non_null(strstr(text, "shop may send for offers, login (by key)"));
    assert_non_null(strstr(text, "at most 500 submit_sm in any second"));
    assert_non_null(strstr(text, "at most 1 submit_sm in any second of one sender"));
    assert_non_null(strstr(text, "at most 3 submit_sm in any second of 12025550100"));
    assert_non_null(strstr(text, "takes numbers that begin with: 1, 44"));
    assert_non_null(strstr(text, "double opt-in"));
    assert_non_null(strstr(text, "does not say how to end it: Reply STOP to unsubscribe"));
    assert_non_null(strstr(text, "warning: no `contact`: the answer to HELP names nobody to ask"));
    assert_null(strstr(text, "open sesame"));
    config_free(config);
}

/* Words --------------------------------------------------------------------------------------- */

static void test_words(void **state)
{
    (void)state;
    uint64_t value = 7;
    char text[32];
    int32_t day = 0;
    assert_true(config_date("2026-11-22", &day) && day == 20779);
    assert_true(config_date("2028-02-29", &day) && day == 21243);
    assert_false(config_date("2027-02-29", &day) || config_date("2027-13-01", &day) ||
                 config_date("2027-00-01", &day) || config_date("2027-1-01", &day) ||
                 config_date("20270101", &day) || config_date("2027-01-32", &day) ||
                 config_date("1969-12-31", &day) || config_date("2027-01-00", &day) ||
                 config_date("2027-01-01 ", &day) || config_date("abcd-01-01", &day));
    assert_int_equal(day, 21243);
    assert_true(config_duration("250ms", &value) && value == 250);
    assert_true(config_duration("24h", &value) && value == 86400000);
    assert_true(config_duration("0s", &value) && value == 0);
    assert_false(config_duration("30", &value) || config_duration("s", &value) ||
                 config_duration("1h30m", &value) || config_duration("-1s", &value) ||
                 config_duration("1.5s", &value) ||
                 config_duration("999999999999999999999s", &value) ||
                 config_duration("18446744073709551615d", &value) || config_duration("", &value));
    assert_true(config_size("2GiB", &value) && value == 2ull << 30);
    assert_true(config_size("4_096", &value) && value == 4096);
    assert_false(config_size("2GB", &value) || config_size("_1", &value) ||
                 config_size("1_", &value));
    assert_true(config_integer("18446744073709551599", &value));
    assert_false(config_integer("18446744073709551616", &value) || config_integer("0x10", &value));
    config_duration_text(90000, text, sizeof text);
    assert_string_equal(text, "90s");
    config_duration_text(0, text, sizeof text);
    assert_string_equal(text, "0ms");
    config_size_text(3ull << 29, text, sizeof text);
    assert_string_equal(text, "1536MiB");
    assert_true(config_is_sender("Acme Bank") && config_is_sender("7") && config_is_sender("A1"));
    assert_false(config_is_sender("") || config_is_sender(" Acme") || config_is_sender("Acme ") ||
                 config_is_sender("1234567890123456") || config_is_sender("12-34") ||
                 config_is_sender("Acm\xc3\xa9") || config_is_sender("twelveletter"));
    assert_true(config_is_redis_url("redis://localhost:6379") &&
                config_is_redis_url("redis://[::1]:6379/15"));
    assert_false(config_is_redis_url("redis://h") || config_is_redis_url("redis://:6379") ||
                 config_is_redis_url("redis://h:6379/x") ||
                 config_is_redis_url("redis://h:6379/") || config_is_redis_url("tcp://h:6379") ||
                 config_is_redis_url(""));
}

static int make_folder(void **state)
{
    (void)state;
    if (mkdtemp(folder) == NULL)
        return -1;
    write_file("alpha.secret", "open sesame\n", 0600);
    write_file("redis.secret", "abra", 0600);
    write_file("open.secret", "open sesame\n", 0640);
    write_file("empty.secret", "\n", 0600);
    write_file("lines.secret", "open\nsesame\n", 0600);
    return 0;
}

static int remove_folder(void **state)
{
    (void)state;
    static const char *const names[] = {"alpha.secret", "redis.secret", "open.secret",
                                        "empty.secret", "lines.secret", "test.yaml"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        unlink(in_folder(names[i]));
    return rmdir(folder);
}

/* Words of a program --------------------------------------------------------------------------- */

/* The first program with this many keywords, and a text of so many octets as the last. */
static struct config *load_words(unsigned count, unsigned octets)
{
    static char rows[8192];
    size_t used = (size_t)snprintf(rows, sizeof rows, "brand: Acme\n    keywords: [");
    for (unsigned i = 1; i < count; i++)
        used += (size_t)snprintf(rows + used, sizeof rows - used,
                                 "{text: \"word %u\", meaning: reply}, ", i);
    used += (size_t)snprintf(rows + used, sizeof rows - used, "{text: \"");
    memset(rows + used, 'x', octets);
    snprintf(rows + used + octets, sizeof rows - used - octets, "\", meaning: help}]\n");
    return load(with("brand: Acme\n", rows));
}

static void test_program_words(void **state)
{
    (void)state;
    struct config *config = load_words(PROGRAM_WORDS_MAX, PROGRAM_WORD_OCTETS);
    assert_non_null(config);
    assert_int_equal(config->programs[0].word_count, PROGRAM_WORDS_MAX);
    assert_string_equal(config->programs[0].words[0].text, "word 1");
    assert_string_equal(config->programs[0].words[0].language, "en"); /* the program's */
    config_free(config);
    assert_null(load_words(PROGRAM_WORDS_MAX + 1, 1));
    assert_non_null(strstr(said, "at most 64 are allowed"));
    assert_null(load_words(1, PROGRAM_WORD_OCTETS + 1));
    assert_non_null(strstr(said, "at most 48 octets are allowed"));
    char purpose[128] = "brand: Acme\n    purpose: ";
    memset(purpose + strlen(purpose), 'x', PURPOSE_OCTETS_MAX + 1);
    strcat(purpose, "\n");
    assert_null(load(with("brand: Acme\n", purpose)));
    assert_non_null(strstr(said, "at most 64 octets are allowed"));
    strcpy(strrchr(purpose, 'x'), "\n");
    config = load(with("brand: Acme\n", purpose));
    assert_non_null(config);
    config_free(config);
}

/* Limits ---------------------------------------------------------------------------------------- */

struct limit {
    const char *before; /* the items go in front of this */
    const char *item;   /* a # stands for a number */
    unsigned there;     /* items that `good` has */
    unsigned most;
};

static const struct limit limits[] = {
    {"http:", "  - {address: \"unix:///run/assent/#.sock\"}\n", 2, LISTENERS_MAX},
    {"programs:\n", "  - {name: c#, uid: 7, programs: [login]}\n", 1, CLIENTS_MAX},
    {"carriers:\n", "  - {name: p#, classes: [otp], senders: [Acme]}\n", 2, PROGRAMS_MAX},
    {"limits:", "  - {name: c#, address: \"unix:///s\", system_id: x, rate: 1, routes: [\"9#\"]}\n",
     1, CARRIERS_MAX},
    {"\"44\"]", "\"9#\", ", 2, ROUTES_MAX},
    {"\"12025550100\"]", "\"12025#\", ", 1, SENDERS_MAX},
};

static void put_item(FILE *out, const char *item, unsigned number)
{
    for (; *item != '\0'; item++) {
        if (*item == '#')
            fprintf(out, "%u", number);
        else
            fputc(*item, out);
    }
}

/* `good` with as many of these items as make `count`. */
static struct config *load_many(const struct limit *limit, unsigned count)
{
    char *text = NULL;
    size_t length;
    FILE *out = open_memstream(&text, &length);
    const char *at = strstr(good, limit->before);
    fprintf(out, "%.*s", (int)(at - good), good);
    for (unsigned i = 0; i < count - limit->there; i++)
        put_item(out, limit->item, i);
    fputs(at, out);
    fclose(out);
    struct config *config = load(text);
    free(text);
    return config;
}

static void test_list_limits(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof limits / sizeof limits[0]; i++) {
        struct config *config = load_many(&limits[i], limits[i].most);
        if (config == NULL)
            fail_msg("%s: %s", limits[i].before, said);
        config_free(config);
        assert_null(load_many(&limits[i], limits[i].most + 1));
        assert_non_null(strstr(said, "at most"));
    }
}

/* So many senders need several programs. */
static struct config *load_sender_limits(unsigned count)
{
    char *text = NULL;
    size_t length;
    FILE *out = open_memstream(&text, &length);
    const char *carriers = strstr(good, "carriers:"), *rate = strstr(good, "    rate: 500");
    fprintf(out, "%.*s", (int)(carriers - good), good);
    for (unsigned i = 0; i < count; i++)
        fprintf(out, "  - {name: p%u, classes: [otp], senders: [\"1202555%04u\"]}\n", i, 200 + i);
    fprintf(out, "%.*s    senders:\n", (int)(rate - carriers), carriers);
    for (unsigned i = 0; i < count; i++)
        fprintf(out, "      - {sender: \"1202555%04u\", rate: 3}\n", 200 + i);
    fputs(rate, out);
    fclose(out);
    struct config *config = load(text);
    free(text);
    return config;
}

static void test_sender_limits(void **state)
{
    (void)state;
    struct config *config = load_sender_limits(SENDER_LIMITS_MAX);
    if (config == NULL)
        fail_msg("%s", said);
    assert_int_equal(config->carriers[0].sender_count, SENDER_LIMITS_MAX);
    assert_int_equal(config->carriers[0].senders[SENDER_LIMITS_MAX - 1].rate, 3);
    config_free(config);
    assert_null(load_sender_limits(SENDER_LIMITS_MAX + 1));
    assert_non_null(strstr(said, "`senders` has 257 entries; at most 256"));
}

static void test_number_limits(void **state)
{
    (void)state;
    char fresh[64];
    static const struct {
        const char *old, *key;
        unsigned most;
    } rows[] = {{"sessions: 1\n", "sessions", SESSIONS_MAX},
                {"window: 100\n", "window", WINDOW_MAX}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        for (unsigned over = 0; over < 2; over++) {
            snprintf(fresh, sizeof fresh, "%s: %u\n", rows[i].key, rows[i].most + over);
            struct config *config = load(with(rows[i].old, fresh));
            assert_int_equal(config == NULL, over);
            config_free(config);
        }
    }
}

static void test_file_limit(void **state)
{
    (void)state;
    size_t length = CONFIG_OCTETS_MAX;
    char *text = malloc(length + 2);
    memset(text, '#', length + 1);
    memcpy(text, good, sizeof good - 1);
    text[length] = '\0';
    struct config *config = load(text);
    assert_non_null(config);
    config_free(config);
    text[length] = '#';
    text[length + 1] = '\0';
    assert_null(load(text));
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_good),
        cmocka_unit_test(test_faults),
        cmocka_unit_test(test_many_faults),
        cmocka_unit_test(test_retention),
        cmocka_unit_test(test_receipt_settings),
        cmocka_unit_test(test_text_settings),
        cmocka_unit_test(test_odd_files),
        cmocka_unit_test(test_registry),
        cmocka_unit_test(test_registry_limits),
        cmocka_unit_test(test_do_not_originate),
        cmocka_unit_test(test_window_against_limit),
        cmocka_unit_test(test_reputation_of_a_carrier_begins_with_that_of_all),
        cmocka_unit_test(test_deployed_file),
        cmocka_unit_test(test_hours_are_known_for_every_route),
        cmocka_unit_test(test_deployed_file_tells_defaults),
        cmocka_unit_test(test_deployed_file_is_complete),
        cmocka_unit_test(test_print),
        cmocka_unit_test(test_words),
        cmocka_unit_test(test_program_words),
        cmocka_unit_test(test_list_limits),
        cmocka_unit_test(test_sender_limits),
        cmocka_unit_test(test_number_limits),
        cmocka_unit_test(test_file_limit),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
