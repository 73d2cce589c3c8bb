/* SPDX-License-Identifier: Apache-2.0 */
/* Texts that are not kept: codes always, others by their program's `texts`. The ledger has them encrypted, with a
 * key that many texts share: of an epoch. It is destroyed as soon as none of them is needed any more, and then
 * nobody can read them, in whichever copy of the ledger.
 *
 *   taken      when a text comes that fits none of the open epochs; the key is on disk by then
 *   closed     after `period`: no more texts join. So a key lives no longer than that and its texts may
 *   destroyed  when no text of it is needed in this process, nor would be after a crash: the records that say so
 *              (sent, ended) are durable
 *
 * Texts that may wait for long have epochs of their own, so that they do not keep the keys of codes. A text is
 * needed until the carrier has all of it, or its message has ended or is in doubt. */
#include "gateway/engine_state.h"

#include "proto/base/check.h"

static const struct {
    uint64_t lifetime_us; /* texts that may live so long, at most */
    uint64_t period_us;   /* share a key for so long */
} terms[SECRET_TERMS] = {
    {3ull * 60 * US_PER_S, 60ull * US_PER_S},
    {15ull * 60 * US_PER_S, 5ull * 60 * US_PER_S},
    {4ull * 3600 * US_PER_S, 3600ull * US_PER_S},
    {72ull * 3600 * US_PER_S, 12ull * 3600 * US_PER_S},
    {UINT64_MAX, 5 * 24 * 3600ull * US_PER_S},
};

/* 4 + 4 + 5 + 7 + 21 epochs at a time, since no message lives longer than its schedule and time-to-live allow. */
_Static_assert(4 + 4 + 5 + 7 + (SCHEDULE_AHEAD_MS + TTL_MS_MAX) / (5ull * 24 * 3600 * 1000) + 2 +
                       SECRET_SPARES <=
                   SECRET_KEYS_MAX,
               "keys for every epoch");

bool secret_is_text(const struct engine *e, uint16_t program, uint8_t message_class)
{
    if (message_class == ASSENT__V1__CLASS__SERVICE)
        return false;
    return message_class == ASSENT__V1__CLASS__OTP ||
           e->config->programs[program].texts != TEXTS_WHOLE;
}

/* ---- epochs ---- */

static struct epoch *epoch_of(struct engine *e, uint8_t number)
{
    CHECK(number >= 1 && number <= SECRET_KEYS_MAX);
    return &e->secrets.epochs[number - 1];
}

/* Its number, 0 when there is no room. */
static uint8_t epoch_add(struct engine *e, uint32_t id, const uint8_t key[SECRET_KEY_SIZE])
{
    for (unsigned i = 0; i < SECRET_KEYS_MAX; i++) {
        struct epoch *epoch = &e->secrets.epochs[i];
        if (epoch->key != NULL)
            continue;
        *epoch = (struct epoch){.id = id, .key = secret_new(key)};
        return (uint8_t)(i + 1);
    }
    return 0;
}

void engine_know_key(struct engine *e, uint32_t id, const uint8_t key[SECRET_KEY_SIZE])
{
    uint8_t number = epoch_add(e, id, key);
    CHECK(number != 0);
    epoch_of(e, number)->closed = true;
    e->secrets.look = true;
}

static uint8_t epoch_find(const struct engine *e, uint32_t id)
{
    for (unsigned i = 0; i < SECRET_KEYS_MAX; i++)
        if (e->secrets.epochs[i].key != NULL && e->secrets.epochs[i].id == id)
            return (uint8_t)(i + 1);
    return 0;
}

static uint8_t epoch_take(struct engine *e)
{
    uint32_t id;
    uint8_t key[SECRET_KEY_SIZE], number = 0;
    if (!e->ports->key_take(e->ports->context, &id, key))
        return 0;
    number = epoch_add(e, id, key);
    CHECK(number != 0);
    explicit_bzero(key, sizeof key);
    return number;
}

/* The open epoch of texts that live so long; where no key is to be had, any other open one. */
static uint8_t epoch_for(struct engine *e, uint64_t lifetime_us)
{
    struct secrets *s = &e->secrets;
    unsigned term = 0;
    while (lifetime_us > terms[term].lifetime_us)
        term++;
    if (s->open[term] == 0) {
        s->open[term] = epoch_take(e);
        s->close_at_us[term] = e->now.mono_us + terms[term].period_us;
    }
    uint8_t number = s->open[term];
    for (term = 0; number == 0 && term < SECRET_TERMS; term++)
        number = s->open[term];
    return number;
}

bool secret_is_ready(struct engine *e, uint64_t lifetime_us)
{
    return epoch_for(e, lifetime_us) != 0;
}

static void close_epoch(struct engine *e, unsigned term)
{
    if (e->secrets.open[term] == 0)
        return;
    if (e->plant == PLANT_KEY_DESTROYED_EARLY)
        e->ports->key_destroy(e->ports->context, epoch_of(e, e->secrets.open[term])->id);
    epoch_of(e, e->secrets.open[term])->closed = true;
    e->secrets.open[term] = 0;
    e->secrets.look = true;
}

/* False when it is to be looked at again although nothing happens to its texts. */
static bool end_epoch(struct engine *e, struct epoch *epoch)
{
    if (epoch->unsettled) {
        epoch->unsettled = false;
        epoch->settled_at = e->ports->ledger_next(e->ports->context) - 1;
    }
    if (!epoch->closed || epoch->open > 0)
        return true;
    if (epoch->settled_at > e->durable)
        return false;
    e->ports->key_destroy(e->ports->context, epoch->id);
    secret_free(epoch->key);
    *epoch = (struct epoch){0};
    return true;
}

void secrets_turn(struct engine *e)
{
    struct secrets *s = &e->secrets;
    for (unsigned term = 0; term < SECRET_TERMS; term++)
        if (e->draining || e->now.mono_us >= s->close_at_us[term])
            close_epoch(e, term);
    if (!s->look)
        return;
    s->look = false;
    for (unsigned i = 0; i < SECRET_KEYS_MAX; i++)
        if (s->epochs[i].key != NULL && !end_epoch(e, &s->epochs[i]))
            s->look = true;
}

bool secrets_settled(const struct engine *e)
{
    for (unsigned i = 0; i < SECRET_KEYS_MAX; i++)
        if (e->secrets.epochs[i].key != NULL && e->secrets.epochs[i].open == 0)
            return false;
    return true;
}

uint64_t secrets_next_us(const struct engine *e)
{
    uint64_t next = UINT64_MAX;
    for (unsigned term = 0; term < SECRET_TERMS; term++)
        if (e->secrets.open[term] != 0 && e->secrets.close_at_us[term] < next)
            next = e->secrets.close_at_us[term];
    return next;
}

void secrets_free(struct engine *e)
{
    for (unsigned i = 0; i < SECRET_KEYS_MAX; i++)
        secret_free(e->secrets.epochs[i].key);
    explicit_bzero(&e->secrets, sizeof e->secrets);
}

/* ---- texts ---- */

/* Ties the encrypted text to its record: no text can be made another message's. */
static struct span about(uint8_t out[16], uint64_t id, uint64_t number)
{
    store_u32(out, (uint32_t)(id >> 32));
    store_u32(out + 4, (uint32_t)id);
    store_u32(out + 8, (uint32_t)(number >> 32));
    store_u32(out + 12, (uint32_t)number);
    return span_of(out, 16);
}

static void take_random(struct engine *e, void *out, size_t length)
{
    struct secrets *s = &e->secrets;
    if (s->random_left < length) {
        e->ports->random(e->ports->context, s->random, sizeof s->random);
        s->random_left = sizeof s->random;
    }
    s->random_left -= length;
    memcpy(out, s->random + s->random_left, length);
}

void secret_forked(struct engine *e)
{
    e->secrets.random_left = 0;
}

void secret_join(struct engine *e, struct message *m)
{
    if (!secret_is_text(e, m->program, m->message_class))
        return;
    m->epoch = epoch_for(e, m->expires_us - e->now.mono_us);
    CHECK(m->epoch != 0); /* secret_is_ready() */
    epoch_of(e, m->epoch)->open++;
}

void secret_put(struct engine *e, const struct message *m, uint64_t id,
                Assent__V1__Personal *personal)
{
    uint8_t room[16], nonce[SECRET_NONCE_SIZE];
    const struct epoch *epoch = epoch_of(e, m->epoch);
    take_random(e, nonce, sizeof nonce);
    secret_encrypt(epoch->key, nonce, about(room, id, m->number), message_text(m),
                   e->secrets.encrypted);
    personal->text = UNCONST("");
    personal->epoch = epoch->id;
    personal->encrypted_text.data = e->secrets.encrypted;
    personal->encrypted_text.len = (size_t)m->text_length + SECRET_OVERHEAD;
}

void secret_put_hash(struct engine *e, const struct message *m, Assent__V1__Personal *personal)
{
    if (m->message_class == ASSENT__V1__CLASS__OTP ||
        e->config->programs[m->program].texts != TEXTS_HASHED)
        return;
    uint8_t salt[SALT_SIZE];
    take_random(e, salt, sizeof salt);
    text_hash(salt, message_text(m), e->secrets.hash);
    personal->text_hash.data = e->secrets.hash;
    personal->text_hash.len = TEXT_HASH_SIZE;
}

void secret_release(struct engine *e, struct message *m)
{
    m->text_lost = false;
    if (m->epoch == 0)
        return;
    struct epoch *epoch = epoch_of(e, m->epoch);
    CHECK(epoch->open > 0);
    epoch->open--;
    epoch->unsettled = true;
    e->secrets.look = true;
    m->epoch = 0;
    message_wipe(m);
}

struct span secret_replay(struct engine *e, uint64_t id, const Assent__V1__Personal *personal,
                          char out[TEXT_OCTETS_MAX], uint8_t *ret_epoch, bool *ret_lost)
{
    uint8_t room[16], number = epoch_find(e, personal->epoch);
    struct span encrypted = span_of(personal->encrypted_text.data, personal->encrypted_text.len);
    *ret_epoch = 0;
    *ret_lost = false;
    if (encrypted.length == 0)
        return span_from_string(personal->text);
    *ret_lost = number == 0 || encrypted.length > TEXT_OCTETS_MAX + SECRET_OVERHEAD ||
                secret_decrypt(epoch_of(e, number)->key, about(room, id, personal->number),
                               encrypted, (uint8_t *)out) != ERR_OK;
    if (*ret_lost)
        return span_of(out, 0);
    *ret_epoch = number;
    epoch_of(e, number)->open++;
    return span_of(out, encrypted.length - SECRET_OVERHEAD);
}
