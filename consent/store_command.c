/* SPDX-License-Identifier: Apache-2.0 */
#include "consent/store_command.h"

#include <stdio.h>

#include "consent/data.h"
#include "consent/notice.h"
#include "consent/pending.h"
#include "consent/person.h"
#include "consent/store.h"
#include "proto/base/check.h"
#include "proto/number.h"

#define LITERAL(w, text) write_octets((w), (text), sizeof(text) - 1)

#define DECIMAL_MAX 20 /* digits of 2^64 */
#define NOTICES_KEY "assent:notices"

/* "00" to "99" in a row: two digits by one division. */
static const char pairs[] = "00010203040506070809101112131415161718192021222324"
                            "25262728293031323334353637383940414243444546474849"
                            "50515253545556575859606162636465666768697071727374"
                            "75767778798081828384858687888990919293949596979899";

/* Digits that end at `end`; gives where they begin. */
static char *decimal_before(uint64_t value, char *end)
{
    while (value >= 100) {
        end -= 2;
        memcpy(end, pairs + 2 * (value % 100), 2);
        value /= 100;
    }
    if (value >= 10) {
        end -= 2;
        memcpy(end, pairs + 2 * value, 2);
        return end;
    }
    *--end = (char)('0' + value);
    return end;
}

static char *decimal(uint64_t value, char out[DECIMAL_MAX])
{
    return decimal_before(value, out + DECIMAL_MAX);
}

static void put_header(struct writer *w, char type, uint64_t count)
{
    char text[1 + DECIMAL_MAX + 2], *end = text + sizeof text;
    memcpy(end - 2, "\r\n", 2);
    char *at = decimal_before(count, end - 2);
    *--at = type;
    write_octets(w, at, (size_t)(end - at));
}

static void put_octets(struct writer *w, const void *data, size_t length)
{
    put_header(w, '$', length);
    write_octets(w, data, length);
    LITERAL(w, "\r\n");
}

static void put_text(struct writer *w, const char *text)
{
    put_octets(w, text, strlen(text));
}

/* Most of what is sent: made from its end on, and written at once. */
static void put_decimal(struct writer *w, uint64_t value)
{
    char text[1 + 2 + 2 + DECIMAL_MAX + 2], *end = text + sizeof text;
    memcpy(end - 2, "\r\n", 2);
    char *digits = decimal_before(value, end - 2);
    memcpy(digits - 2, "\r\n", 2);
    char *at = decimal_before((uint64_t)(end - 2 - digits), digits - 2);
    *--at = '$';
    write_octets(w, at, (size_t)(end - at));
}

/* FAMILY:{BUCKET}, as in "optout:{7}". */
static void put_bucket_key(struct writer *w, const char *family, uint32_t bucket)
{
    char digits[DECIMAL_MAX];
    char *at = decimal(bucket, digits);
    size_t length = (size_t)(digits + DECIMAL_MAX - at);
    size_t family_length = strlen(family);
    put_header(w, '$', family_length + length + 3);
    write_octets(w, family, family_length);
    LITERAL(w, ":{");
    write_octets(w, at, length);
    LITERAL(w, "}\r\n");
}

#define FAMILY_MAX 16 /* octets of "pending", "once" and the like, and of a kind of once */

/* FAMILY:{BUCKET}:KIND:KEY, without "KIND:" where it is NULL. */
static void put_number_key(struct writer *w, const char *family, uint32_t bucket, const char *kind,
                           uint64_t key)
{
    char key_text[2 * FAMILY_MAX + sizeof ":{}::" + 2 * (size_t)DECIMAL_MAX], digits[DECIMAL_MAX];
    struct writer text = writer_over(key_text, sizeof key_text);
    write_octets(&text, family, strlen(family));
    LITERAL(&text, ":{");
    char *at = decimal(bucket, digits);
    write_octets(&text, at, (size_t)(digits + DECIMAL_MAX - at));
    LITERAL(&text, "}:");
    if (kind != NULL) {
        write_octets(&text, kind, strlen(kind));
        LITERAL(&text, ":");
    }
    at = decimal(key, digits);
    write_octets(&text, at, (size_t)(digits + DECIMAL_MAX - at));
    put_octets(w, key_text, writer_length(&text));
}

static void put_pending_key(struct writer *w, uint32_t bucket, uint64_t key)
{
    put_number_key(w, "pending", bucket, NULL, key);
}

static void put_members(struct writer *w, uint64_t number, const uint16_t *scopes, uint8_t count)
{
    for (uint8_t i = 0; i < count; i++)
        put_decimal(w, consent_member(scopes[i], number));
}

/* COMMAND FAMILY:{B} MEMBER... */
static void put_set_command(struct writer *w, const char *command, const char *family,
                            uint32_t bucket, uint64_t number, const uint16_t *scopes, uint8_t count)
{
    put_header(w, '*', 2u + count);
    put_text(w, command);
    put_bucket_key(w, family, bucket);
    put_members(w, number, scopes, count);
}

void command_words(struct writer *w, const char *const *words)
{
    unsigned count = 0;
    while (words[count] != NULL)
        count++;
    put_header(w, '*', count);
    for (unsigned i = 0; i < count; i++)
        put_text(w, words[i]);
}

void command_check(struct writer *w, const struct check *check, uint32_t buckets)
{
    uint32_t bucket = store_bucket(check->number, buckets);
    put_set_command(w, "SMISMEMBER", "optout", bucket, check->number, check->scopes,
                    check->scope_count);
    uint16_t scopes[] = {check->opt_in_scope, SCOPE_REASSIGNED};
    if (check->need_age) {
        put_set_command(w, "HGET", "days", bucket, check->number, scopes, 1);
        return;
    }
    if (check->need_opt_in)
        put_set_command(w, "SISMEMBER", "optin", bucket, check->number, scopes, 1);
    if (check->need_days)
        put_set_command(w, "HMGET", "days", bucket, check->number, scopes, 2);
}

void command_lookup(struct writer *w, uint64_t number, const uint16_t *scopes, uint8_t scope_count,
                    uint16_t opt_in_scope, uint32_t buckets)
{
    uint32_t bucket = store_bucket(number, buckets);
    put_set_command(w, "SMISMEMBER", "optout", bucket, number, scopes, scope_count);
    put_set_command(w, "SISMEMBER", "optin", bucket, number, &opt_in_scope, 1);
    LITERAL(w, "*2\r\n$3\r\nGET\r\n");
    put_pending_key(w, bucket, consent_key(opt_in_scope, number));
}

static void put_number(struct writer *w, uint64_t value)
{
    char digits[DECIMAL_MAX];
    char *at = decimal(value, digits);
    write_octets(w, at, (size_t)(digits + DECIMAL_MAX - at));
    LITERAL(w, " ");
}

/* "REQUEST ASKED EXPIRES HEX-SHA256 NODE SENDER" */
static void put_pending_value(struct writer *w, const struct consent_write *write)
{
    static const char hex[] = "0123456789abcdef";
    char value[3 * (DECIMAL_MAX + 1) + 2 * sizeof write->token_sha256 + 1 + ASKER_SIZE];
    struct writer text = writer_over(value, sizeof value);
    put_number(&text, write->request);
    put_number(&text, write->asked_wall_ms);
    put_number(&text, write->expires_wall_ms);
    for (size_t i = 0; i < sizeof write->token_sha256; i++) {
        write_u8(&text, (uint8_t)hex[write->token_sha256[i] >> 4]);
        write_u8(&text, (uint8_t)hex[write->token_sha256[i] & 15]);
    }
    LITERAL(&text, " ");
    write_octets(&text, write->asker, strnlen(write->asker, sizeof write->asker));
    put_octets(w, value, writer_length(&text));
}

/* Unless a question that was asked later stands there; or, when it is asked, its own NO ("0 ..."), which came
 * to Redis before it. */
#define PENDING_SCRIPT(or_is_declined, then)                                                       \
    "local value = redis.call('GET', KEYS[1]) or '' "                                              \
    "local asked = tonumber(string.match(value, '^%d+ (%d+) ')) "                                  \
    "local mine = tonumber(ARGV[1]) "                                                              \
    "if asked and (asked > mine" or_is_declined ") then return 0 end " then " return 1"
static const char end_script[] = PENDING_SCRIPT("", "redis.call('DEL', KEYS[1])");
static const char decline_script[] =
    PENDING_SCRIPT("", "redis.call('SET', KEYS[1], ARGV[2], 'PXAT', ARGV[3])");
static const char ask_script[] =
    PENDING_SCRIPT(" or (asked == mine and string.sub(value, 1, 2) == '0 ')",
                   "redis.call('SET', KEYS[1], ARGV[2], 'PXAT', ARGV[3])");

static void put_end_pending(struct writer *w, const struct consent_write *write, uint32_t bucket)
{
    LITERAL(w, "*5\r\n$4\r\nEVAL\r\n");
    put_octets(w, end_script, sizeof end_script - 1);
    put_decimal(w, 1);
    put_pending_key(w, bucket, consent_key(write->scopes[0], write->number));
    put_decimal(w, write->asked_wall_ms);
}

static void put_set_pending(struct writer *w, const struct consent_write *write, uint32_t bucket)
{
    LITERAL(w, "*7\r\n$4\r\nEVAL\r\n");
    put_octets(w, ask_script, sizeof ask_script - 1);
    put_decimal(w, 1);
    put_pending_key(w, bucket, consent_key(write->scopes[0], write->number));
    put_decimal(w, write->asked_wall_ms);
    put_pending_value(w, write);
    put_decimal(w, write->expires_wall_ms + CONSENT_EXPIRED_MS);
}

/* "0 ASKED EXPIRES declined", as long as the question would have stood. */
static void put_declined(struct writer *w, const struct consent_write *write, uint32_t bucket)
{
    char value[3 * (DECIMAL_MAX + 1) + sizeof PENDING_DECLINED];
    struct writer text = writer_over(value, sizeof value);
    put_number(&text, 0);
    put_number(&text, write->asked_wall_ms);
    put_number(&text, write->expires_wall_ms);
    LITERAL(&text, PENDING_DECLINED);
    LITERAL(w, "*7\r\n$4\r\nEVAL\r\n");
    put_octets(w, decline_script, sizeof decline_script - 1);
    put_decimal(w, 1);
    put_pending_key(w, bucket, consent_key(write->scopes[0], write->number));
    put_decimal(w, write->asked_wall_ms);
    put_octets(w, value, writer_length(&text));
    put_decimal(w, write->expires_wall_ms + CONSENT_EXPIRED_MS);
}

static void put_scope_name(struct writer *w, const struct consent_write *write)
{
    LITERAL(w, "*4\r\n$4\r\nHSET\r\n$13\r\nassent:scopes\r\n");
    put_decimal(w, write->scopes[0]);
    put_octets(w, write->name, strnlen(write->name, sizeof write->name));
}

/* What is written later may be older: an old list of new owners, a record of another gateway. The newest day
 * stays. */
static const char day_script[] = "local day = redis.call('HGET', KEYS[1], ARGV[1]) "
                                 "if day and tonumber(day) >= tonumber(ARGV[2]) then return 0 end "
                                 "return redis.call('HSET', KEYS[1], ARGV[1], ARGV[2])";

/* The day that belongs to the first scope's member. */
static unsigned put_day(struct writer *w, const struct consent_write *write, uint32_t bucket)
{
    if (write->day == 0)
        return 0;
    LITERAL(w, "*6\r\n$4\r\nEVAL\r\n");
    put_octets(w, day_script, sizeof day_script - 1);
    put_decimal(w, 1);
    put_bucket_key(w, "days", bucket);
    put_decimal(w, consent_key(write->scopes[0], write->number));
    put_decimal(w, write->day);
    return 1;
}

/* stops:{B}:WEEK, where the times of opt-outs are kept that were written in a week. */
static void put_stops_key(struct writer *w, uint32_t bucket, uint64_t week)
{
    put_number_key(w, "stops", bucket, NULL, week);
}

/* When the newest opt-out of each scope was taken, until at least STOP_TIMES_MS after it was written. */
static unsigned put_stop_times(struct writer *w, const struct consent_write *write, uint32_t bucket)
{
    if (write->taken_wall_ms == 0)
        return 0;
    uint64_t week = write->written_wall_ms / STOP_TIMES_MS;
    put_header(w, '*', 3u + 2u * write->scope_count);
    LITERAL(w, "$4\r\nZADD\r\n");
    put_stops_key(w, bucket, week);
    LITERAL(w, "$2\r\nGT\r\n");
    for (uint8_t i = 0; i < write->scope_count; i++) {
        put_decimal(w, write->taken_wall_ms);
        put_members(w, write->number, &write->scopes[i], 1);
    }
    LITERAL(w, "*3\r\n$7\r\nPEXPIRE\r\n");
    put_stops_key(w, bucket, week);
    put_decimal(w, 2 * STOP_TIMES_MS);
    return 2;
}

/* A START may come to Redis long after it was taken, from a gateway that was away, and by then the same
 * person may have said STOP at another one. It lifts nothing that came after it, or with it. Where no time is
 * known any more (ARGV[2]: it is old itself), it lifts nothing. Gives 1 where nothing stands any more. */
static const char lift_script[] =
    "local lifted = 1 "
    "for i = 3, #ARGV do "
    "local stands = ARGV[2] == '1' "
    "for k = 2, 3 do "
    "local at = redis.call('ZSCORE', KEYS[k], ARGV[i]) "
    "if at and tonumber(at) >= tonumber(ARGV[1]) then stands = true break end "
    "if at then stands = false end "
    "end "
    "if not stands then redis.call('SREM', KEYS[1], ARGV[i]) "
    "elseif redis.call('SISMEMBER', KEYS[1], ARGV[i]) == 1 then lifted = 0 end "
    "end "
    "return lifted";

static void put_lift(struct writer *w, const struct consent_write *write, uint32_t bucket)
{
    uint64_t week = write->written_wall_ms / STOP_TIMES_MS;
    put_header(w, '*', 8u + write->scope_count);
    LITERAL(w, "$4\r\nEVAL\r\n");
    put_octets(w, lift_script, sizeof lift_script - 1);
    put_decimal(w, 3);
    put_bucket_key(w, "optout", bucket);
    put_stops_key(w, bucket, week);
    put_stops_key(w, bucket, week > 0 ? week - 1 : 0);
    put_decimal(w, write->taken_wall_ms);
    put_decimal(w, write->written_wall_ms > write->taken_wall_ms + STOP_TIMES_MS);
    put_members(w, write->number, write->scopes, write->scope_count);
}

static_assert(SCOPES_RESERVED == 16 && SCOPE_HOLD == 1 && SCOPE_DO_NOT_CALL == 2 &&
                  SCOPE_REASSIGNED == 3 && SCOPE_ERASED == 4,
              "as store_erase.lua has them");

/* Of a fingerprint, in every bucket that the place may be now, where their count is another than it was then. */
static unsigned put_erasure(struct writer *w, const struct consent_write *write, uint32_t buckets)
{
    bool asked = write->kind == WRITE_ERASE;
    struct erased_fact fact = write->erased;
    if (asked) {
        fact.place = store_bucket(write->number, buckets);
        fact.places = buckets;
    }
    char text[ERASED_TEXT_MAX];
    size_t length = asked || fact.request[0] != '\0' ? erased_format(&fact, text) : 0;
    LITERAL(w, "*18\r\n$4\r\nEVAL\r\n");
    put_octets(w, data_erase, data_erase_length);
    put_decimal(w, 4);
    put_text(w, STORE_ERASED_KEY);
    put_text(w, NOTICES_KEY);
    put_text(w, "assent:scopes");
    put_text(w, STORE_PERSON_KEY);
    put_decimal(w, person_member(&fact.person));
    put_decimal(w, write->taken_wall_ms);
    put_decimal(w, write->written_wall_ms / STOP_TIMES_MS);
    put_decimal(w, 2 * STOP_TIMES_MS);
    put_octets(w, text, length);
    put_decimal(w, fact.place & (buckets - 1));
    put_decimal(w, buckets);
    put_decimal(w, fact.places != 0 && fact.places < buckets ? fact.places : buckets);
    if (asked)
        put_decimal(w, write->number);
    else
        put_text(w, "");
    put_decimal(w, fact.kept);
    put_decimal(w, write->search);
    return 1;
}

/* [how many there are, TEXT, whether its fingerprint stands, ...], with the buckets as above. */
static const char read_erased_script[] =
    "local now, page = tonumber(ARGV[3]), {redis.call('ZCARD', KEYS[1])} "
    "for _, text in ipairs(redis.call('ZRANGE', KEYS[1], ARGV[1], ARGV[2])) do "
    "local place, places, member = string.match(text, '^%d+ %x+ (%d+) (%d+) (%d+) ') "
    "local kept = 0 "
    "if place and tonumber(places) > 0 then "
    "for bucket = tonumber(place) % now, now - 1, math.min(tonumber(places), now) do "
    "if redis.call('SISMEMBER', string.format('optout:{%.0f}', bucket), member) == 1 then "
    "kept = 1 end end end "
    "page[#page + 1] = text page[#page + 1] = kept end return page";

void command_erased(struct writer *w, uint64_t from, uint32_t buckets)
{
    LITERAL(w, "*7\r\n$4\r\nEVAL\r\n");
    put_octets(w, read_erased_script, sizeof read_erased_script - 1);
    put_decimal(w, 1);
    put_text(w, STORE_ERASED_KEY);
    put_decimal(w, from);
    put_decimal(w, from + ERASED_READ - 1);
    put_decimal(w, buckets);
}

/* An opt-out leaves the opt-in where it is: deny wins, so it cannot pass, and START, which returns
 * to what was before, has only to lift the opt-out. */
static unsigned put_write(struct writer *w, const struct consent_write *write, uint32_t bucket)
{
    switch (write->kind) {
    case WRITE_OPT_OUT:
        put_set_command(w, "SADD", "optout", bucket, write->number, write->scopes,
                        write->scope_count);
        return 1 + put_day(w, write, bucket) + put_stop_times(w, write, bucket);
    case WRITE_LIFT_OPT_OUT:
        put_lift(w, write, bucket);
        return 1;
    case WRITE_OPT_IN:
        put_set_command(w, "SADD", "optin", bucket, write->number, write->scopes, 1);
        put_end_pending(w, write, bucket);
        return 2 + put_day(w, write, bucket);
    case WRITE_PENDING:
        put_set_pending(w, write, bucket);
        return 1;
    case WRITE_DROP_PENDING:
        if (write->expires_wall_ms != 0)
            put_declined(w, write, bucket);
        else /* a record of old */
            put_end_pending(w, write, bucket);
        return 1;
    case WRITE_SCOPE:
        put_scope_name(w, write);
        return 1;
    case WRITE_ERASE:
    case WRITE_ERASED: /* command_write() */
    case WRITE_POSITION:
        return 0;
    }
    CHECK(!"a kind of write that is not one");
    return 0;
}

bool command_is_plain(const struct consent_write *write)
{
    return write->kind == WRITE_OPT_OUT && write->day == 0 && write->taken_wall_ms == 0 &&
           !write->notice;
}

void command_write_plain(struct writer *w, uint32_t bucket, const uint64_t *members, size_t count)
{
    put_header(w, '*', 2 + count);
    put_text(w, "SADD");
    put_bucket_key(w, "optout", bucket);
    for (size_t i = 0; i < count; i++)
        put_decimal(w, members[i]);
}

void command_batch_begin(struct writer *w)
{
    LITERAL(w, "*1\r\n$5\r\nMULTI\r\n");
}

unsigned command_write(struct writer *w, const struct consent_write *write, uint32_t buckets)
{
    if (write->kind == WRITE_ERASE || write->kind == WRITE_ERASED)
        return put_erasure(w, write, buckets);
    CHECK(write->kind == WRITE_POSITION ||
          (write->scope_count >= 1 && write->scope_count <= WRITE_SCOPES_MAX + 1));
    return put_write(w, write, store_bucket(write->number, buckets));
}

/* "SEQUENCE MARK" */
static void put_position(struct writer *w, uint64_t sequence, const char *mark)
{
    char value[DECIMAL_MAX + 1 + 64];
    struct writer text = writer_over(value, sizeof value);
    put_number(&text, sequence);
    write_octets(&text, mark, strlen(mark));
    put_octets(w, value, writer_length(&text));
}

/* Redis may refuse a batch and take the next, which has left already: the position stays behind both. */
static const char position_script[] = "if redis.call('HGET', KEYS[1], ARGV[1]) == ARGV[2] then "
                                      "redis.call('HSET', KEYS[1], ARGV[1], ARGV[3]) end return 0";

void command_batch_end(struct writer *w, const char *node, uint64_t sequence, uint64_t before,
                       const char *mark)
{
    if (before == 0) {
        LITERAL(w, "*4\r\n$4\r\nHSET\r\n$14\r\nassent:applied\r\n");
        put_text(w, node);
    } else {
        LITERAL(w, "*7\r\n$4\r\nEVAL\r\n");
        put_octets(w, position_script, sizeof position_script - 1);
        LITERAL(w, "$1\r\n1\r\n$14\r\nassent:applied\r\n");
        put_text(w, node);
        put_position(w, before, mark);
    }
    put_position(w, sequence, mark);
    LITERAL(w, "*2\r\n$3\r\nGET\r\n$18\r\nassent:incarnation\r\n*1\r\n$4\r\nEXEC\r\n");
}

static void put_once_key(struct writer *w, const struct once *once, uint32_t buckets)
{
    static const char *const kinds[ONCE_KINDS] = {
        [ONCE_HELP] = "help", [ONCE_QUESTION] = "question", [ONCE_CONFIRMATION] = "confirmation"};
    put_number_key(w, "once", store_bucket(once->number, buckets), kinds[once->kind],
                   consent_key(once->scope, once->number));
}

/* Sets it where nobody has, then asks who did. */
void command_once(struct writer *w, const struct once *once, const char *node, uint32_t buckets)
{
    LITERAL(w, "*6\r\n$3\r\nSET\r\n");
    put_once_key(w, once, buckets);
    put_text(w, node);
    LITERAL(w, "$2\r\nNX\r\n$2\r\nPX\r\n");
    put_decimal(w, once->ttl_ms ? once->ttl_ms : 1); /* Redis refuses 0 */
    LITERAL(w, "*2\r\n$3\r\nGET\r\n");
    put_once_key(w, once, buckets);
}

unsigned command_notice(struct writer *w, const struct consent_write *write, const char *node)
{
    char value[NOTICE_VALUE_MAX];
    size_t length = notice_format(write, value);
    LITERAL(w, "*8\r\n$4\r\nXADD\r\n");
    put_text(w, NOTICES_KEY);
    LITERAL(w, "$6\r\nMAXLEN\r\n$1\r\n~\r\n");
    put_decimal(w, NOTICES_MAX);
    LITERAL(w, "$1\r\n*\r\n");
    put_text(w, node);
    put_octets(w, value, length);
    return 1;
}

unsigned command_notices_end(struct writer *w)
{
    LITERAL(w, "*3\r\n$7\r\nPEXPIRE\r\n");
    put_text(w, NOTICES_KEY);
    put_decimal(w, NOTICE_KEPT_MS);
    return 1;
}

/* What is older than `from_ms` may go, by whole nodes of the stream; all goes `kept_ms` after the last entry. */
void command_add_caps(struct writer *w, const char *node, struct span batch, uint64_t from_ms,
                      uint64_t kept_ms)
{
    LITERAL(w, "*8\r\n$4\r\nXADD\r\n");
    put_text(w, CAPS_KEY);
    LITERAL(w, "$5\r\nMINID\r\n$1\r\n~\r\n");
    put_decimal(w, from_ms);
    LITERAL(w, "$1\r\n*\r\n");
    put_text(w, node);
    put_octets(w, batch.data, batch.length);
    LITERAL(w, "*3\r\n$7\r\nPEXPIRE\r\n");
    put_text(w, CAPS_KEY);
    put_decimal(w, kept_ms);
}

/* XRANGE KEY (AFTER + COUNT MOST */
static void put_range(struct writer *w, const char *key, const char *after, bool itself,
                      uint64_t most)
{
    LITERAL(w, "*6\r\n$6\r\nXRANGE\r\n");
    put_text(w, key);
    put_header(w, '$', !itself + strlen(after));
    write_octets(w, "(", !itself);
    write_octets(w, after, strlen(after));
    LITERAL(w, "\r\n$1\r\n+\r\n$5\r\nCOUNT\r\n");
    put_decimal(w, most);
}

void command_notices(struct writer *w, const char *after)
{
    put_range(w, NOTICES_KEY, after, false, NOTICES_READ);
}

void command_read_caps(struct writer *w, const char *after, bool itself)
{
    put_range(w, CAPS_KEY, after, itself, CAPS_READ);
}

void command_resolve(struct writer *w, uint16_t scope, const char *name)
{
    LITERAL(w, "*4\r\n$6\r\nHSETNX\r\n$13\r\nassent:scopes\r\n");
    put_decimal(w, scope);
    put_text(w, name);
    LITERAL(w, "*3\r\n$4\r\nHGET\r\n$13\r\nassent:scopes\r\n");
    put_decimal(w, scope);
}
