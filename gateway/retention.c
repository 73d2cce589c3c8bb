/* SPDX-License-Identifier: Apache-2.0 */
/* Retention by age: what of it is the engine's. Which records go is planned and done at the files, by a process of
 * its own (gateway/daemon_seal.c); before that it is recorded here. */
#include "consent/cut_record.h"
#include "gateway/engine_state.h"

uint64_t engine_retain_below(const struct engine *e)
{
    return complaints_first_message(e);
}

uint64_t engine_record_cut(struct engine *e, const struct cut_record *cut, struct instant now)
{
    e->now = now;
    if (e->ports->ledger_room(e->ports->context) < LEDGER_BATCH_OCTETS / 2)
        return 0;
    Assent__V1__RecordsCut body = ASSENT__V1__RECORDS_CUT__INIT;
    struct digest digest = cut->digest;
    body.first = cut->first;
    body.last = cut->last;
    body.records = cut->records;
    body.sha256.data = digest.octets;
    body.sha256.len = DIGEST_SIZE;
    body.age_ms = cut->age_ms;
    body.newest_wall_ms = cut->newest_ms;
    Assent__V1__Event event = EVENT_INIT(e);
    event.body_case = ASSENT__V1__EVENT__BODY_RECORDS_CUT;
    event.records_cut = &body;
    e->metrics.counters[COUNT_RECORDS_CUT] += cut->records;
    return record_event(e, &event, NULL);
}
