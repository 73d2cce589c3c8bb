/* SPDX-License-Identifier: Apache-2.0 */
#include "consent/cut_record.h"

#include <string.h>

#include "consent/ledger_segment.h"
#include "consent/record_peek.h"
#include "proto/event.pb-c.h"

/* What goes. No record that moves where a recipient stands, and none that a start without a snapshot needs, may
 * stand here. */
const uint32_t retention_kinds[RETENTION_KINDS] = {
    ASSENT__V1__EVENT__BODY_ACCEPTED,
    ASSENT__V1__EVENT__BODY_ATTEMPT,
    ASSENT__V1__EVENT__BODY_SENT,
    ASSENT__V1__EVENT__BODY_HELD,
    ASSENT__V1__EVENT__BODY_DEFERRED,
    ASSENT__V1__EVENT__BODY_ENDED,
    ASSENT__V1__EVENT__BODY_RECEIPT,
    ASSENT__V1__EVENT__BODY_INBOUND, /* replies that said no keyword */
    ASSENT__V1__EVENT__BODY_CARRIER_STATE,
    ASSENT__V1__EVENT__BODY_SENDER_DAY, /* of one day */
};

bool retention_takes(struct span public_part)
{
    struct record_peek peek;
    if (!record_peek(public_part, &peek))
        return false;
    for (size_t i = 0; i < RETENTION_KINDS; i++)
        if (retention_kinds[i] == peek.body)
            return true;
    return false;
}

static bool is_sane(const Assent__V1__RecordsCut *body)
{
    return body->first > 0 && segment_first_of(body->first) == body->first &&
           body->last - body->first == LEDGER_SEGMENT_RECORDS - 1 &&
           body->sha256.len == DIGEST_SIZE;
}

bool cut_record_read(uint64_t sequence, struct span public_part, struct cut_record *ret_cut)
{
    struct record_peek peek;
    if (peek_early_body(public_part) != ASSENT__V1__EVENT__BODY_RECORDS_CUT ||
        !record_peek(public_part, &peek) || peek.body != ASSENT__V1__EVENT__BODY_RECORDS_CUT)
        return false;
    Assent__V1__RecordsCut *body =
        assent__v1__records_cut__unpack(NULL, peek.octets.length, peek.octets.data);
    bool good = body != NULL && is_sane(body);
    if (good) {
        *ret_cut = (struct cut_record){.sequence = sequence,
                                       .wall_ms = peek.wall_ms,
                                       .first = body->first,
                                       .last = body->last,
                                       .records = body->records,
                                       .age_ms = body->age_ms,
                                       .newest_ms = body->newest_wall_ms};
        memcpy(ret_cut->digest.octets, body->sha256.data, DIGEST_SIZE);
    }
    if (body != NULL)
        assent__v1__records_cut__free_unpacked(body, NULL);
    return good;
}
