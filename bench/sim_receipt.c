/* SPDX-License-Identifier: Apache-2.0 */
/* Receipts as text (appendix B of SMPP 3.4) and as TLVs. */
#include <time.h>

#include "bench/sim.h"
#include "proto/base/clock.h"

#define STATE_DELIVERED 2

size_t digits_write(uint64_t value, char out[21])
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

struct minute {
    uint64_t minute; /* since 1970 */
    char text[11];   /* YYMMDDhhmm, NUL-terminated */
};

/* Breaking a time into a date costs more than a whole receipt; most share their minute. */
static const char *date_text(uint64_t wall_ms, struct minute *cache)
{
    uint64_t minute = wall_ms / MS_PER_S / 60;
    if (cache->minute != minute) {
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

static char *add(char *at, const char *text)
{
    return stpcpy(at, text);
}

static size_t write_text(const struct item *item, uint64_t wall_ms, const char *id, char *text)
{
    static struct minute submitted, done;
    bool delivered = item->deliver.message_state == STATE_DELIVERED;
    char *at = add(text, "id:");
    at = add(at, id);
    at = add(at, delivered ? " sub:001 dlvrd:001 submit date:" : " sub:001 dlvrd:000 submit date:");
    at = add(at, date_text(item->deliver.submitted_wall_ms, &submitted));
    at = add(at, " done date:");
    at = add(at, date_text(wall_ms, &done));
    at = add(at, delivered ? " stat:DELIVRD err:000 text:" : " stat:UNDELIV err:069 text:");
    return (size_t)(at - text);
}

void receipt_write(const struct item *item, enum receipt_form form, uint64_t wall_ms,
                   struct receipt_text *receipt, struct sm_out *message)
{
    size_t id_length = digits_write(item->deliver.message_id, receipt->id);
    *message = (struct sm_out){.source = item->deliver.source,
                               .destination = item->deliver.destination,
                               .esm_class = ESM_TYPE_RECEIPT};
    if (form != RECEIPT_TLV)
        message->short_message =
            span_of(receipt->text, write_text(item, wall_ms, receipt->id, receipt->text));
    if (form == RECEIPT_TEXT)
        return;
    receipt->state = item->deliver.message_state;
    receipt->tlvs[0] =
        (struct tlv){.tag = TLV_RECEIPTED_MESSAGE_ID, .value = span_of(receipt->id, id_length + 1)};
    receipt->tlvs[1] = (struct tlv){.tag = TLV_MESSAGE_STATE, .value = span_of(&receipt->state, 1)};
    message->tlvs = receipt->tlvs;
    message->tlv_count = 2;
}
