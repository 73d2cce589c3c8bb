/* SPDX-License-Identifier: Apache-2.0 */
/* The configuration has changed in place (gateway/config_merge.h). What did not change goes on as it
 * was: messages keep their places, sessions stay bound. New carriers are opened; sessions made of other
 * settings end when nothing is unanswered on them (gateway/carrier.c) and are made anew. */
#include "gateway/engine_state.h"
#include "proto/base/check.h"

static void record_loaded(struct engine *e)
{
    Assent__V1__ConfigLoaded body = ASSENT__V1__CONFIG_LOADED__INIT;
    body.sha256.data = (uint8_t *)(uintptr_t)e->config->sha256;
    body.sha256.len = sizeof e->config->sha256;
    Assent__V1__Event event = EVENT_INIT(e);
    event.body_case = ASSENT__V1__EVENT__BODY_CONFIG_LOADED;
    event.config_loaded = &body;
    record_event(e, &event, NULL);
}

static void take_carrier(struct engine *e, uint16_t index)
{
    struct carrier *c = &e->carriers[index];
    c->config = &e->config->carriers[index];
    if (c->submit_id != c->config->submit_id)
        correlation_respell(e, index);
    c->submit_id = c->config->submit_id;
    c->hint = (struct receipt_hint){0};
    pacing_configure(&c->pacing, c->config->rate, c->config->window, c->config->adapt == YES);
    throttle_set_rate(&c->throttle, c->pacing.rate.value, ramp_is_cut(&c->pacing.rate),
                      e->now.mono_us);
    senders_configure(e, c);
    for (uint16_t i = 0; i < c->link_count; i++)
        if (c->links[i].session == NULL && c->links[i].made != c->config->made) {
            if (c->links[i].opening)
                e->ports->link_close(e->ports->context, index, i);
            c->links[i].opening = false;
            c->links[i].backoff_ms = 0;
            c->links[i].open_at_us = e->now.mono_us;
        }
}

static void add_carrier(struct engine *e, uint16_t index)
{
    struct carrier *c = &e->carriers[index];
    carrier_init(e, index);
    throttle_init(&c->throttle, c->config->rate, e->now.mono_us);
    for (uint16_t i = 0; i < c->link_count; i++)
        c->links[i].open_at_us = e->now.mono_us;
}

void engine_before_reconfigure(struct engine *e, struct instant now)
{
    e->now = now;
    receipts_take(e);
}

void engine_reconfigure(struct engine *e, struct instant now)
{
    e->now = now;
    CHECK(e->gathered_count == 0);
    for (uint16_t i = 0; i < e->carrier_count; i++)
        take_carrier(e, i);
    while (e->carrier_count < e->config->carrier_count)
        add_carrier(e, e->carrier_count++);
    route_table_free(e->routes);
    e->routes = route_table_new(e->config);
    program_words_configure(e);
    registry_configure(e);
    quiet_configure(e);
    content_configure(e);
    e->failover_round++; /* every waiting message is looked at: its routes may be others now */
    scopes_resolve_new(e);
    record_loaded(e);
}
