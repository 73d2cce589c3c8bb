/* SPDX-License-Identifier: Apache-2.0 */
#include "gateway/cli/wait.h"

#include <inttypes.h>
#include <stdio.h>

#include "gateway/cli/event_text.h"
#include "gateway/cli/print.h"
#include "gateway/metrics.h"

struct outcomes {
    uint64_t counts[METRIC_OUTCOMES][METRIC_REASONS];
};

void wait_init(struct wait *wait)
{
    table_init(&wait->ids);
    wait->first = 0;
}

void wait_add(struct wait *wait, uint64_t id)
{
    *table_put(&wait->ids, id) = 1;
    if (wait->first == 0 || id < wait->first)
        wait->first = id;
}

void wait_release(struct wait *wait)
{
    table_release(&wait->ids);
}

static void note(struct wait *wait, struct outcomes *outcomes, uint64_t id, unsigned outcome,
                 unsigned reason)
{
    if (!table_remove(&wait->ids, id))
        return;
    if (outcome < METRIC_OUTCOMES && reason < METRIC_REASONS)
        outcomes->counts[outcome][reason]++;
}

/* A message ends by an `ended` event, or by the receipt that ended it. */
static void note_event(struct wait *wait, struct outcomes *outcomes, const Assent__V1__Event *event)
{
    if (event->body_case == ASSENT__V1__EVENT__BODY_ENDED)
        note(wait, outcomes, event->message, (unsigned)event->ended->outcome,
             (unsigned)event->ended->reason);
    else if (event->body_case == ASSENT__V1__EVENT__BODY_RECEIPT &&
             event->receipt->outcome != ASSENT__V1__OUTCOME__OUTCOME_OPEN)
        note(wait, outcomes, event->message, (unsigned)event->receipt->outcome, 0);
}

static void print_outcomes(const struct outcomes *outcomes)
{
    struct columns table;
    char count[COUNT_TEXT_SIZE], text[96];
    columns_init(&table, "lr");
    for (unsigned outcome = 0; outcome < METRIC_OUTCOMES; outcome++)
        for (unsigned reason = 0; reason < METRIC_REASONS; reason++)
            if (outcomes->counts[outcome][reason] > 0)
                columns_add(
                    &table,
                    outcome_text((Assent__V1__Outcome)outcome, (Assent__V1__Reason)reason, text),
                    count_text(outcomes->counts[outcome][reason], count));
    columns_print(&table, stdout);
}

static bool all_arrived(const struct outcomes *outcomes)
{
    for (unsigned outcome = 0; outcome < METRIC_OUTCOMES; outcome++)
        for (unsigned reason = 0; reason < METRIC_REASONS; reason++)
            if (outcomes->counts[outcome][reason] > 0 &&
                outcome != ASSENT__V1__OUTCOME__DELIVERED &&
                outcome != ASSENT__V1__OUTCOME__SENT_NO_RECEIPT)
                return false;
    return true;
}

static bool start(struct client *client, uint64_t from)
{
    Assent__V1__WatchRequest watch = ASSENT__V1__WATCH_REQUEST__INIT;
    watch.from = from;
    Assent__V1__Frame request = ASSENT__V1__FRAME__INIT;
    request.call = client_next_call(client);
    request.body_case = ASSENT__V1__FRAME__BODY_WATCH;
    request.watch = &watch;
    return client_send(client, &request);
}

bool wait_run(struct wait *wait, struct client *client, bool show_progress)
{
    struct outcomes outcomes = {0};
    struct progress progress;
    uint64_t all = wait->ids.count;
    if (all == 0)
        return true;
    progress_init(&progress, "waiting", show_progress);
    if (!start(client, wait->first))
        return false;
    while (wait->ids.count > 0) {
        bool timeout;
        progress_show(&progress, all - wait->ids.count, all, all - wait->ids.count);
        Assent__V1__Frame *frame = client_receive_within(client, 500, &timeout);
        if (timeout)
            continue;
        if (frame == NULL)
            return false;
        if (frame->body_case == ASSENT__V1__FRAME__BODY_FAILURE) {
            complain("%s: %s", code_name(frame->failure->code), frame->failure->message);
            return false;
        }
        if (frame->body_case == ASSENT__V1__FRAME__BODY_WATCH_EVENT && frame->watch_event->event)
            note_event(wait, &outcomes, frame->watch_event->event);
    }
    progress_end(&progress, all, all, all);
    print_outcomes(&outcomes);
    return all_arrived(&outcomes);
}
