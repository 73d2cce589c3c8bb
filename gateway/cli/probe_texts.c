/* SPDX-License-Identifier: Apache-2.0 */
/* What the answers and receipts of a probe's texts say, taken together. Pure. */
#include <string.h>

#include "gateway/cli/probe.h"
#include "smpp/status.h"

/* The texts ----------------------------------------------------------------------------------- */

static bool is_taken(const struct probe_text *text)
{
    return text->answered_us > 0 && text->status == ESME_ROK;
}

const struct probe_text *probe_first_answer(const struct probe_facts *facts)
{
    for (unsigned i = 0; i < facts->sent; i++)
        if (facts->texts[i].answered_us > 0)
            return &facts->texts[i];
    return NULL;
}

/* The window ---------------------------------------------------------------------------------- */

/* ESME_RTHROTTLED is not among them: it is about the rate, at most carriers. */
static bool may_be_window(uint32_t status)
{
    return status == ESME_RMSGQFUL || status == ESME_RSUBMITFAIL;
}

struct probe_window probe_window_find(const struct probe_facts *facts)
{
    struct probe_window window = {WINDOW_AT_LEAST, 0, 0, ESME_ROK};
    unsigned i = 0;
    for (; i < facts->sent && is_taken(&facts->texts[i]); i++)
        if (facts->texts[i].depth > window.taken)
            window.taken = facts->texts[i].depth;
    if (i == facts->sent)
        return window;
    window.depth = facts->texts[i].depth;
    window.status = facts->texts[i].status;
    if (facts->texts[i].answered_us == 0)
        window.finding = WINDOW_SILENT;
    else if (may_be_window(window.status) && window.taken > 0 && window.depth > window.taken)
        window.finding = WINDOW_FOUND;
    else
        window.finding = WINDOW_REFUSED;
    return window;
}

/* The ids ------------------------------------------------------------------------------------- */

static bool same_id(const char *submit_id, enum id_form submit_form, const char *receipt_id,
                    enum id_form receipt_form)
{
    char own[MESSAGE_ID_MAX], other[MESSAGE_ID_MAX];
    return span_equal(message_id_comparable(span_from_string(submit_id), submit_form, own),
                      message_id_comparable(span_from_string(receipt_id), receipt_form, other));
}

#define PAIRS (ID_FORMS * ID_FORMS)

/* The pairs of forms, those first that change least of the carrier's settings. */
static void order_pairs(const struct carrier_config *carrier, unsigned pairs[PAIRS])
{
    unsigned count = 0;
    for (int changes = 0; changes <= 2; changes++)
        for (unsigned pair = 0; pair < PAIRS; pair++)
            if ((pair / ID_FORMS != carrier->submit_id) +
                    (pair % ID_FORMS != carrier->receipt_id) ==
                changes)
                pairs[count++] = pair;
}

bool probe_id_forms(const struct carrier_config *carrier, const char *submit_id,
                    const char *receipt_id, enum id_form *ret_submit, enum id_form *ret_receipt)
{
    unsigned pairs[PAIRS];
    order_pairs(carrier, pairs);
    for (unsigned i = 0; i < PAIRS; i++) {
        enum id_form submit = pairs[i] / ID_FORMS, receipt = pairs[i] % ID_FORMS;
        if (!same_id(submit_id, submit, receipt_id, receipt))
            continue;
        *ret_submit = submit;
        *ret_receipt = receipt;
        return true;
    }
    return false;
}

static struct probe_text *find_text(struct probe_facts *facts, unsigned pair,
                                    const char *receipt_id)
{
    for (unsigned i = 0; i < facts->sent; i++) {
        struct probe_text *text = &facts->texts[i];
        if (is_taken(text) && same_id(text->id, pair / ID_FORMS, receipt_id, pair % ID_FORMS))
            return text;
    }
    return NULL;
}

struct probe_text *probe_text_of(struct probe_facts *facts, const struct carrier_config *carrier,
                                 const char *receipt_id)
{
    unsigned pairs[PAIRS];
    struct probe_text *text = NULL;
    order_pairs(carrier, pairs);
    for (unsigned i = 0; i < PAIRS && text == NULL; i++)
        text = find_text(facts, pairs[i], receipt_id);
    return text;
}

static unsigned count_matches(struct probe_facts *facts, unsigned pair)
{
    unsigned matches = 0;
    for (unsigned i = 0; i < facts->receipts && i < PROBE_TEXTS_MAX; i++)
        matches += find_text(facts, pair, facts->receipt_ids[i]) != NULL;
    return matches;
}

bool probe_forms_of_all(const struct carrier_config *carrier, struct probe_facts *facts,
                        enum id_form *ret_submit, enum id_form *ret_receipt)
{
    unsigned pairs[PAIRS], most = 0;
    order_pairs(carrier, pairs);
    for (unsigned i = 0; i < PAIRS; i++) {
        unsigned matches = count_matches(facts, pairs[i]);
        if (matches <= most)
            continue;
        most = matches;
        *ret_submit = pairs[i] / ID_FORMS;
        *ret_receipt = pairs[i] % ID_FORMS;
    }
    return most > 0;
}
