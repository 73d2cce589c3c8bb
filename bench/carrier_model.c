/* SPDX-License-Identifier: Apache-2.0 */
#include "bench/carrier_model.h"

#include <stdlib.h>

#include "bench/receipt_text.h"
#include "bench/sliding.h"
#include "proto/base/check.h"
#include "proto/base/clock.h"
#include "proto/base/hash.h"
#include "proto/base/table.h"
#include "proto/number.h"
#include "smpp/decode.h"
#include "smpp/reassembly.h"

#define EARLY_ANSWER_US (20 * US_PER_MS) /* behind a receipt that is to be early */
#define JOINED_MAX      4096             /* octets of a text that its reader sees */
#define CHUNK           4096             /* conversations allocated at once */

enum confirmation { CONFIRMATION_NONE, CONFIRMATION_OFFERED, CONFIRMATION_TAKEN };

/* A long text of which not all parts are there. */
struct joining {
    uint16_t reference;
    uint8_t total, seen;
    size_t length;
    char text[JOINED_MAX];
};

struct conversation {
    uint64_t text_mark;        /* of the last text's first part */
    uint64_t marketing_mark;   /* the same, of the last marketing text */
    uint64_t stop_answered_us; /* 0: no STOP, or not answered */
    uint64_t confirmation_mark;
    struct joining *joining; /* NULL: no long text is under way */
    uint32_t stop_session;
    uint16_t marketing_texts;
    uint16_t texts_after_stop;
    uint16_t confirmation_reference;
    uint8_t confirmation; /* enum confirmation */
    uint8_t language;     /* enum language, of the question */
    bool stop_sent;
};

struct chunk {
    struct chunk *next;
    size_t used;
    struct conversation conversations[CHUNK];
};

/* What a whole text turned out to be, since a campaign sends one text to many. */
struct known_text {
    uint64_t mark;
    uint8_t kind, language; /* enum text_kind, enum language */
};
#define KNOWN_TEXTS 1024

struct carrier_model {
    struct carrier_config config;
    struct carrier_counts counts;
    struct sliding submits, accepted;
    uint64_t next_message_id;
    struct table conversations; /* key: conversation_key() */
    struct table subscribers;   /* number -> packed struct subscriber */
    struct chunk *chunks;
    struct known_text known[KNOWN_TEXTS];
};

struct carrier_model *carrier_model_new(const struct carrier_config *config)
{
    struct carrier_model *model = check_calloc(1, sizeof *model);
    model->config = *config;
    model->next_message_id = 1000000000ull + (hash_mix(config->seed | 1) >> 24) * 1000;
    sliding_init(&model->submits);
    sliding_init(&model->accepted);
    table_init(&model->conversations);
    table_init(&model->subscribers);
    return model;
}

void carrier_model_free(struct carrier_model *model)
{
    if (model == NULL)
        return;
    while (model->chunks != NULL) {
        struct chunk *chunk = model->chunks;
        model->chunks = chunk->next;
        for (size_t i = 0; i < chunk->used; i++)
            free(chunk->conversations[i].joining);
        free(chunk);
    }
    sliding_release(&model->submits);
    sliding_release(&model->accepted);
    table_release(&model->conversations);
    table_release(&model->subscribers);
    free(model);
}

void carrier_model_set_subscriber(struct carrier_model *model, uint64_t number,
                                  const struct subscriber *subscriber)
{
    *table_put(&model->subscribers, number) =
        1u | (uint64_t)subscriber->stop_all << 1 | (uint64_t)subscriber->answer << 8 |
        (uint64_t)subscriber->stop_at << 16 | (uint64_t)subscriber->help_at << 32 |
        (uint64_t)subscriber->start_at << 48;
}

static struct subscriber behaviour(const struct carrier_model *model, uint64_t number)
{
    const uint64_t *packed = table_find(&model->subscribers, number);
    if (packed == NULL)
        return subscriber_of(&model->config.shares, model->config.seed, number);
    return (struct subscriber){.answer = (enum reply_kind)(*packed >> 8 & 0xff),
                               .stop_at = (uint16_t)(*packed >> 16),
                               .help_at = (uint16_t)(*packed >> 32),
                               .start_at = (uint16_t)(*packed >> 48),
                               .stop_all = (*packed & 2) != 0};
}

static uint64_t draw(const struct carrier_delay *delay, struct rng *rng)
{
    if (delay->spread_us == 0)
        return delay->mean_us;
    uint64_t low = delay->mean_us > delay->spread_us ? delay->mean_us - delay->spread_us : 0;
    return low + rng_below(rng, delay->mean_us + delay->spread_us - low + 1);
}

static bool chance(struct rng *rng, uint32_t ppm)
{
    return ppm > 0 && rng_chance(rng, ppm);
}

/* What one submit_sm is, besides its PDU: its place in a long text, and marks that tell texts and
 * conversations apart. */
struct view {
    struct span octets; /* without the header */
    struct udh udh;
    uint16_t reference;
    uint8_t total, part; /* 1 and 1 where it is whole */
    uint64_t mark;       /* hash of the octets */
    uint64_t number;     /* 0 where the destination is none */
    uint64_t conversation;
};

static uint64_t mark_of(const void *data, size_t length)
{
    const uint8_t *octets = data;
    uint64_t mark = length + 1;
    for (; length >= 8; octets += 8, length -= 8) {
        uint64_t word;
        memcpy(&word, octets, 8);
        mark = hash_mix(mark ^ word);
    }
    for (size_t i = 0; i < length; i++)
        mark = (mark ^ octets[i]) * 0x100000001b3ull;
    return hash_mix(mark);
}

static uint64_t conversation_key(uint64_t number, const char *sender)
{
    uint64_t key = hash_mix(number) ^ mark_of(sender, strlen(sender));
    return key != 0 ? key : 1;
}

static struct view look_at(const struct sm_body *body)
{
    struct view view = {.octets = body->text, .total = 1, .part = 1};
    struct part part;
    if ((body->esm_class & ESM_UDHI) && udh_parse(body->text, &view.udh))
        view.octets = view.udh.text;
    if (part_read(body, &view.udh, &part)) {
        view.reference = part.reference;
        view.total = part.total;
        view.part = part.number;
    }
    view.mark = mark_of(view.octets.data, view.octets.length);
    if (number_parse(span_from_string(body->destination.digits), &view.number) != ERR_OK)
        view.number = 0;
    view.conversation = conversation_key(view.number, body->source.digits);
    return view;
}

static struct conversation *find_conversation(struct carrier_model *model, uint64_t key)
{
    return table_find_pointer(&model->conversations, key);
}

static struct conversation *open_conversation(struct carrier_model *model, uint64_t key)
{
    uint64_t *place = table_put(&model->conversations, key);
    if (*place != 0)
        return (struct conversation *)(uintptr_t)*place;
    if (model->chunks == NULL || model->chunks->used == CHUNK) {
        struct chunk *chunk = check_calloc(1, sizeof *chunk);
        chunk->next = model->chunks;
        model->chunks = chunk;
    }
    struct conversation *conversation = &model->chunks->conversations[model->chunks->used++];
    *place = (uintptr_t)conversation;
    return conversation;
}

/* The judge ----------------------------------------------------------------------------------- */

static bool is_confirmation(const struct carrier_model *model, struct conversation *conversation,
                            const struct view *view, uint64_t now_us)
{
    if (view->part > 1)
        return conversation->confirmation != CONFIRMATION_NONE &&
               view->reference == conversation->confirmation_reference;
    switch ((enum confirmation)conversation->confirmation) {
    case CONFIRMATION_NONE:
        break;
    case CONFIRMATION_OFFERED: /* refused so far: it may be tried again */
        return view->mark == conversation->confirmation_mark;
    case CONFIRMATION_TAKEN:
        return false;
    }
    const char *campaign = model->config.marks.campaign;
    if (view->mark == conversation->marketing_mark ||
        (campaign != NULL && view->octets.length > 0 &&
         memmem(view->octets.data, view->octets.length, campaign, strlen(campaign)) != NULL))
        return false;
    return now_us - conversation->stop_answered_us <= CONFIRMATION_MAX_MS * US_PER_MS;
}

/* Judges every submit_sm, whatever it will be answered with: it has left the gateway. True when it is
 * the confirmation of the STOP. */
static bool judge(struct carrier_model *model, struct conversation *conversation,
                  const struct view *view, uint32_t session, uint64_t now_us)
{
    if (conversation == NULL || conversation->stop_answered_us == 0)
        return false;
    if (is_confirmation(model, conversation, view, now_us)) {
        if (view->part > 1)
            return false;
        conversation->confirmation = CONFIRMATION_OFFERED;
        conversation->confirmation_mark = view->mark;
        conversation->confirmation_reference = view->reference;
        return true;
    }
    if (session != conversation->stop_session &&
        now_us - conversation->stop_answered_us <= model->config.other_session_us)
        model->counts.after_stop_in_flight++;
    else
        model->counts.after_stop++;
    return false;
}

void carrier_model_reply_sent(struct carrier_model *model, const struct carrier_reply *reply)
{
    if (reply->kind != REPLY_START)
        return;
    struct conversation *conversation = find_conversation(model, reply->conversation);
    if (conversation == NULL)
        return;
    conversation->stop_answered_us = 0;
    conversation->confirmation = CONFIRMATION_NONE;
}

void carrier_model_reply_answered(struct carrier_model *model, const struct carrier_reply *reply,
                                  uint32_t session, uint64_t now_us)
{
    if (!reply_is_stop(reply->kind))
        return;
    struct conversation *conversation = find_conversation(model, reply->conversation);
    if (conversation == NULL || conversation->stop_answered_us != 0)
        return;
    model->counts.stops_answered++;
    conversation->stop_answered_us = now_us;
    conversation->stop_session = session;
}

bool carrier_model_redelivers(uint32_t command_status)
{
    return command_status == ESME_RSYSERR || command_status == ESME_RMSGQFUL;
}

/* The carrier --------------------------------------------------------------------------------- */

static bool is_refused_form(unsigned forms, const struct sm_body *body)
{
    return ((forms & CARRIER_NO_UDH) && (body->esm_class & ESM_UDHI)) ||
           ((forms & CARRIER_NO_SAR) && tlv_find(&body->tlvs, TLV_SAR_MSG_REF_NUM) != NULL) ||
           ((forms & CARRIER_NO_PAYLOAD) && tlv_find(&body->tlvs, TLV_MESSAGE_PAYLOAD) != NULL);
}

static uint32_t decide_status(struct carrier_model *model, const struct carrier_submit *submit,
                              uint64_t now_us, struct rng *rng, unsigned *ret_error)
{
    const struct carrier_config *config = &model->config;
    if (config->refused_forms != 0 && is_refused_form(config->refused_forms, submit->body)) {
        model->counts.refused++;
        return ESME_RSUBMITFAIL;
    }
    if (config->window > 0 && submit->unanswered >= config->window) {
        model->counts.over_window++;
        return ESME_RMSGQFUL;
    }
    if (config->rate > 0 && sliding_count(&model->accepted, now_us) >= config->rate) {
        model->counts.throttled++;
        return ESME_RTHROTTLED;
    }
    for (unsigned i = 0; i < config->error_count; i++) {
        if (!chance(rng, config->errors[i].ppm))
            continue;
        model->counts.refused++;
        *ret_error = i + 1;
        return config->errors[i].command_status;
    }
    model->counts.accepted++;
    sliding_add(&model->accepted, now_us);
    return ESME_ROK;
}

/* registered_delivery, section 5.2.17: 1 always, 2 when it failed, 3 (SMPP 5.0) when it arrived. */
static bool is_asked_for(uint8_t registered_delivery, uint8_t message_state)
{
    switch (registered_delivery & 3) {
    case 1:
        return true;
    case 2:
        return message_state != STATE_DELIVERED;
    case 3:
        return message_state == STATE_DELIVERED;
    default:
        return false;
    }
}

static void decide_receipts(struct carrier_model *model, uint8_t registered_delivery,
                            struct rng *rng, struct carrier_outcome *outcome)
{
    const struct carrier_config *config = &model->config;
    uint8_t state = chance(rng, config->undelivered_ppm) ? STATE_UNDELIVERABLE : STATE_DELIVERED;
    if (!is_asked_for(registered_delivery, state))
        return;
    if (!chance(rng, config->receipt_ppm)) {
        model->counts.receipts_withheld++;
        return;
    }
    uint64_t delay_us = outcome->answer_delay_us + draw(&config->receipt_delay, rng);
    if (chance(rng, config->receipt_early_ppm)) {
        model->counts.receipts_early++;
        delay_us = 0;
        if (outcome->answer_delay_us < EARLY_ANSWER_US)
            outcome->answer_delay_us = EARLY_ANSWER_US;
    }
    model->counts.receipts++;
    model->counts.undelivered += state == STATE_UNDELIVERABLE;
    outcome->receipts[outcome->receipt_count++] =
        (struct carrier_receipt){state, outcome->message_id, delay_us};
    if (!chance(rng, config->receipt_twice_ppm))
        return;
    model->counts.receipts_twice++;
    outcome->receipts[outcome->receipt_count++] = (struct carrier_receipt){
        state, outcome->message_id, delay_us + draw(&config->receipt_delay, rng)};
}

/* The subscribers ----------------------------------------------------------------------------- */

/* The whole text as its reader sees it, in UTF-8; empty while parts are missing. */
static struct span read_text(enum text_alphabet alphabet, struct conversation *conversation,
                             const struct view *view, uint8_t data_coding, char whole[JOINED_MAX])
{
    if (view->total == 1)
        return span_of(whole, text_receive(alphabet, data_coding, &view->udh, view->octets, whole,
                                           JOINED_MAX));
    struct joining *joining = conversation->joining;
    if (joining == NULL || joining->reference != view->reference || joining->total != view->total) {
        free(joining);
        joining = conversation->joining = check_calloc(1, sizeof *joining);
        joining->reference = view->reference;
        joining->total = view->total;
    }
    joining->length += text_receive(alphabet, data_coding, &view->udh, view->octets,
                                    joining->text + joining->length, JOINED_MAX - joining->length);
    if (++joining->seen < joining->total)
        return span_of(whole, 0);
    size_t length = joining->length;
    memcpy(whole, joining->text, length);
    free(joining);
    conversation->joining = NULL;
    return span_of(whole, length);
}

static enum reply_kind decide_reply(struct carrier_model *model, struct conversation *conversation,
                                    enum text_kind kind, const struct view *view)
{
    struct subscriber subscriber = behaviour(model, view->number);
    if (conversation->stop_sent) {
        conversation->texts_after_stop += view->part == 1 && conversation->stop_answered_us != 0;
        bool starts = subscriber.start_at > 0 && view->part == view->total &&
                      subscriber.start_at == conversation->texts_after_stop;
        return starts ? REPLY_START : REPLY_NONE;
    }
    if (kind == KIND_OTHER)
        return REPLY_NONE;
    if (kind == KIND_QUESTION) {
        model->counts.questions++;
        return subscriber.answer;
    }
    model->counts.marketing_texts++;
    conversation->marketing_mark = conversation->text_mark;
    if (conversation->marketing_texts < UINT16_MAX)
        conversation->marketing_texts++;
    if (subscriber.stop_at == conversation->marketing_texts)
        return subscriber.stop_all ? REPLY_STOPALL : REPLY_STOP;
    return subscriber.help_at == conversation->marketing_texts ? REPLY_HELP : REPLY_NONE;
}

static void write_reply(struct carrier_reply *reply, enum text_alphabet alphabet,
                        enum language language, uint64_t variant)
{
    struct text_rules rules = text_rules_default;
    struct span words = span_from_string(reply_words(reply->kind, language, variant));
    struct text_plan plan;
    uint8_t octets[TEXT_PART_MAX];
    rules.alphabet = alphabet;
    CHECK(text_plan(words, &rules, &plan) == ERR_OK && plan.parts == 1);
    reply->length = (uint8_t)text_part(words, &plan, 1, 0, octets);
    CHECK(reply->length <= REPLY_OCTETS_MAX);
    memcpy(reply->octets, octets, reply->length);
    reply->data_coding = (uint8_t)plan.encoding;
}

static enum text_kind recognise(struct carrier_model *model, struct conversation *conversation,
                                const struct view *view, uint8_t data_coding,
                                enum language *ret_language)
{
    char whole[JOINED_MAX];
    uint64_t mark = hash_mix(view->mark ^ data_coding) | 1;
    struct known_text *known = &model->known[mark >> 32 & (KNOWN_TEXTS - 1)];
    if (view->total > 1 || known->mark != mark) {
        struct span text =
            read_text(model->config.alphabet, conversation, view, data_coding, whole);
        enum text_kind kind = text_kind_of(&model->config.marks, text, ret_language);
        if (view->total > 1)
            return kind;
        *known = (struct known_text){
            .mark = mark, .kind = (uint8_t)kind, .language = (uint8_t)*ret_language};
    }
    *ret_language = (enum language)known->language;
    return (enum text_kind)known->kind;
}

static void let_subscriber_read(struct carrier_model *model, struct conversation *conversation,
                                const struct sm_body *body, const struct view *view,
                                struct rng *rng, struct carrier_reply *reply)
{
    enum language language = LANGUAGE_NONE;
    if (conversation == NULL)
        conversation = open_conversation(model, view->conversation);
    if (view->part == 1)
        conversation->text_mark = view->mark;
    enum text_kind kind = recognise(model, conversation, view, body->data_coding, &language);
    reply->kind = decide_reply(model, conversation, kind, view);
    if (kind == KIND_QUESTION)
        conversation->language = (uint8_t)language;
    else if (conversation->language != LANGUAGE_NONE)
        language = (enum language)conversation->language;
    if (reply->kind == REPLY_NONE)
        return;
    conversation->stop_sent = reply_is_stop(reply->kind);
    model->counts.replies[reply->kind]++;
    reply->conversation = view->conversation;
    reply->delay_us = draw(&model->config.reply_delay, rng);
    write_reply(reply, model->config.alphabet, language,
                hash_mix(view->number ^ model->config.seed));
}

void carrier_model_submit(struct carrier_model *model, const struct carrier_submit *submit,
                          uint64_t now_us, struct rng *rng, struct carrier_outcome *ret_outcome)
{
    struct carrier_outcome *outcome = ret_outcome;
    struct conversation *conversation = NULL;
    struct view view = {0};
    bool confirms = false;
    model->counts.submits++;
    sliding_add(&model->submits, now_us);
    outcome->receipt_count = 0;
    outcome->message_id = 0;
    outcome->reply.kind = REPLY_NONE;
    if (model->config.subscribers) {
        view = look_at(submit->body);
        conversation = find_conversation(model, view.conversation);
        confirms = judge(model, conversation, &view, submit->session, now_us);
    }
    outcome->error = 0;
    outcome->command_status = decide_status(model, submit, now_us, rng, &outcome->error);
    outcome->answered = !chance(rng, model->config.answer_lost_ppm);
    outcome->answer_delay_us = draw(&model->config.answer_delay, rng);
    model->counts.answers_lost += !outcome->answered;
    if (outcome->command_status != ESME_ROK)
        return;
    outcome->message_id = model->next_message_id++;
    if (confirms) {
        conversation->confirmation = CONFIRMATION_TAKEN;
        model->counts.confirmations++;
    }
    if (submit->body->registered_delivery & 3)
        decide_receipts(model, submit->body->registered_delivery, rng, outcome);
    if (model->config.subscribers && view.number != 0)
        let_subscriber_read(model, conversation, submit->body, &view, rng, &outcome->reply);
}

const struct carrier_counts *carrier_model_counts(struct carrier_model *model)
{
    model->counts.highest_second = model->submits.highest;
    model->counts.highest_second_accepted = model->accepted.highest;
    model->counts.in_second = model->submits.now_count;
    return &model->counts;
}
