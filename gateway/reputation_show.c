/* SPDX-License-Identifier: Apache-2.0 */
/* A sender's reputation as the submission protocol tells it, in lists and in the status. */
#include "gateway/engine.h"

static void show_window(struct reputation_shown *s, unsigned window)
{
    Assent__V1__ReputationCounts *out = &s->counts[window - 1];
    const uint64_t *totals = s->status.totals[window];
    assent__v1__reputation_counts__init(out);
    out->window = (Assent__V1__ReputationWindow)window;
    out->delivered = totals[REPUTATION_DELIVERED];
    out->filtered = totals[REPUTATION_FILTERED];
    out->unknown = totals[REPUTATION_UNKNOWN];
    out->other = totals[REPUTATION_OTHER];
    out->opt_outs = totals[REPUTATION_OPT_OUTS];
    out->complaints = totals[REPUTATION_COMPLAINTS];
    out->alarms = s->alarms[window - 1];
    for (unsigned rate = 1; rate < REPUTATION_RATES; rate++)
        if (s->status.alarms[window] >> rate & 1)
            out->alarms[out->n_alarms++] = (Assent__V1__ReputationRate)rate;
    s->windows[window - 1] = out;
}

static void show_pause(struct reputation_shown *s)
{
    const struct reputation_status *status = &s->status;
    assent__v1__reputation_finding__init(&s->finding);
    s->finding.sender = s->row.sender;
    s->finding.carrier = s->row.carrier;
    s->finding.rate = (Assent__V1__ReputationRate)status->rate;
    s->finding.window = (Assent__V1__ReputationWindow)status->window;
    s->finding.share = status->share;
    s->finding.threshold = status->threshold;
    s->finding.count = status->count;
    s->finding.texts = status->texts;
    s->row.paused_by = &s->finding;
    s->row.paused_wall_ms = status->paused_wall_ms;
    s->row.paused = status->paused_record;
}

void reputation_show(struct reputation_shown *s)
{
    assent__v1__sender_reputation__init(&s->row);
    s->row.sender = (char *)(uintptr_t)s->status.sender;
    s->row.carrier = (char *)(uintptr_t)s->status.carrier;
    s->row.windows = s->windows;
    s->row.n_windows = REPUTATION_WINDOWS - 1;
    for (unsigned window = 1; window < REPUTATION_WINDOWS; window++)
        show_window(s, window);
    if (s->status.paused)
        show_pause(s);
}
