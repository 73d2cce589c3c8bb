/* SPDX-License-Identifier: Apache-2.0 */
/* What a ledger event says, in plain words. */
#ifndef GATEWAY_CLI_EVENT_TEXT_H
#define GATEWAY_CLI_EVENT_TEXT_H

#include <stddef.h>
#include <stdint.h>

#include "proto/event.pb-c.h"

/* "accepted", "opted_out": the name of the body's field. */
const char *event_kind(const Assent__V1__Event *event);

/* Remembers the names of scopes, so that later sentences can use them. Call it for every event. */
void event_learn(const Assent__V1__Event *event);

/* One sentence without a full stop, into `out`; returns it. `personal` may be NULL. */
#define EVENT_TEXT_SIZE 1024
char *event_text(const Assent__V1__Event *event, const Assent__V1__Personal *personal,
                 char out[EVENT_TEXT_SIZE]);

/* The text of the record, or words in brackets where an accepted message's is not kept; maybe "". */
const char *shown_text(const Assent__V1__Event *event, const Assent__V1__Personal *personal);

/* "everything", "program offers". */
#define SCOPE_TEXT_SIZE 128
char *scope_text(uint32_t scope, char out[SCOPE_TEXT_SIZE]);

/* "delivered", "no_receipt"; "opted out". For people: spaces instead of underscores. */
char *outcome_text(Assent__V1__Outcome outcome, Assent__V1__Reason reason, char out[96]);

/* "GSM 7-bit" */
const char *encoding_text(uint32_t data_coding);

#endif
