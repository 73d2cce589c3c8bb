/* SPDX-License-Identifier: Apache-2.0 */
/* Opt-outs that may have meant something else ("cancel my order"): the brand's marketing stops at once,
 * the person is asked once which messages were meant, and silence means all.
 *
 *   review  --yes-->      kept: other messages go on
 *           --no, STOP--> opted out as by any STOP
 *           --START-->    as before
 *           --REVIEW_MS-> opted out as by a STOP, without another text
 *
 * An open review is an Inbound record of meaning "review" behind its opt-out; "keep" or a later opt-out or
 * START ends it, so a replay finds those that are open. The question is the opt-out's one confirmation
 * (P4; gateway/projection.c). Each gateway watches over its own; a yes that comes in at another gateway is
 * an ordinary reply there, and the silence costs the person one START. */
#include <stdio.h>
#include <stdlib.h>

#include "consent/person.h"
#include "consent/language.h"
#include "gateway/engine_state.h"
#include "proto/base/check.h"

static uint64_t review_key(const struct engine *e, uint64_t number, const char *address)
{
    char key[64];
    int n = snprintf(key, sizeof key, "%llu %s", (unsigned long long)number, address);
    uint64_t hash = hash64(&e->key, key, (size_t)n);
    return hash ? hash : 1;
}

static struct review *review_find(const struct engine *e, uint64_t number, const char *address)
{
    return table_find_pointer(&e->reviews_by_key, review_key(e, number, address));
}

static void review_drop(struct engine *e, struct review *review)
{
    TAILQ_REMOVE(&e->reviews, review, link);
    table_remove(&e->reviews_by_key, review_key(e, review->number, review->address));
    free(review);
}

/* Marketing has stopped with the question; what was said before an erasure completes nothing. */
void reviews_erase(struct engine *e, const struct person_mark *person)
{
    struct review *review, *next;
    for (review = TAILQ_FIRST(&e->reviews); review != NULL; review = next) {
        next = TAILQ_NEXT(review, link);
        if (person_is(person, review->number))
            review_drop(e, review);
    }
}

static void opt_out_by_silence(struct engine *e, struct review *review);

static void review_open(struct engine *e, uint64_t number, const Assent__V1__Inbound *body,
                        uint64_t wall_ms)
{
    if (review_find(e, number, body->sender) != NULL ||
        strlen(body->sender) >= sizeof((struct review *)0)->address)
        return;
    if (e->reviews_by_key.count >= REVIEWS_MAX && e->durable != 0)
        opt_out_by_silence(e, TAILQ_FIRST(&e->reviews));
    struct review *review = check_calloc(1, sizeof *review);
    review->number = number;
    review->due_wall_ms = wall_ms + REVIEW_MS;
    snprintf(review->address, sizeof review->address, "%s", body->sender);
    snprintf(review->carrier, sizeof review->carrier, "%s", body->carrier);
    snprintf(review->rule, sizeof review->rule, "%s", body->rule);
    snprintf(review->language, sizeof review->language, "%s", body->language);
    TAILQ_INSERT_TAIL(&e->reviews, review, link);
    *table_put(&e->reviews_by_key, review_key(e, number, review->address)) =
        (uint64_t)(uintptr_t)review;
}

/* ---- what replies do ---- */

/* The brands' marketing alone. */
static void marketing_reach(const struct engine *e, const struct reply *r,
                            struct stop_reach_scopes *ret_reach)
{
    *ret_reach = (struct stop_reach_scopes){0};
    for (uint16_t i = 0; i < r->program_count; i++)
        if (!reach_add(ret_reach, e->brand_scope[r->programs[i]])) {
            stop_reach_of(e, r->number, NULL, 0, ret_reach);
            return;
        }
}

void reply_review(struct engine *e, struct reply *r, const struct keyword_match *match)
{
    struct opt_out o = opt_out_of_reply(e, r, match);
    struct stop_reach_scopes reach;
    if (r->program_count == 0 || r->number == 0) {
        reply_stop(e, r, match); /* nobody to ask for: everything */
        return;
    }
    if (e->plant == PLANT_DOUBT_WAITS) {
        reply_ordinary(e, r, match);
        return;
    }
    marketing_reach(e, r, &reach);
    opt_out_reach(&o, &reach);
    uint64_t sequence = opt_out_apply(e, &o);
    reply_record(e, r, meaning_name(match->meaning), match);
    if (match->meaning == MEANING_REVIEW) {
        Assent__V1__Inbound body = ASSENT__V1__INBOUND__INIT;
        body.carrier = UNCONST(o.carrier);
        body.sender = UNCONST(r->address);
        body.rule = UNCONST(match->rule);
        body.language = UNCONST(o.language);
        review_open(e, r->number, &body, e->now.wall_ms);
    }
    r->owed.ready_at = sequence + 1;
    owe_stop_answer(e, &r->owed);
}

bool review_answer(struct engine *e, struct reply *r, const struct keyword_match *answer)
{
    struct review *review = review_find(e, r->number, r->address);
    if (review == NULL)
        return false;
    if (answer->meaning == MEANING_DECLINE) {
        reply_stop(e, r, answer); /* ends the review too */
        return true;
    }
    review_drop(e, review);
    reply_record(e, r, "keep", answer);
    reply_answer(e, r);
    return true;
}

/* ---- what ends them ---- */

static bool covers(const struct engine *e, const struct reply *programs, const uint16_t *scopes,
                   uint8_t count, bool brand_too)
{
    for (uint8_t i = 0; i < count; i++) {
        if (scopes[i] == SCOPE_EVERYTHING)
            return true;
        for (uint16_t p = 0; p < programs->program_count; p++)
            if (scopes[i] == e->program_scope[programs->programs[p]] ||
                (brand_too && scopes[i] == e->brand_scope[programs->programs[p]]))
                return true;
    }
    return false;
}

/* Few are open at a time, of one number one or two: all of them are looked at. */
static void end_covered(struct engine *e, uint64_t number, const uint16_t *scopes, uint8_t count,
                        bool brand_too)
{
    struct review *review, *next;
    for (review = TAILQ_FIRST(&e->reviews); review != NULL; review = next) {
        next = TAILQ_NEXT(review, link);
        struct reply programs = {.address = review->address};
        if (review->number != number)
            continue;
        reply_programs(e, &programs);
        if (covers(e, &programs, scopes, count, brand_too))
            review_drop(e, review);
    }
}

void reviews_opted_out(struct engine *e, uint64_t number, const uint16_t *scopes, uint8_t count)
{
    if (!TAILQ_EMPTY(&e->reviews))
        end_covered(e, number, scopes, count, false);
}

void reviews_opted_in_again(struct engine *e, uint64_t number, const uint16_t *scopes,
                            uint8_t count)
{
    if (!TAILQ_EMPTY(&e->reviews))
        end_covered(e, number, scopes, count, true);
}

void review_replay(struct engine *e, const Assent__V1__Event *event, uint64_t number)
{
    const Assent__V1__Inbound *body = event->inbound;
    struct review *review = review_find(e, number, body->sender);
    if (strcmp(body->meaning, meaning_name(MEANING_REVIEW)) == 0)
        review_open(e, number, body, event->wall_ms);
    else if (strcmp(body->meaning, "keep") == 0 && review != NULL)
        review_drop(e, review);
}

/* ---- silence ---- */

static void opt_out_by_silence(struct engine *e, struct review *review)
{
    struct reply programs = {.address = review->address, .number = review->number};
    struct stop_reach_scopes reach;
    reply_programs(e, &programs);
    stop_reach_of(e, review->number, programs.programs, programs.program_count, &reach);
    struct opt_out o = {
        .number = review->number,
        .source = ASSENT__V1__CONSENT_SOURCE__REPLY,
        .client = "",
        .carrier = review->carrier,
        .sender = review->address,
        .rule = review->rule,
        .language = review->language,
        .how = REVIEW_SILENCE,
        .text = "",
        .evidence = "",
        .program = programs.program_count > 0 ? programs.programs[0] : -1,
    };
    opt_out_reach(&o, &reach);
    struct review taken = *review;
    o.carrier = taken.carrier, o.sender = taken.address, o.rule = taken.rule;
    o.language = taken.language;
    review_drop(e, review);
    opt_out_apply(e, &o);
}

void review_describe(const struct review *review, Assent__V1__Inbound *body,
                     Assent__V1__Personal *personal)
{
    assent__v1__inbound__init(body);
    body->carrier = UNCONST(review->carrier);
    body->sender = UNCONST(review->address);
    body->meaning = UNCONST(meaning_name(MEANING_REVIEW));
    body->language = UNCONST(review->language);
    body->rule = UNCONST(review->rule);
    assent__v1__personal__init(personal);
    personal->number = review->number;
}

void reviews_turn(struct engine *e)
{
    struct review *review;
    while ((review = TAILQ_FIRST(&e->reviews)) != NULL && review->due_wall_ms <= e->now.wall_ms)
        opt_out_by_silence(e, review);
}

uint64_t reviews_next_us(const struct engine *e)
{
    const struct review *review = TAILQ_FIRST(&e->reviews);
    if (review == NULL)
        return UINT64_MAX;
    uint64_t wait_ms =
        review->due_wall_ms > e->now.wall_ms ? review->due_wall_ms - e->now.wall_ms : 0;
    return e->now.mono_us + wait_ms * US_PER_MS;
}

void reviews_release(struct engine *e)
{
    while (!TAILQ_EMPTY(&e->reviews))
        review_drop(e, TAILQ_FIRST(&e->reviews));
    table_release(&e->reviews_by_key);
}
