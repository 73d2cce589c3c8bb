/* SPDX-License-Identifier: Apache-2.0 */
/* Long replies: parts are joined before their text is read, so that a phrase that is split over them is
 * understood. What that may not cost (P3):
 *
 * - A part is recorded before it is answered, and recovery puts the parts of open texts together again;
 *   the last part is answered when what the whole text asks for is recorded.
 * - A part that says STOP by itself acts at once, whatever the others will say. Of a later part that is
 *   a keyword alone or a phrase of revocation; its first word begins no sentence.
 * - Parts whose others never come are read as they are, after REASSEMBLY_MS or when there are too many
 *   of them. Half a text may take consent away; it gives none.
 * - Parts that come again after their text was whole are read again only as far as they take consent
 *   away: alone they are no reply of their own. A whole text that comes again is read as any other.
 * - Parts are answered as a STOP is: when Redis has all that they may have brought. */
#include "gateway/engine_state.h"

static bool is_opt_out(const struct keyword_match *match)
{
    return match->meaning == MEANING_OPT_OUT || match->meaning == MEANING_OPT_OUT_ALL ||
           match->meaning == MEANING_OPT_OUT_INTENT;
}

static bool says_stop(const struct engine *e, const struct reply *r,
                      struct keyword_match *ret_match)
{
    *ret_match = reply_match(e, r, false);
    bool by_first_word = ret_match->meaning == MEANING_OPT_OUT_INTENT &&
                         strncmp(ret_match->rule, "phrase/", strlen("phrase/")) != 0;
    return is_opt_out(ret_match) && (r->part.number == 1 || !by_first_word);
}

/* ---- records ---- */

static const char part_waits[] = "part";

/* A part that waits, or with number 0 the end of its set. */
static void describe(const struct engine *e, const struct part *part, const char *meaning,
                     const char *text, struct part_record *record)
{
    assent__v1__reply_part__init(&record->form);
    record->form.kind = part->kind;
    record->form.reference = part->reference;
    record->form.total = part->total;
    record->form.number = part->number;
    assent__v1__inbound__init(&record->body);
    record->body.carrier = UNCONST(e->carriers[part->scope].config->name);
    record->body.sender = UNCONST(part->receiver);
    record->body.meaning = UNCONST(meaning);
    record->body.part = &record->form;
    assent__v1__personal__init(&record->personal);
    record->personal.number = part->sender;
    record->personal.text = UNCONST(text);
    record->event = (Assent__V1__Event)EVENT_INIT(e);
    record->event.body_case = ASSENT__V1__EVENT__BODY_INBOUND;
    record->event.inbound = &record->body;
}

static void record_part(struct engine *e, const struct reply *r, const char *meaning)
{
    struct part_record record;
    describe(e, &r->part, meaning, r->text, &record);
    record.personal.raw.data = (uint8_t *)(uintptr_t)r->raw.data;
    record.personal.raw.len = r->raw.length;
    record_event(e, &record.event, &record.personal);
}

void long_reply_close(struct engine *e, const struct part *part)
{
    struct part_set *set = reassembly_find(e->reassembly, part);
    if (set == NULL)
        return;
    struct part_record record;
    describe(e, &set->part, "joined", "", &record);
    record_event(e, &record.event, &record.personal);
    reassembly_drop(e->reassembly, set);
}

/* ---- whole, or as whole as it gets ---- */

/* A part of it has said STOP: the rest cannot take that back. */
static void read_after_stop(struct engine *e, struct reply *r)
{
    struct keyword_match match = reply_match(e, r, false);
    if (!is_opt_out(&match))
        match = (struct keyword_match){.meaning = MEANING_REPLY, .language = "", .rule = ""};
    reply_ordinary(e, r, &match);
}

static void take_as_it_is(struct engine *e, struct part_set *set)
{
    char text[REPLY_TEXT_MAX];
    struct reply r = {.part = set->part,
                      .number = set->part.sender,
                      .owed = {.carrier = set->part.scope},
                      .text = text,
                      .incomplete = true};
    r.address = r.part.receiver;
    text[part_set_join(set, NULL, (struct span){0}, text, sizeof text - 1)] = '\0';
    reply_programs(e, &r);
    struct keyword_match match = reply_match(e, &r, false);
    bool nothing_new = set->again && !is_opt_out(&match);
    if (set->acted && !nothing_new)
        read_after_stop(e, &r);
    else if (!nothing_new)
        (void)reply_act(e, &r);
    long_reply_close(e, &r.part);
}

static void take_whole(struct engine *e, struct reply *r, const struct keyword_match *stop)
{
    char text[REPLY_TEXT_MAX];
    struct part_set *set = reassembly_find(e->reassembly, &r->part);
    text[part_set_join(set, &r->part, span_from_string(r->text), text, sizeof text - 1)] = '\0';
    reassembly_remember(e->reassembly, set, &r->part, span_from_string(r->text), e->now.mono_us);
    r->text = text;
    if (stop != NULL)
        reply_stop(e, r, stop);
    else if (set->acted)
        read_after_stop(e, r);
    else if (!reply_act(e, r))
        return; /* a yes or no: closed when Redis has answered */
    long_reply_close(e, &r->part);
}

/* ---- the way in ---- */

static void keep(struct engine *e, const struct reply *r, const struct keyword_match *stop)
{
    while (reassembly_is_full(e->reassembly))
        take_as_it_is(e, reassembly_oldest(e->reassembly));
    if (e->plant != PLANT_PART_NOT_RECORDED)
        record_part(e, r, stop ? meaning_name(stop->meaning) : part_waits);
    struct part_set *set =
        reassembly_add(e->reassembly, &r->part, span_from_string(r->text), e->now.mono_us);
    set->acted = set->acted || stop != NULL;
}

void long_reply_came(struct engine *e, struct reply *r)
{
    struct keyword_match match;
    const struct keyword_match *stop = says_stop(e, r, &match) ? &match : NULL;
    struct span text = span_from_string(r->text);
    enum part_verdict verdict = reassembly_judge(e->reassembly, &r->part, text);
    if (verdict == PART_CONTRADICTS) {
        take_as_it_is(e, reassembly_find(e->reassembly, &r->part));
        verdict = PART_WAITS;
    }
    if (verdict == PART_COMPLETES) {
        take_whole(e, r, stop);
        return;
    }
    if (verdict == PART_WAITS)
        keep(e, r, stop);
    if (stop != NULL)
        reply_stop(e, r, stop);
    else
        reply_answer(e, r);
}

void long_replies_turn(struct engine *e)
{
    struct part_set *set;
    while ((set = reassembly_oldest(e->reassembly)) != NULL &&
           set->since_us + REASSEMBLY_MS * US_PER_MS <= e->now.mono_us)
        take_as_it_is(e, set);
}

uint64_t long_replies_next_us(const struct engine *e)
{
    const struct part_set *set = reassembly_oldest(e->reassembly);
    return set ? set->since_us + REASSEMBLY_MS * US_PER_MS : UINT64_MAX;
}

/* ---- recovery ---- */

void long_reply_replay(struct engine *e, const Assent__V1__Event *event,
                       const Assent__V1__Personal *personal)
{
    const Assent__V1__Inbound *body = event->inbound;
    const Assent__V1__ReplyPart *form = body->part;
    struct part part = {.sender = personal->number,
                        .reference = (uint16_t)form->reference,
                        .kind = (uint8_t)form->kind,
                        .total = (uint8_t)form->total,
                        .number = (uint8_t)form->number};
    int carrier = carrier_index(e, body->carrier);
    if (carrier < 0 || form->total > REASSEMBLY_PARTS_MAX || form->number > form->total ||
        strlen(body->sender) >= sizeof part.receiver)
        return; /* the carrier is gone, or another version wrote it */
    part.scope = (uint16_t)carrier;
    strcpy(part.receiver, body->sender);
    struct part_set *set = reassembly_find(e->reassembly, &part);
    if (part.number == 0) {
        if (set != NULL)
            reassembly_drop(e->reassembly, set);
        return;
    }
    if (set != NULL && set->texts[part.number - 1].text != NULL)
        return;
    while (reassembly_is_full(e->reassembly))
        reassembly_drop(e->reassembly, reassembly_oldest(e->reassembly));
    set = reassembly_add(e->reassembly, &part, span_from_string(personal->text),
                         event->wall_ms * US_PER_MS);
    set->acted = set->acted || strcmp(body->meaning, part_waits) != 0;
}

bool long_reply_describe(const struct engine *e, const struct part_set *set, unsigned at,
                         struct part_record *ret_record)
{
    struct part part = set->part;
    part.number = (uint8_t)(at + 1);
    if (set->texts[at].text == NULL)
        return false;
    describe(e, &part, set->acted ? meaning_name(MEANING_OPT_OUT) : part_waits, set->texts[at].text,
             ret_record);
    ret_record->body.sender = UNCONST(set->part.receiver); /* `part` ends here */
    return true;
}
