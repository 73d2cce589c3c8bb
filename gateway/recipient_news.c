/* SPDX-License-Identifier: Apache-2.0 */
/* What carriers tell about a recipient when a message fails: has opted out at the carrier, or is nobody's
 * number (any more). A carrier's tables say which of its codes mean so: `statuses` for the answer to a
 * submit_sm, `receipt_errors` for receipts.
 *
 * What follows is recorded before the receipt is: a receipt that is answered has had its effect, and one
 * whose effect is lost in a crash comes again. Parts that fail after another one say nothing new. */
#include <stdio.h>

#include "gateway/engine_state.h"

enum recipient_news news_of_receipt(const struct engine *e, uint16_t carrier, uint8_t state,
                                    const char *error_code)
{
    const struct carrier_config *config = e->carriers[carrier].config;
    Assent__V1__Outcome outcome = outcome_of_receipt(state);
    if (outcome == ASSENT__V1__OUTCOME__OUTCOME_OPEN || outcome == ASSENT__V1__OUTCOME__DELIVERED)
        return NEWS_NONE;
    for (uint16_t i = 0; i < config->receipt_error_count; i++)
        if (strcmp(config->receipt_errors[i].code, error_code) == 0)
            return config->receipt_errors[i].news;
    return NEWS_NONE;
}

/* As if a STOP had come, but nobody is there to confirm it to. Whichever part it is that says so, and
 * whatever became of the parts before it. */
static void opt_out(struct engine *e, const struct message *m, const char *how)
{
    const struct program_config *program = &e->config->programs[m->program];
    struct opt_out o = {.number = m->number,
                        .source = ASSENT__V1__CONSENT_SOURCE__CARRIER,
                        .client = "",
                        .carrier = e->carriers[m->carrier].config->name,
                        .sender = program->senders[m->sender],
                        .rule = "",
                        .language = "",
                        .how = how,
                        .text = "",
                        .evidence = "",
                        .program = m->program};
    struct stop_reach_scopes reach;
    stop_reach_of(e, m->number, &m->program, 1, &reach);
    opt_out_reach(&o, &reach);
    opt_out_apply(e, &o);
    e->metrics.counters[COUNT_OPT_OUTS_AT_CARRIERS]++;
}

void news_take_receipt(struct engine *e, const struct message *m, uint8_t state,
                       const char *error_code)
{
    if (outcome_of_receipt(state) == ASSENT__V1__OUTCOME__DELIVERED)
        vacancy_end(e, m->number);
    char how[48];
    switch (news_of_receipt(e, m->carrier, state, error_code)) {
    case NEWS_NONE:
    case NEWS_FILTERED:
        return;
    case NEWS_OPTED_OUT:
        snprintf(how, sizeof how, "a receipt said error %s", error_code);
        if (e->plant != PLANT_RECEIPT_OPT_OUT_LOST)
            opt_out(e, m, how);
        return;
    case NEWS_UNKNOWN_SUBSCRIBER: /* counted are messages */
        if (m->worst_receipt == 0)
            vacancy_note(e, m, error_code);
        return;
    }
}

void news_opted_out(struct engine *e, const struct message *m, uint32_t command_status)
{
    char how[48];
    snprintf(how, sizeof how, "submit_sm was answered 0x%08x", (unsigned)command_status);
    if (e->plant != PLANT_CARRIER_OPT_OUT_LOST)
        opt_out(e, m, how);
}

void news_unknown_subscriber(struct engine *e, const struct message *m, uint32_t command_status)
{
    char code[16];
    snprintf(code, sizeof code, "0x%08x", (unsigned)command_status);
    vacancy_note(e, m, code);
}

/* The effect on others has its own records. */
void news_replay_receipt(struct engine *e, const struct message *m, const Assent__V1__Receipt *body,
                         uint64_t wall_ms)
{
    uint8_t state = (uint8_t)body->state;
    if (outcome_of_receipt(state) == ASSENT__V1__OUTCOME__DELIVERED)
        vacancy_end(e, m->number);
    else if (m->worst_receipt == 0 &&
             news_of_receipt(e, m->carrier, state, body->error_code) == NEWS_UNKNOWN_SUBSCRIBER)
        vacancy_replay(e, m->number, wall_ms);
}
