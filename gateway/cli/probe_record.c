/* SPDX-License-Identifier: Apache-2.0 */
/* The probe's own events in the ledger of the gateway that does not run meanwhile. They take part in
 * nothing that a gateway decides: they are there to be read. */
#include <stdlib.h>
#include <string.h>

#include "consent/ledger.h"
#include "gateway/cli/cli.h"
#include "gateway/cli/ledger_path.h"
#include "gateway/cli/probe.h"
#include "proto/base/arena.h"
#include "proto/base/check.h"
#include "proto/base/clock.h"
#include "proto/pack.h"

#define PART_MAX 512 /* octets: two names and some numbers */

struct probe_record {
    const struct probe_order *order;
    struct ledger *ledger; /* NULL: beside a gateway */
    uint64_t begun;        /* sequence number; 0: nothing was going to be sent */
};

struct probe_record *probe_record_open(const struct probe_order *order)
{
    const char *why = "";
    struct ledger *ledger = NULL;
    enum err err = ERR_OK;
    if (!order->beside && !ledger_is_ours(order->config->data_dir))
        return NULL;
    if (!order->beside)
        err = ledger_open(order->config->data_dir, &ledger, &why);
    if (err != ERR_OK) {
        complain("%s", why);
        if (err == ERR_EXISTS)
            complain("beside a running gateway --unrecorded sends one text, which is not in the "
                     "ledger");
        return NULL;
    }
    struct probe_record *record = check_calloc(1, sizeof *record);
    record->order = order;
    record->ledger = ledger;
    return record;
}

static uint64_t append(struct probe_record *record, Assent__V1__Probed *body)
{
    uint8_t public_room[PART_MAX], personal_room[PART_MAX];
    struct span public_part, personal_part;
    Assent__V1__Event event = ASSENT__V1__EVENT__INIT;
    Assent__V1__Personal personal = ASSENT__V1__PERSONAL__INIT;
    body->carrier = (char *)record->order->carrier->name;
    body->sender = (char *)record->order->sender;
    event.wall_ms = clock_wall_ms();
    event.body_case = ASSENT__V1__EVENT__BODY_PROBED;
    event.probed = body;
    personal.number = record->order->number;
    CHECK(pack_message(&event.base, public_room, sizeof public_room, &public_part));
    CHECK(pack_message(&personal.base, personal_room, sizeof personal_room, &personal_part));
    uint64_t sequence = ledger_append(record->ledger, public_part, personal_part);
    ledger_flush(record->ledger);
    return sequence;
}

void probe_record_begin(struct probe_record *record)
{
    Assent__V1__Probed body = ASSENT__V1__PROBED__INIT;
    if (record->ledger == NULL)
        return;
    body.texts = record->order->texts;
    record->begun = append(record, &body);
}

bool probe_record_is_durable(const struct probe_record *record)
{
    return record->ledger == NULL || ledger_durable(record->ledger) >= record->begun;
}

bool probe_record_failed(const struct probe_record *record)
{
    return record->ledger != NULL &&
           (ledger_failed(record->ledger) || ledger_no_space(record->ledger));
}

void probe_record_end(struct probe_record *record, const struct probe_facts *facts)
{
    Assent__V1__Probed body = ASSENT__V1__PROBED__INIT;
    if (record == NULL)
        return;
    if (record->begun > 0 && !probe_record_failed(record)) {
        body.texts = record->order->texts;
        body.is_over = true;
        body.sent = facts->sent;
        body.taken = facts->taken;
        (void)append(record, &body);
    }
    if (record->ledger != NULL)
        ledger_close(record->ledger);
    free(record);
}
