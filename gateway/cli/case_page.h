/* SPDX-License-Identifier: Apache-2.0 */
/* The page of a case file that people read: one person's records as HTML that needs no other file and prints well.
 * Events are put in one by one, in the order of the ledger; nothing of them is kept but where the person stands and
 * what became of the messages. */
#ifndef GATEWAY_CLI_CASE_PAGE_H
#define GATEWAY_CLI_CASE_PAGE_H

#include <stdio.h>

#include "consent/note.h"
#include "proto/event.pb-c.h"

struct case_page;

/* The page of `number`. Its octets go to `out` when it ends. */
struct case_page *case_page_new(uint64_t number);
void case_page_free(struct case_page *page);

/* `personal` may be NULL. */
void case_page_add(struct case_page *page, uint64_t sequence, const Assent__V1__Event *event,
                   const Assent__V1__Personal *personal);

/* False where `out` cannot be written. */
bool case_page_write(struct case_page *page, const struct checkpoint *checkpoint,
                     const struct note_key *key, FILE *out);

#endif
