/* SPDX-License-Identifier: Apache-2.0 */
/* The oracle's part about consent itself: folds what all ledgers say about a number in a program over the
 * table of consent/standing.h, in the order in which it was recorded, and asks what follows. */
#include "tests/sim/world.h"

#include <stdlib.h>

#include "consent/standing.h"
#include "proto/base/check.h"
#include "tests/sim/facts.h"

struct seen_move {
    const struct record *record;
    uint32_t gateway;
};

struct moves {
    struct seen_move all[4096];
    size_t count;
};

/* An erasure counts when Redis has it; at the gateway that asks the next question, when it is recorded. */
static bool is_about(const struct record *r, uint64_t number, uint32_t program, bool asks)
{
    const struct fact *f = &r->fact;
    bool erased = f->body == ASSENT__V1__EVENT__BODY_ERASED && (f->executed || asks);
    bool about = f->moves ? f->program == program : erased;
    return about && f->number == number;
}

static int by_time(const void *a, const void *b)
{
    const struct record *x = ((const struct seen_move *)a)->record;
    const struct record *y = ((const struct seen_move *)b)->record;
    if (x->appended_us != y->appended_us)
        return x->appended_us < y->appended_us ? -1 : 1;
    return x->fact.move.record < y->fact.move.record ? -1 : 1;
}

/* Of this gateway up to `last`, of others whatever there is. */
static void gather(const struct world *w, uint64_t last, uint64_t number, uint32_t program,
                   bool asks, struct moves *out)
{
    out->count = 0;
    for (uint32_t g = 0; g < w->plan.gateways; g++) {
        const struct disk *d = &w->gateways[g].disk;
        for (uint64_t i = 1; i < d->next && (g != w->gw->index || i <= last); i++)
            if (is_about(&d->records[i], number, program, asks && g == w->gw->index)) {
                CHECK(out->count < sizeof out->all / sizeof *out->all);
                out->all[out->count++] = (struct seen_move){&d->records[i], g};
            }
    }
    qsort(out->all, out->count, sizeof *out->all, by_time);
}

static bool is_yes(const struct fact *f)
{
    return f->move.kind == MOVE_YES || f->move.kind == MOVE_TOKEN;
}

static bool same_question(const struct fact *a, const struct fact *b)
{
    return a->asked_by == b->asked_by && a->question == b->question;
}

#define AT_ONCE_US (2 * US_PER_S) /* a look at Redis, and the record of what was found there */

/* May a YES at another gateway not know of the NO? Before Redis has it, and a moment longer. */
static bool is_at_once(const struct seen_move *no, uint32_t gateway, uint64_t yes_us)
{
    return no->gateway != gateway &&
           (no->record->executed_us == 0 || yes_us <= no->record->executed_us + AT_ONCE_US);
}

/* A NO is known to the gateway that took it and to Redis, which keeps it in the question's place: nobody writes
 * that question again. A YES to it at another gateway, at once, is in its time and the person's last word: it
 * is taken. A YES to a later question takes nothing back: the NO had ended the one before. */
static bool overruled(const struct world *w, const struct moves *moves, size_t no,
                      const struct fact *yes)
{
    const struct seen_move *of = &moves->all[no];
    const struct fact *fact = &of->record->fact;
    if (fact->move.kind != MOVE_NO)
        return false;
    bool over = yes != NULL && same_question(fact, yes) && is_at_once(of, w->gw->index, w->now_us);
    for (size_t i = no + 1; i < moves->count; i++) {
        const struct seen_move *later = &moves->all[i];
        over = over || (is_yes(&later->record->fact) && same_question(fact, &later->record->fact) &&
                        is_at_once(of, later->gateway, later->record->appended_us));
    }
    return over;
}

/* Its gateway's erasure came to Redis after it: nothing of it is known any more. Another's takes it from Redis
 * too, which has it again after it lost everything: there is a question, and maybe none. */
static bool is_erased(const struct moves *moves, size_t move, bool by_any)
{
    const struct record *of = moves->all[move].record;
    for (size_t i = 0; i < moves->count; i++) {
        const struct record *r = moves->all[i].record;
        bool same = moves->all[i].gateway == moves->all[move].gateway;
        if (same && facts_leaves(&r->fact, of->fact.move.record))
            continue;
        bool timed = of->executed_us != 0 && r->executed_us != 0;
        bool later = timed && r->executed_us != of->executed_us ? r->executed_us > of->executed_us
                                                                : i > move;
        if (r->fact.move.kind == MOVE_ERASE && later && (by_any || same))
            return true;
    }
    return false;
}

/* A YES at another gateway, that was not asked to erase it: it stands in that one's ledger, which Redis is rebuilt from,
 * and nothing there says that its question is gone, or that the person was erased elsewhere. Who is to be forgotten
 * everywhere is erased at each. */
static bool is_answered_elsewhere(const struct moves *moves, size_t ask)
{
    const struct seen_move *of = &moves->all[ask];
    for (size_t i = 0; i < moves->count && of->record->fact.move.kind == MOVE_ASK; i++) {
        const struct seen_move *yes = &moves->all[i];
        if (is_yes(&yes->record->fact) && yes->gateway != of->gateway &&
            yes->record->fact.asked_by == of->gateway &&
            yes->record->fact.question == of->record->fact.move.record &&
            !is_erased(moves, i, false))
            return true;
    }
    return false;
}

/* `asks`: a question or an answer that follows, to this gateway; NULL: nothing. */
static struct standing folded(const struct world *w, uint64_t last, uint64_t number,
                              uint32_t program, const struct fact *asks)
{
    struct moves moves;
    struct standing standing = {0};
    bool by_any = asks != NULL && asks->move.kind == MOVE_ASK;
    gather(w, last, number, program, by_any, &moves);
    for (size_t i = 0; i < moves.count; i++) {
        const struct move *move = &moves.all[i].record->fact.move;
        const struct fact *yes = asks != NULL && is_yes(asks) ? asks : NULL;
        bool erased = is_erased(&moves, i, by_any) && (by_any || !is_answered_elsewhere(&moves, i));
        if (move->kind != MOVE_ERASE && !erased && !overruled(w, &moves, i, yes))
            (void)standing_apply(&standing, move);
    }
    return standing;
}

/* A question is asked once in its time, and an answer counts only in it. */
void consents_appended(struct world *w, uint64_t sequence)
{
    const struct fact *f = &w->gw->disk.records[sequence].fact;
    if (!f->moves)
        return;
    struct standing before = folded(w, sequence - 1, f->number, f->program, f);
    enum state state = standing_state(&before, f->move.at_ms);
    uint32_t number = people_find_number(w, f->number);
    if (f->move.kind == MOVE_ASK && state == CONSENT_PENDING)
        world_fail(w, "P4", "number %u is asked while a question is open", number);
    if (is_yes(f) && state != CONSENT_PENDING && state != CONSENT_CONFIRMED)
        world_fail(w, "P1", "number %u is taken to have said yes, and is %s", number,
                   state_name(state));
}

void consents_check_marketing(struct world *w, uint32_t number, uint32_t program)
{
    struct standing standing =
        folded(w, w->gw->disk.durable, w->people.numbers[number], scope_program(w, program), NULL);
    enum state state = standing_state(&standing, world_wall_ms(w));
    if (state != CONSENT_CONFIRMED && state != CONSENT_SINGLE)
        world_fail(w, "P1", "marketing of %s to number %u, who is %s by the ledgers",
                   w->config.programs[program].name, number, state_name(state));
}

static bool is_consent_to(const struct fact *f, uint64_t number, uint32_t program)
{
    return (f->body == ASSENT__V1__EVENT__BODY_OPT_IN_CONFIRMED ||
            f->body == ASSENT__V1__EVENT__BODY_OPT_IN_RECORDED) &&
           f->number == number && f->program == program;
}

/* Another gateway's erasure is for what is older than it, and for consents that came to Redis before it. */
static uint32_t newest_spared(const struct disk *d, uint64_t erasure, uint32_t program)
{
    const struct fact *erased = &d->records[erasure].fact;
    uint32_t newest = 0;
    for (uint64_t i = 1; i < erasure && erased->asked_ms != 0; i++) {
        const struct fact *f = &d->records[i].fact;
        bool spared = i >= erased->consent_until || f->wall_ms > erased->asked_ms;
        if (spared && is_consent_to(f, erased->number, program) && f->day > newest)
            newest = f->day;
    }
    return newest;
}

static uint32_t newest_at(const struct disk *d, uint64_t number, uint32_t program)
{
    uint32_t newest = 0;
    for (uint64_t i = 1; i <= d->durable; i++) {
        const struct fact *f = &d->records[i].fact;
        if (f->body == ASSENT__V1__EVENT__BODY_ERASED && f->executed && f->number == number)
            newest = newest_spared(d, i, program);
        if (is_consent_to(f, number, program) && f->day > newest)
            newest = f->day;
    }
    return newest;
}

/* Of the newest consent to the program that any ledger holds. */
uint32_t consents_day(const struct world *w, uint64_t number, uint32_t program)
{
    uint32_t newest = 0;
    for (uint32_t g = 0; g < w->plan.gateways; g++) {
        uint32_t here = newest_at(&w->gateways[g].disk, number, program);
        newest = here > newest ? here : newest;
    }
    return newest;
}
