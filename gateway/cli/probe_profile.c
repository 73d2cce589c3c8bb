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

static bool same_id(const char *submit_id, enum id_form submit_form, const char *receipt_id,
                    enum id_form receipt_form)
{
    char own[MESSAGE_ID_MAX], other[MESSAGE_ID_MAX];
    return span_equal(message_id_comparable(span_from_string(submit_id), submit_form, own),
                      message_id_comparable(span_from_string(receipt_id), receipt_form, other));
}

bool probe_id_forms(const struct carrier_config *carrier, const char *submit_id,
                    const char *receipt_id, enum id_form *ret_submit, enum id_form *ret_receipt)
{
    for (int changes = 0; changes <= 2; changes++)
        for (unsigned pair = 0; pair < ID_FORMS * ID_FORMS; pair++) {
            enum id_form submit = pair / ID_FORMS, receipt = pair % ID_FORMS;
            if ((submit != carrier->submit_id) + (receipt != carrier->receipt_id) != changes ||
                !same_id(submit_id, submit, receipt_id, receipt))
                continue;
            *ret_submit = submit;
            *ret_receipt = receipt;
            return true;
        }
    return false;
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

/* How many unanswered submit_sm keep the rate up at this round trip. */
static void print_window(const struct carrier_config *carrier, const struct probe_facts *facts,
                         FILE *out)
{
    uint64_t trip_us = facts->submit_us;
    fprintf(out, "    window: %u", carrier->window);
    if (trip_us > 0) {
        uint64_t wanted = (carrier->rate * trip_us + 999999) / 1000000;
        fprintf(out,
                "  # as configured; %u/s with an answer after %.1f ms keep %" PRIu64
                " under way, over all sessions",
                carrier->rate, (double)trip_us / 1000, wanted);
    }
    fprintf(out, "\n");
}

static void print_ids(const struct carrier_config *carrier, const struct probe_facts *facts,
                      FILE *out)
{
    enum id_form submit, receipt;
    const char *receipt_id = facts->receipts > 0 ? facts->receipt.id : facts->unmatched_id;
    if (probe_id_forms(carrier, facts->submit_id, receipt_id, &submit, &receipt)) {
        fprintf(out, "    submit_id: %s  # \"%s\"\n", id_form_name(submit), facts->submit_id);
        fprintf(out, "    receipt_id: %s  # \"%s\"\n", id_form_name(receipt), receipt_id);
        return;
    }
    fprintf(
        out,
        "    # no setting makes the submit_sm_resp's id \"%s\" and the receipt's \"%s\" the same\n",
        facts->submit_id, receipt_id);
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
    const char *name = status_name(facts->submit_status);
    if (facts->submit_us == 0)
        fprintf(out, "# submit_sm: no answer\n");
    else if (facts->submit_status != ESME_ROK)
        fprintf(out, "# submit_sm: refused with 0x%02x %s\n", (unsigned)facts->submit_status,
                name != NULL ? name : "(the carrier's own status)");
    else
        fprintf(out, "# submit_sm: taken in %.1f ms\n", (double)facts->submit_us / 1000);
}

static void print_rest(const struct probe_facts *facts, FILE *out)
{
    const struct probe_times *trip = &facts->enquire;
    print_submit(facts, out);
    if (trip->count > 0)
        fprintf(out, "# enquire_link: %.2f ms on average, %.2f to %.2f, %u answered\n",
                (double)trip->sum_us / trip->count / 1000, (double)trip->least_us / 1000,
                (double)trip->most_us / 1000, trip->count);
    if (facts->receipts > 1)
        fprintf(out, "# %u receipts came for the one text\n", facts->receipts);
    if (facts->strangers > 0)
        fprintf(
            out,
            "# %u deliveries that were not the probe's were refused as temporary: the carrier will "
            "bring them again\n",
            facts->strangers);
}

void probe_print(const struct carrier_config *carrier, const struct probe_facts *facts, FILE *out)
{
    bool taken = facts->submit_us > 0 && facts->submit_status == ESME_ROK;
    fprintf(out, "# keys for the entry of this carrier; what is not here stays as it is\n");
    fprintf(out, "carriers:\n  - name: %s\n", carrier->name);
    if (facts->bind.count > 0)
        print_bind(carrier, facts, out);
    print_window(carrier, facts, out);
    if (taken && facts->submit_id[0] == '\0')
        fprintf(out, "# the submit_sm_resp held no message id: no receipt can be matched\n");
    else if (taken && (facts->receipts > 0 || facts->unmatched > 0))
        print_ids(carrier, facts, out);
    else if (taken)
        fprintf(out, "# message id in the submit_sm_resp: \"%s\"\n", facts->submit_id);
    if (facts->receipts > 0)
        print_receipt(&facts->receipt, out);
    else if (taken)
        fprintf(out, "# no receipt came in time\n");
    print_rest(facts, out);
}
