/* SPDX-License-Identifier: Apache-2.0 */
/* Receipt texts are read as words, not as columns: carriers reorder, leave out, respell and pad the
 * fields. A field is `name:` at the start of a word and the next word after it; the first of a name
 * counts; `text:` ends the fields, since what follows is the message itself. */
#include "smpp/receipt.h"

#include <stdio.h>
#include <strings.h>

#include "smpp/text.h"

#define STATE(name) ASSENT__V1__RECEIPT_STATE__RECEIPT_##name

static const struct {
    const char *word;
    Assent__V1__ReceiptState state;
} words[] = {
    {"DELIVRD", STATE(DELIVERED)},
    {"DELIVERED", STATE(DELIVERED)},
    {"DELIVERD", STATE(DELIVERED)},
    {"DELIVRED", STATE(DELIVERED)},
    {"DLVRD", STATE(DELIVERED)},
    {"UNDELIV", STATE(UNDELIVERABLE)},
    {"UNDELIVERABLE", STATE(UNDELIVERABLE)},
    {"UNDELIVERED", STATE(UNDELIVERABLE)},
    {"UNDELIVRD", STATE(UNDELIVERABLE)},
    {"UNDELIVD", STATE(UNDELIVERABLE)},
    {"UNDLIV", STATE(UNDELIVERABLE)},
    {"FAILED", STATE(UNDELIVERABLE)},
    {"SKIPPED", STATE(UNDELIVERABLE)},
    {"EXPIRED", STATE(EXPIRED)},
    {"EXPIRD", STATE(EXPIRED)},
    {"DELETED", STATE(DELETED)},
    {"DELETD", STATE(DELETED)},
    {"ACCEPTD", STATE(ACCEPTED)},
    {"ACCEPTED", STATE(ACCEPTED)},
    {"ENROUTE", STATE(EN_ROUTE)},
    {"EN_ROUTE", STATE(EN_ROUTE)},
    {"BUFFRED", STATE(EN_ROUTE)},
    {"BUFFERED", STATE(EN_ROUTE)},
    {"SCHEDULED", STATE(EN_ROUTE)},
    {"REJECTD", STATE(REJECTED)},
    {"REJECTED", STATE(REJECTED)},
    {"UNKNOWN", STATE(UNKNOWN)},
    {"UNKNOWD", STATE(UNKNOWN)},
};

static Assent__V1__ReceiptState state_of_word(struct span word, bool *ret_strange)
{
    *ret_strange = false;
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
        if (strlen(words[i].word) == word.length &&
            strncasecmp(words[i].word, (const char *)word.data, word.length) == 0)
            return words[i].state;
    *ret_strange = word.length > 0;
    return word.length == 0 ? STATE(UNSPECIFIED) : STATE(UNKNOWN);
}

/* message_state, section 5.2.28; 0 and 9 are of SMPP 5.0 (scheduled, skipped). */
static bool state_of_tlv(uint8_t value, Assent__V1__ReceiptState *ret_state)
{
    static const Assent__V1__ReceiptState states[] = {
        STATE(EN_ROUTE), STATE(EN_ROUTE),      STATE(DELIVERED), STATE(EXPIRED),
        STATE(DELETED),  STATE(UNDELIVERABLE), STATE(ACCEPTED),  STATE(UNKNOWN),
        STATE(REJECTED), STATE(UNDELIVERABLE)};
    if (value >= sizeof states / sizeof states[0])
        return false;
    *ret_state = states[value];
    return true;
}

enum field { FIELD_ID, FIELD_STAT, FIELD_ERR, FIELD_TEXT, FIELD_OTHER, FIELD_NONE };

static const struct {
    const char *name;
    enum field field;
} names[] = {
    {"id:", FIELD_ID},        {"stat:", FIELD_STAT},   {"status:", FIELD_STAT},
    {"err:", FIELD_ERR},      {"error:", FIELD_ERR},   {"text:", FIELD_TEXT},
    {"sub:", FIELD_OTHER},    {"dlvrd:", FIELD_OTHER}, {"date:", FIELD_OTHER},
    {"submit ", FIELD_OTHER}, {"done ", FIELD_OTHER},
};

/* The field whose name stands at `at`; *ret_length octets long. */
static enum field name_at(const uint8_t *at, const uint8_t *end, size_t *ret_length)
{
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        if (at == end || (*at | 0x20) != names[i].name[0])
            continue;
        size_t length = strlen(names[i].name);
        if ((size_t)(end - at) >= length &&
            strncasecmp(names[i].name, (const char *)at, length) == 0) {
            *ret_length = length;
            return names[i].field;
        }
    }
    *ret_length = 0;
    return FIELD_NONE;
}

static bool is_space(uint8_t octet)
{
    return octet <= ' ';
}

static const uint8_t *skip_spaces(const uint8_t *at, const uint8_t *end)
{
    while (at < end && is_space(*at))
        at++;
    return at;
}

static const uint8_t *skip_word(const uint8_t *at, const uint8_t *end)
{
    while (at < end && !is_space(*at))
        at++;
    return at;
}

/* The word after a field's name, possibly with spaces before it; empty when the next field begins
 * there. */
static struct span value_at(const uint8_t *at, const uint8_t *end)
{
    bool spaced = at < end && is_space(*at);
    size_t length;
    at = skip_spaces(at, end);
    if (spaced && name_at(at, end, &length) != FIELD_NONE)
        return span_of(at, 0);
    return span_of(at, (size_t)(skip_word(at, end) - at));
}

struct fields {
    struct span value[FIELD_TEXT]; /* id, stat, err; NULL data where not seen */
};

static struct fields scan(struct span text)
{
    struct fields fields = {0};
    if (text.length == 0)
        return fields;
    const uint8_t *at = text.data, *end = text.data + text.length;
    for (at = skip_spaces(at, end); at < end; at = skip_spaces(at, end)) {
        size_t name_length;
        enum field field = name_at(at, end, &name_length);
        if (field == FIELD_TEXT)
            break;
        if (field >= FIELD_TEXT) {
            at = skip_word(at, end);
            continue;
        }
        struct span value = value_at(at + name_length, end);
        if (fields.value[field].data == NULL)
            fields.value[field] = value;
        at = value.data + value.length;
    }
    return fields;
}

/* Printable ASCII alone, since it goes into records and reports as text; cut where it is too long. */
static void set_error_code(struct receipt *receipt, struct span code)
{
    size_t length = 0;
    for (size_t i = 0; i < code.length && length + 1 < sizeof receipt->error_code; i++)
        receipt->error_code[length++] =
            (char)(code.data[i] > ' ' && code.data[i] < 0x7f ? code.data[i] : '?');
    receipt->error_code[length] = '\0';
}

/* What the text says; true when it has an id. */
static bool read_text(struct span text, struct receipt *receipt)
{
    struct fields fields = scan(text);
    receipt->message_id = fields.value[FIELD_ID];
    receipt->state_text = fields.value[FIELD_STAT];
    receipt->state = state_of_word(receipt->state_text, &receipt->strange);
    set_error_code(receipt, fields.value[FIELD_ERR]);
    return receipt->message_id.length > 0;
}

bool receipt_parse_text(struct span text, struct receipt *ret_receipt)
{
    struct receipt receipt = {0};
    if (!read_text(text, &receipt))
        return false;
    *ret_receipt = receipt;
    return true;
}

static const struct tlv *find_tlv(const struct tlv_list *tlvs, uint16_t tag)
{
    for (uint16_t i = 0; i < tlvs->count; i++)
        if (tlvs->items[i].tag == tag && tlvs->items[i].value.length > 0)
            return &tlvs->items[i];
    return NULL;
}

/* A C-octet string; some carriers leave its NUL out. */
static struct span until_nul(struct span value)
{
    const void *nul = memchr(value.data, 0, value.length);
    return nul ? span_of(value.data, (size_t)((const uint8_t *)nul - value.data)) : value;
}

static bool all_digits(struct span value)
{
    for (size_t i = 0; i < value.length; i++)
        if (value.data[i] < '0' || value.data[i] > '9')
            return false;
    return true;
}

/* network_error_code is a type and two octets of code, or three digits where a carrier misread it. */
static void read_network_error(struct span value, struct receipt *receipt)
{
    if (value.length != 3)
        return;
    if (all_digits(value))
        set_error_code(receipt, value);
    else
        snprintf(receipt->error_code, sizeof receipt->error_code, "%u:%u", value.data[0],
                 (unsigned)value.data[1] << 8 | value.data[2]);
}

static void read_tlvs(const struct tlv_list *tlvs, struct receipt *receipt)
{
    const struct tlv *tlv = find_tlv(tlvs, TLV_RECEIPTED_MESSAGE_ID);
    if (tlv != NULL && until_nul(tlv->value).length > 0)
        receipt->message_id = until_nul(tlv->value);
    tlv = find_tlv(tlvs, TLV_MESSAGE_STATE);
    if (tlv != NULL)
        receipt->strange = !state_of_tlv(tlv->value.data[0], &receipt->state) && receipt->strange;
    tlv = find_tlv(tlvs, TLV_NETWORK_ERROR_CODE);
    if (tlv != NULL)
        read_network_error(tlv->value, receipt);
}

bool receipt_is(const struct sm_body *body)
{
    uint8_t type = body->esm_class & ESM_TYPE_MASK;
    if (type != 0)
        return type == ESM_TYPE_RECEIPT || type == ESM_TYPE_INTERMEDIATE;
    /* Both are asked for: some carriers put the id alone into a subscriber's answer, and a STOP that
     * is taken for a receipt is a STOP lost. */
    return find_tlv(&body->tlvs, TLV_RECEIPTED_MESSAGE_ID) != NULL &&
           find_tlv(&body->tlvs, TLV_MESSAGE_STATE) != NULL;
}

static struct span text_of(const struct sm_body *body)
{
    struct udh udh;
    if ((body->esm_class & ESM_UDHI) && udh_parse(body->text, &udh))
        return udh.text;
    return body->text;
}

/* The id stands first: no STOP can be taken for a receipt. */
bool receipt_is_by_text(const struct sm_body *body)
{
    struct receipt receipt;
    struct span text = text_of(body);
    if ((body->esm_class & ESM_TYPE_MASK) != 0 || text.length == 0)
        return false;
    const uint8_t *end = text.data + text.length;
    size_t name_length;
    return name_at(skip_spaces(text.data, end), end, &name_length) == FIELD_ID &&
           receipt_parse_text(text, &receipt) && receipt.state != STATE(UNSPECIFIED) &&
           !receipt.strange;
}

bool receipt_parse(const struct sm_body *body, struct receipt *ret_receipt)
{
    struct receipt receipt = {0};
    (void)read_text(text_of(body), &receipt);
    read_tlvs(&body->tlvs, &receipt);
    if (receipt.message_id.length == 0)
        return false;
    *ret_receipt = receipt;
    return true;
}
