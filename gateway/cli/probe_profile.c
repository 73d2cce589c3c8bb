/* SPDX-License-Identifier: Apache-2.0 */
#include <inttypes.h>
#include <string.h>

#include "gateway/cli/probe.h"
#include "smpp/decode.h"
#include "smpp/receipt.h"
#include "smpp/status.h"

void probe_times_add(struct probe_times *times, uint64_t us)
{
    if (times->count == 0 || us < times->least_us)
        times->least_us = us;
    if (us > times->most_us)
        times->most_us = us;
    times->sum_us += us;
    times->count++;
}

void probe_copy_text(char *out, size_t size, struct span text)
{
    size_t length = text.length < size - 1 ? text.length : size - 1;
    for (size_t i = 0; i < length; i++) {
        bool plain = text.data[i] > ' ' && text.data[i] < 0x7f && text.data[i] != '"' &&
                     text.data[i] != '\\';
        out[i] = plain ? (char)text.data[i] : '?';
    }
    out[length] = '\0';
}

bool probe_receipt_read(const struct sm_body *body, struct probe_receipt *ret_receipt)
{
    struct receipt receipt;
    bool marked = receipt_is(body);
    if ((!marked && !receipt_is_by_text(body)) || !receipt_parse(body, &receipt))
        return false;
    struct probe_receipt seen = {.esm_class = body->esm_class,
                                 .data_coding = body->data_coding,
                                 .marked = marked,
                                 .id_tlv = tlv_find(&body->tlvs, TLV_RECEIPTED_MESSAGE_ID) != NULL,
                                 .state_tlv = tlv_find(&body->tlvs, TLV_MESSAGE_STATE) != NULL,
                                 .error_tlv = tlv_find(&body->tlvs, TLV_NETWORK_ERROR_CODE) != NULL,
                                 .in_payload = tlv_find(&body->tlvs, TLV_MESSAGE_PAYLOAD) != NULL};
    probe_copy_text(seen.id, sizeof seen.id, receipt.message_id);
    probe_copy_text(seen.state, sizeof seen.state, receipt.state_text);
    if (seen.state[0] == '\0')
        snprintf(seen.state, sizeof seen.state, "%s", seen.state_tlv ? "by TLV" : "none");
    *ret_receipt = seen;
    return true;
}

/* The profile --------------------------------------------------------------------------------- */

static void print_bind(const struct carrier_config *carrier, const struct probe_facts *facts,
                       FILE *out)
{
    fprintf(out, "    bind: %s  # answered in %.1f ms by \"%s\"",
            carrier->bind == BIND_TRANSCEIVER ? "transceiver" : "transmitter_receiver",
            (double)facts->bind.most_us / 1000, facts->server);
    if (facts->interface_version >= 0)
        fprintf(out, ", interface_version 0x%02x\n", (unsigned)facts->interface_version);
    else
        fprintf(out, ", interface_version not told\n");
    if (facts->tls_version != NULL)
        fprintf(out, "# the connection: %s, certificate verified\n", facts->tls_version);
}

static void print_status(uint32_t status, FILE *out)
{
    const char *name = status_name(status);
    fprintf(out, "0x%02x %s", (unsigned)status, name != NULL ? name : "(the carrier's own status)");
}

/* How many unanswered submit_sm keep the rate up at this round trip. */
static void print_wanted(const struct carrier_config *carrier, const struct probe_text *answered,
                         FILE *out)
{
    uint64_t trip_us = answered->answered_us - answered->sent_us;
    uint64_t wanted = (carrier->rate * trip_us + 999999) / 1000000;
    fprintf(out,
            "; %u/s with an answer after %.1f ms keep %" PRIu64 " under way, over all sessions",
            carrier->rate, (double)trip_us / 1000, wanted);
}

static void print_finding(const struct probe_window *window, FILE *out)
{
    if (window->finding == WINDOW_FOUND)
        fprintf(out, "# window: %u (refused at %u unanswered with ", window->taken, window->depth);
    else
        fprintf(out, "# window: takes at least %u", window->taken);
    switch (window->finding) {
    case WINDOW_AT_LEAST:
        break;
    case WINDOW_FOUND:
        print_status(window->status, out);
        fprintf(out, ")");
        break;
    case WINDOW_REFUSED:
        fprintf(out, " (refused at %u unanswered with ", window->depth);
        print_status(window->status, out);
        fprintf(out, window->status == ESME_RTHROTTLED ? ": that is the rate, at most carriers)"
                                                       : ", which need not be about the window)");
        break;
    case WINDOW_SILENT:
        fprintf(out, " (not answered at %u unanswered)", window->depth);
        break;
    }
    fprintf(out, "\n");
}

/* By the clock of sending: n texts have n - 1 gaps. */
static void print_rate(const struct carrier_config *carrier, const struct probe_facts *facts,
                       FILE *out)
{
    uint64_t took_us = facts->texts[facts->sent - 1].sent_us - facts->texts[0].sent_us;
    fprintf(out, "# rate: %u texts left", facts->sent);
    if (took_us > 0)
        fprintf(out, " in %.1f ms, %.1f/s", (double)took_us / 1000,
                (double)(facts->sent - 1) * 1e6 / (double)took_us);
    fprintf(out, "; %u were taken; configured are %u/s\n", facts->taken, carrier->rate);
}

static void print_window(const struct carrier_config *carrier, const struct probe_facts *facts,
                         FILE *out)
{
    struct probe_window window = probe_window_find(facts);
    const struct probe_text *answered = probe_first_answer(facts);
    bool found = window.finding == WINDOW_FOUND;
    fprintf(out, "    window: %u  # %s", found ? window.taken : carrier->window,
            found ? "as found" : "as configured");
    if (answered != NULL)
        print_wanted(carrier, answered, out);
    fprintf(out, "\n");
    if (facts->sent < 2)
        return;
    print_finding(&window, out);
    print_rate(carrier, facts, out);
}

/* An id of a text, for a person to compare. */
static const char *some_id(const struct probe_facts *facts)
{
    for (unsigned i = 0; i < facts->sent; i++)
        if (facts->texts[i].answered_us > 0 && facts->texts[i].status == ESME_ROK)
            return facts->texts[i].id;
    return "";
}

static void print_ids(const struct carrier_config *carrier, struct probe_facts *facts, FILE *out)
{
    enum id_form submit, receipt;
    if (probe_forms_of_all(carrier, facts, &submit, &receipt)) {
        fprintf(out, "    submit_id: %s  # \"%s\"\n", id_form_name(submit), some_id(facts));
        fprintf(out, "    receipt_id: %s  # \"%s\"\n", id_form_name(receipt), facts->receipt.id);
        return;
    }
    fprintf(
        out,
        "    # no setting makes the submit_sm_resp's id \"%s\" and the receipt's \"%s\" the same\n",
        some_id(facts), facts->unmatched_id);
}

static void print_receipt(const struct probe_receipt *receipt, FILE *out)
{
    fprintf(out, "    receipts_by_text: %s  # ", receipt->marked ? "no" : "yes");
    fprintf(out, "%s with esm_class 0x%02x", receipt->in_data_sm ? "data_sm" : "deliver_sm",
            receipt->esm_class);
    if (receipt->in_payload)
        fprintf(out, ", text in message_payload");
    fprintf(out,
            receipt->id_tlv || receipt->state_tlv || receipt->error_tlv ? ", TLVs" : ", no TLVs");
    fprintf(out, "%s%s%s\n", receipt->id_tlv ? " receipted_message_id" : "",
            receipt->state_tlv ? " message_state" : "",
            receipt->error_tlv ? " network_error_code" : "");
    fprintf(out, "# receipt: %s after %.1f ms%s, data_coding 0x%02x\n", receipt->state,
            (double)receipt->after_us / 1000,
            receipt->is_early ? ", before the submit_sm_resp" : "", receipt->data_coding);
}

static void print_submit(const struct probe_facts *facts, FILE *out)
{
    const struct probe_text *answered = probe_first_answer(facts);
    if (answered == NULL) {
        fprintf(out, "# submit_sm: no answer\n");
    } else if (answered->status != ESME_ROK) {
        fprintf(out, "# submit_sm: refused with ");
        print_status(answered->status, out);
        fprintf(out, "\n");
    } else {
        fprintf(out, "# submit_sm: taken in %.1f ms\n",
                (double)(answered->answered_us - answered->sent_us) / 1000);
    }
}

static void print_rest(const struct probe_facts *facts, FILE *out)
{
    const struct probe_times *trip = &facts->enquire;
    print_submit(facts, out);
    if (trip->count > 0)
        fprintf(out, "# enquire_link: %.2f ms on average, %.2f to %.2f, %u answered\n",
                (double)trip->sum_us / trip->count / 1000, (double)trip->least_us / 1000,
                (double)trip->most_us / 1000, trip->count);
    if (facts->sent > 1 || facts->receipts > 1)
        fprintf(out, "# receipts: %u for %u taken\n", facts->receipts, facts->taken);
    if (facts->strangers > 0)
        fprintf(
            out,
            "# %u deliveries that were not the probe's were refused as temporary: the carrier will "
            "bring them again\n",
            facts->strangers);
}

void probe_print(const struct carrier_config *carrier, struct probe_facts *facts, FILE *out)
{
    const char *id = some_id(facts);
    fprintf(out, "# keys for the entry of this carrier; what is not here stays as it is\n");
    fprintf(out, "carriers:\n  - name: %s\n", carrier->name);
    if (facts->bind.count > 0)
        print_bind(carrier, facts, out);
    print_window(carrier, facts, out);
    if (facts->taken > 0 && id[0] == '\0')
        fprintf(out, "# the submit_sm_resp held no message id: no receipt can be matched\n");
    else if (facts->taken > 0 && (facts->receipts > 0 || facts->unmatched > 0))
        print_ids(carrier, facts, out);
    else if (facts->taken > 0)
        fprintf(out, "# message id in the submit_sm_resp: \"%s\"\n", id);
    if (facts->receipts > 0)
        print_receipt(&facts->receipt, out);
    else if (facts->taken > 0)
        fprintf(out, "# no receipt came in time\n");
    print_rest(facts, out);
}
