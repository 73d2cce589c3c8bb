/* SPDX-License-Identifier: Apache-2.0 */
#include "bench/receipt_text.h"

#include <inttypes.h>
#include <stdio.h>
#include <time.h>

#include "proto/base/check.h"
#include "proto/base/clock.h"
#include "proto/base/hash.h"

static size_t digits_write(uint64_t value, char *out)
{
    char reversed[20];
    size_t length = 0;
    do {
        reversed[length++] = (char)('0' + value % 10);
        value /= 10;
    } while (value > 0);
    for (size_t i = 0; i < length; i++)
        out[i] = reversed[length - 1 - i];
    out[length] = '\0';
    return length;
}

static size_t uuid_write(uint64_t id, char out[MESSAGE_ID_MAX + 1])
{
    uint64_t a = hash_mix(id), b = hash_mix(id ^ a);
    return (size_t)snprintf(out, MESSAGE_ID_MAX + 1, "%08x-%04x-4%03x-8%03x-%04x%08x",
                            (unsigned)(a >> 32), (unsigned)(a >> 16 & 0xffff),
                            (unsigned)(a & 0xfff), (unsigned)(b & 0xfff),
                            (unsigned)(b >> 16 & 0xffff), (unsigned)(b >> 32));
}

size_t id_write(enum id_spelling spelling, uint64_t id, char out[MESSAGE_ID_MAX + 1])
{
    const size_t size = MESSAGE_ID_MAX + 1;
    switch (spelling) {
    case SPELLING_DEC:
        return digits_write(id, out);
    case SPELLING_HEX:
        return (size_t)snprintf(out, size, "%" PRIx64, id);
    case SPELLING_ZEROS:
        return (size_t)snprintf(out, size, "%020" PRIu64, id);
    case SPELLING_UUID:
        return uuid_write(id, out);
    case SPELLING_LONG:
        return (size_t)snprintf(out, size, "%064" PRIu64, id);
    }
    CHECK(false);
}

/* Breaking a time into a date costs more than a whole receipt; most share their minute. */
struct minute {
    uint64_t minute; /* since 1970 */
    char text[11];   /* YYMMDDhhmm, NUL-terminated */
};

static const char *date_text(uint64_t wall_ms, struct minute *cache)
{
    uint64_t minute = wall_ms / MS_PER_S / 60;
    if (cache->minute != minute || cache->text[0] == '\0') { /* the first minute of 1970 too */
        time_t seconds = (time_t)(minute * 60);
        struct tm date;
        gmtime_r(&seconds, &date);
        const int fields[] = {date.tm_year % 100, date.tm_mon + 1, date.tm_mday, date.tm_hour,
                              date.tm_min};
        for (int i = 0; i < 5; i++) {
            cache->text[2 * i] = (char)('0' + fields[i] / 10);
            cache->text[2 * i + 1] = (char)('0' + fields[i] % 10);
        }
        cache->minute = minute;
    }
    return cache->text;
}

static const struct {
    const char *word, *misspelt, *delivered, *error;
} states[] = {
    [STATE_BUFFERED] = {"BUFFRED", "BUFFERED", "000", "000"},
    [STATE_EN_ROUTE] = {"ENROUTE", "EN_ROUTE", "000", "000"},
    [STATE_DELIVERED] = {"DELIVRD", "DELIVERED", "001", "000"},
    [STATE_EXPIRED] = {"EXPIRED", "EXPIRD", "000", "027"},
    [STATE_DELETED] = {"DELETED", "DELETD", "000", "000"},
    [STATE_UNDELIVERABLE] = {"UNDELIV", "UNDELIVERED", "000", "069"},
    [STATE_ACCEPTED] = {"ACCEPTD", "ACCEPTED", "000", "000"},
    [STATE_UNKNOWN] = {"UNKNOWN", "UNKNOWN", "000", "255"},
    [STATE_REJECTED] = {"REJECTD", "REJECTED", "000", "001"},
};
#define STATES (sizeof states / sizeof states[0])

/* %i id, %d delivered, %S submit date, %D done date, %w the state's word, %m its misspelling, %e the
 * error. */
static const char *const variants[RECEIPT_VARIANTS] = {
    "id:%i sub:001 dlvrd:%d submit date:%S done date:%D stat:%w err:%e text:",
    "id:%i sub:001 dlvrd:%d submit date:%S done date:%D stat:%w err:%e Text:Hello",
    "id:%i sub:001 dlvrd:%d submit date:%S00 done date:%D59 stat:%w err:%e text:",
    "stat:%w err:%e id:%i",
    "ID:%i STAT:%w",
    "id: %i  stat: %m  err: E%e  done date: %D",
    "id:%i stat:%w err: text:id:1 stat:REJECTD err:001",
    "id:%i\tstat:%m\terr:0x%e\ttext:\r\n",
};

static char *add(char *at, const char *text)
{
    return stpcpy(at, text);
}

static char *add_field(char *at, char field, const struct receipt_facts *facts, const char *id)
{
    static struct minute submitted, done;
    switch (field) {
    case 'i':
        return add(at, id);
    case 'd':
        return add(at, states[facts->message_state].delivered);
    case 'S':
        return add(at, date_text(facts->submitted_wall_ms, &submitted));
    case 'D':
        return add(at, date_text(facts->done_wall_ms, &done));
    case 'w':
        return add(at, states[facts->message_state].word);
    case 'm':
        return add(at, states[facts->message_state].misspelt);
    case 'e':
        return add(at, states[facts->message_state].error);
    }
    CHECK(false);
}

static size_t write_text(const struct receipt_facts *facts, const char *id, char *text)
{
    char *at = text;
    const char *format = variants[facts->variant];
    for (;;) {
        size_t plain = strcspn(format, "%");
        memcpy(at, format, plain);
        at += plain;
        if (format[plain] == '\0')
            break;
        at = add_field(at, format[plain + 1], facts, id);
        format += plain + 2;
    }
    return (size_t)(at - text);
}

static void put_tlv(struct receipt_buffers *buffers, struct sm_out *message, uint16_t tag,
                    struct span value)
{
    buffers->tlvs[message->tlv_count++] = (struct tlv){.tag = tag, .value = value};
}

static void put_error(const struct receipt_facts *facts, struct receipt_buffers *buffers,
                      struct sm_out *message)
{
    const char *digits = states[facts->message_state].error;
    if (facts->form & RECEIPT_ASCII_ERROR) {
        memcpy(buffers->error, digits, 3);
    } else { /* network type 3: GSM */
        buffers->error[0] = 3;
        buffers->error[1] = 0;
        buffers->error[2] =
            (uint8_t)((digits[0] - '0') * 100 + (digits[1] - '0') * 10 + digits[2] - '0');
    }
    put_tlv(buffers, message, TLV_NETWORK_ERROR_CODE, span_of(buffers->error, 3));
}

void receipt_write(const struct receipt_facts *facts, struct receipt_buffers *buffers,
                   struct sm_out *message)
{
    CHECK(facts->message_state < STATES && facts->variant < RECEIPT_VARIANTS);
    size_t id_length = id_write(facts->id_spelling, facts->message_id, buffers->id);
    message->esm_class = ESM_TYPE_RECEIPT;
    message->tlvs = buffers->tlvs;
    message->tlv_count = 0;
    struct span text = {0};
    if (!(facts->form & RECEIPT_NO_TEXT))
        text = span_of(buffers->text, write_text(facts, buffers->id, buffers->text));
    bool as_payload = text.length > 0 && (facts->form & RECEIPT_PAYLOAD);
    message->short_message = as_payload ? span_of(text.data, 0) : text;
    if (as_payload)
        put_tlv(buffers, message, TLV_MESSAGE_PAYLOAD, text);
    if (facts->form & (RECEIPT_TLV_ERROR | RECEIPT_ASCII_ERROR))
        put_error(facts, buffers, message);
    if (facts->form & RECEIPT_NO_TLVS)
        return;
    buffers->state = facts->message_state == STATE_BUFFERED ? STATE_EN_ROUTE : facts->message_state;
    put_tlv(buffers, message, TLV_RECEIPTED_MESSAGE_ID, span_of(buffers->id, id_length + 1));
    put_tlv(buffers, message, TLV_MESSAGE_STATE, span_of(&buffers->state, 1));
}
