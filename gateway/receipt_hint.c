/* SPDX-License-Identifier: Apache-2.0 */
/* A carrier's receipts that fit no message would perhaps fit one if its ids were read in another way. An
 * unmatched receipt is held against the open messages to its number, under every pair of `submit_id` and
 * `receipt_id`; when one pair has fitted a few times, the carrier's status says so. Bounded work: so many
 * receipts a minute, so many messages each. */
#include <stdio.h>

#include "gateway/engine_state.h"

#define TESTS_A_MINUTE  60
#define MESSAGES_LOOKED 16
#define EVIDENCE        3
#define HINT_STANDS_US  (10 * 60 * US_PER_S) /* after the last receipt that would have matched */
#define MINUTE_US       (60 * US_PER_S)

static bool fits(const struct correlation *c, const struct receipt_in *in, enum id_form submit_id,
                 enum id_form receipt_id)
{
    char own[MESSAGE_ID_MAX], other[MESSAGE_ID_MAX];
    return c->carrier == in->owed.carrier &&
           span_equal(message_id_comparable(span_of(c->id, c->length), submit_id, own),
                      message_id_comparable(span_of(in->id, in->id_length), receipt_id, other));
}

static bool fits_a_message(const struct engine *e, const struct receipt_in *in,
                           enum id_form submit_id, enum id_form receipt_id)
{
    unsigned looked = 0;
    const struct message *m = message_first_of_number(&e->messages, in->number);
    for (; m != NULL && looked++ < MESSAGES_LOOKED; m = m->next_same_number)
        for (const struct correlation *c = m->correlations; c != NULL; c = c->next_of_message)
            if (fits(c, in, submit_id, receipt_id))
                return true;
    return false;
}

static void write_hint(struct carrier *c, enum id_form submit_id, enum id_form receipt_id)
{
    bool submit = submit_id != c->config->submit_id, receipt = receipt_id != c->config->receipt_id;
    snprintf(c->hint.text, sizeof c->hint.text, "%s%s%s%s%s", submit ? "submit_id: " : "",
             submit ? id_form_name(submit_id) : "", submit && receipt ? ", " : "",
             receipt ? "receipt_id: " : "", receipt ? id_form_name(receipt_id) : "");
}

/* One setting to change is better than two. */
static bool find_pair(const struct engine *e, const struct carrier *c, const struct receipt_in *in,
                      enum id_form *ret_submit_id, enum id_form *ret_receipt_id)
{
    for (int changes = 1; changes <= 2; changes++)
        for (unsigned pair = 0; pair < ID_FORMS * ID_FORMS; pair++) {
            enum id_form submit_id = pair / ID_FORMS, receipt_id = pair % ID_FORMS;
            if ((submit_id != c->config->submit_id) + (receipt_id != c->config->receipt_id) !=
                    changes ||
                !fits_a_message(e, in, submit_id, receipt_id))
                continue;
            *ret_submit_id = submit_id;
            *ret_receipt_id = receipt_id;
            return true;
        }
    return false;
}

static bool may_test(struct receipt_hint *hint, uint64_t now_us)
{
    if (now_us >= hint->minute_us + MINUTE_US) {
        hint->minute_us = now_us;
        hint->tests = 0;
    }
    return hint->tests++ < TESTS_A_MINUTE;
}

void hint_unmatched(struct engine *e, const struct receipt_in *in)
{
    struct carrier *c = &e->carriers[in->owed.carrier];
    enum id_form submit_id, receipt_id;
    if (in->number == 0 || !may_test(&c->hint, e->now.mono_us) ||
        !find_pair(e, c, in, &submit_id, &receipt_id))
        return;
    uint8_t *hits = &c->hint.hits[submit_id][receipt_id];
    if (*hits < EVIDENCE)
        ++*hits;
    if (*hits < EVIDENCE)
        return;
    c->hint.until_us = e->now.mono_us + HINT_STANDS_US;
    write_hint(c, submit_id, receipt_id);
}

const char *hint_text(const struct carrier *c, uint64_t now_us)
{
    return now_us < c->hint.until_us ? c->hint.text : "";
}
