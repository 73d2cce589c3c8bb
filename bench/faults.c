/* SPDX-License-Identifier: Apache-2.0 */
#include "bench/faults.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "proto/base/clock.h"

#define PERCENT 10000u /* in parts per million */
#define ALWAYS  (100 * PERCENT)

const struct fault_row fault_rows[FAULTS] = {
    [FAULT_EARLY_RECEIPT] = {"early-receipt", VALUE_NONE, 0, 5 * PERCENT,
                             "a receipt comes before the submit_sm_resp",
                             "receipt before submit_sm_resp"},
    [FAULT_LATE_RECEIPT] = {"late-receipt", VALUE_TIME, 5 * US_PER_S, 10 * PERCENT,
                            "a receipt comes TIME later than it would", "late receipts"},
    [FAULT_DOUBLE_RECEIPT] = {"double-receipt", VALUE_NONE, 0, 10 * PERCENT,
                              "a receipt comes twice", "receipts twice"},
    [FAULT_CONTRADICTORY_RECEIPT] = {"contradictory-receipt", VALUE_NONE, 0, 10 * PERCENT,
                                     "behind a receipt comes one that says the contrary",
                                     "contradictory receipts"},
    [FAULT_INTERMEDIATE_RECEIPT] = {"intermediate-receipt", VALUE_NONE, 0, 50 * PERCENT,
                                    "before a receipt come ENROUTE, ACCEPTD or BUFFRED",
                                    "intermediate receipts"},
    [FAULT_UNKNOWN_RECEIPT] = {"unknown-receipt", VALUE_NONE, 0, 10 * PERCENT,
                               "beside a receipt comes one for an id that nobody was given",
                               "receipts never asked for, unknown ids"},
    [FAULT_RECEIPT_OTHER_SESSION] = {"receipt-other-session", VALUE_NONE, 0, 0,
                                     "receipts come on another session than the submit_sm went",
                                     "receipt on another session than the submit"},
    [FAULT_RECEIPT_LAST_PART] = {"receipt-last-part", VALUE_NONE, 0, 0,
                                 "of a long text the last part alone gets a receipt",
                                 "long messages: only one part's receipt given"},
    [FAULT_RECEIPT_FLOOD] = {"receipt-flood", VALUE_COUNT, 1000, 0,
                             "N receipts for unknown ids come at once with the first submit_sm",
                             "the receipt flood starves submits, or the reverse"},

    [FAULT_RECEIPT_IN_DATA_SM] = {"receipt-in-data-sm", VALUE_NONE, 0, ALWAYS,
                                  "receipts come in data_sm", "receipts in data_sm"},
    [FAULT_RECEIPT_PAYLOAD] = {"receipt-payload", VALUE_NONE, 0, ALWAYS,
                               "the text of receipts comes in message_payload",
                               "receipts with the text in message_payload"},
    [FAULT_RECEIPT_TEXT_ONLY] = {"receipt-text-only", VALUE_NONE, 0, ALWAYS,
                                 "receipts have no TLVs", "receipt text"},
    [FAULT_RECEIPT_TLV_ONLY] = {"receipt-tlv-only", VALUE_NONE, 0, ALWAYS,
                                "receipts have no text, the TLVs alone",
                                "receipted_message_id and message_state TLVs"},
    [FAULT_RECEIPT_TLV_ERROR] = {"receipt-tlv-error", VALUE_NONE, 0, ALWAYS,
                                 "network_error_code of 3 binary octets",
                                 "network_error_code with 3 binary octets"},
    [FAULT_RECEIPT_TLV_ASCII_ERROR] = {"receipt-tlv-ascii-error", VALUE_NONE, 0, ALWAYS,
                                       "network_error_code of 3 ASCII digits",
                                       "network_error_code with 3 ASCII digits"},
    [FAULT_RECEIPT_TEXT_VARIANTS] = {"receipt-text-variants", VALUE_NONE, 0, ALWAYS,
                                     "receipt texts (without TLVs) with fields in other orders and "
                                     "spellings, or missing",
                                     "receipt text variants"},

    [FAULT_RECEIPT_IDS_HEX] = {"receipt-ids-hex", VALUE_NONE, 0, 0,
                               "ids are decimal in the answer and hexadecimal in the receipt",
                               "message id decimal in the response and hex in the receipt"},
    [FAULT_RECEIPT_IDS_DEC] = {"receipt-ids-dec", VALUE_NONE, 0, 0,
                               "ids are hexadecimal in the answer and decimal in the receipt",
                               "message id hex in the response and decimal in the receipt"},
    [FAULT_RECEIPT_IDS_LEADING_ZEROS] = {"receipt-ids-leading-zeros", VALUE_NONE, 0, 0,
                                         "ids have 20 digits in the receipt, with zeros in front",
                                         "leading zeros"},
    [FAULT_IDS_UUID] = {"ids-uuid", VALUE_NONE, 0, 0, "ids are UUIDs", "UUIDs"},
    [FAULT_IDS_LONG] = {"ids-long", VALUE_NONE, 0, 0, "ids have 64 octets", "up to 64 characters"},
    [FAULT_DUPLICATE_ID] = {"duplicate-id", VALUE_NONE, 0, 5 * PERCENT,
                            "a message gets the id of the one before it",
                            "one carrier gives an id twice under load"},
    [FAULT_NO_ID] = {"no-id", VALUE_NONE, 0, 10 * PERCENT,
                     "success with an empty id, and no receipt follows",
                     "submit_sm_resp: success without id"},

    [FAULT_HEADER_ONLY_RESP] = {"header-only-resp", VALUE_NONE, 0, 10 * PERCENT,
                                "success without a body, and no receipt follows",
                                "submit_sm_resp: success without body"},
    [FAULT_ERROR_WITHOUT_BODY] = {"error-without-body", VALUE_NONE, 0, 10 * PERCENT,
                                  "ESME_RSYSERR without a body",
                                  "submit_sm_resp: error without body"},
    [FAULT_ERROR_WITH_BODY] = {"error-with-body", VALUE_NONE, 0, 10 * PERCENT,
                               "ESME_RSYSERR with a message id", "submit_sm_resp: error with body"},
    [FAULT_STATUS] = {"status", VALUE_STATUS, 0x08, 10 * PERCENT, "refuses with STATUS",
                      "a table from command_status to what is done"},
    [FAULT_VENDOR_STATUS] = {"vendor-status", VALUE_STATUS, 0x401, 10 * PERCENT,
                             "refuses with a STATUS of its own",
                             "vendor statuses 0x400-0x4FF and beyond"},
    [FAULT_QUEUE_FULL] = {"queue-full", VALUE_NONE, 0, 5 * PERCENT, "refuses with ESME_RMSGQFUL",
                          "ESME_RMSGQFUL 0x14"},
    [FAULT_REFUSE_UDH] = {"refuse-udh", VALUE_NONE, 0, 0,
                          "ESME_RSUBMITFAIL for parts with a user data header",
                          "concatenation: SAR demanded by some"},
    [FAULT_REFUSE_SAR] = {"refuse-sar", VALUE_NONE, 0, 0, "ESME_RSUBMITFAIL for SAR parameters",
                          "concatenation: SAR refused by some"},
    [FAULT_REFUSE_PAYLOAD] = {"refuse-payload", VALUE_NONE, 0, 0,
                              "ESME_RSUBMITFAIL for message_payload",
                              "message_payload: not taken by some"},
    [FAULT_THROTTLE] = {"throttle", VALUE_COUNT, 50, 0,
                        "ESME_RTHROTTLED above N in a second, which it has told nobody",
                        "ESME_RTHROTTLED 0x58"},
    [FAULT_WINDOW] = {"window", VALUE_COUNT, 1, 0, "ESME_RMSGQFUL above N unanswered in a session",
                      "window over what the carrier grants"},
    [FAULT_NACK] = {"nack", VALUE_NONE, 0, 5 * PERCENT, "answers with generic_nack",
                    "generic_nack with our sequence number"},
    [FAULT_NACK_ZERO] = {"nack-zero", VALUE_NONE, 0, 5 * PERCENT,
                         "answers with a generic_nack of sequence number 0",
                         "generic_nack with sequence number 0"},
    [FAULT_NO_ANSWER] = {"no-answer", VALUE_NONE, 0, 5 * PERCENT, "takes it and does not answer",
                         "response never comes"},
    [FAULT_LATE_ANSWER] = {"late-answer", VALUE_TIME, 15 * US_PER_S, 10 * PERCENT,
                           "answers TIME later than it would", "a late response still resolves it"},
    [FAULT_DOUBLE_ANSWER] = {"double-answer", VALUE_NONE, 0, 10 * PERCENT, "answers twice",
                             "a response to nothing"},

    [FAULT_ALPHABET_LATIN1] = {"alphabet-latin1", VALUE_NONE, 0, 0,
                               "data_coding 0 means Latin-1, in what it takes and delivers",
                               "data_coding 0 means GSM 7-bit, Latin-1 or ASCII"},
    [FAULT_ALPHABET_ASCII] = {"alphabet-ascii", VALUE_NONE, 0, 0,
                              "data_coding 0 means ASCII, in what it takes and delivers",
                              "data_coding 0 means GSM 7-bit, Latin-1 or ASCII"},
    [FAULT_BAD_PASSWORD] = {"bad-password", VALUE_COUNT, 3, 0,
                            "refuses the first N binds with ESME_RINVPASWD", "bad password"},
    [FAULT_RALYBND] = {"ralybnd", VALUE_TIME, 30 * US_PER_S, 0,
                       "after a session ended without unbind, ESME_RALYBND for TIME",
                       "ESME_RALYBND 0x05 after a drop"},
    [FAULT_WRONG_BIND_RESP] = {"wrong-bind-resp", VALUE_NONE, 0, 0,
                               "bind_resp with another bind's command_id",
                               "bind response with the wrong command id"},
    [FAULT_BIND_RESP_HEADER_ONLY] = {"bind-resp-header-only", VALUE_NONE, 0, 0,
                                     "bind_resp without a body", "bind response header only"},
    [FAULT_BIND_WITH_DELIVER] = {"bind-with-deliver", VALUE_NONE, 0, 0,
                                 "bind_resp and a deliver_sm in one write",
                                 "bind response followed at once by deliver_sm"},
    [FAULT_ENQUIRE_BEFORE_BIND] = {"enquire-before-bind", VALUE_NONE, 0, 0,
                                   "enquire_link before the bind is answered",
                                   "enquire_link before bind"},
    [FAULT_OUTBIND] = {"outbind", VALUE_NONE, 0, 0, "outbind as soon as it is connected",
                       "commands that are not expected"},

    [FAULT_ALERT_NOTIFICATION] = {"alert-notification", VALUE_COUNT, 10, 0,
                                  "alert_notification at each N-th submit_sm",
                                  "commands that have no response"},
    [FAULT_UNKNOWN_COMMAND] = {"unknown-command", VALUE_COUNT, 10, 0,
                               "a command that does not exist at each N-th submit_sm",
                               "unknown command"},
    [FAULT_BAD_LENGTH] = {"bad-length", VALUE_COUNT, 100, 0,
                          "a command_length of 7, then of 4 GB, at each N-th submit_sm",
                          "bad length"},
    [FAULT_HIGH_SEQUENCE] = {"high-sequence", VALUE_NONE, 0, 0,
                             "its requests have sequence numbers above 0x7FFFFFFF",
                             "sequence numbers above 0x7FFFFFFF from a peer"},
    [FAULT_SEQUENCE_ZERO] = {"sequence-zero", VALUE_NONE, 0, 0,
                             "its deliver_sm have sequence number 0, one at a time",
                             "sequence number 0 from a peer"},

    [FAULT_SPLIT_LENGTH] = {"split-length", VALUE_NONE, 0, 0,
                            "each PDU's length word comes in two reads",
                            "length word split over reads"},
    [FAULT_DRIP] = {"drip", VALUE_NONE, 0, 0, "everything comes octet by octet",
                    "test every parser one octet at a time"},
    [FAULT_MANY_IN_ONE] = {"many-in-one", VALUE_TIME, 50 * US_PER_MS, 0,
                           "what gathers in TIME comes in one write", "many PDUs in one read"},
    [FAULT_SLOW_READER] = {"slow-reader", VALUE_TIME, 50 * US_PER_MS, 0, "reads once in TIME",
                           "a peer that reads slowly"},

    [FAULT_UNBIND_IN_FLIGHT] = {"unbind-in-flight", VALUE_COUNT, 100, 0,
                                "unbind at each N-th submit_sm, which is not answered",
                                "unbind by the carrier, with requests in flight"},
    [FAULT_DROP_CONNECTION] = {"drop-connection", VALUE_COUNT, 100, 0,
                               "closes without unbind at each N-th submit_sm",
                               "closing without unbind"},
    [FAULT_HALF_OPEN] = {"half-open", VALUE_COUNT, 100, 0,
                         "at each N-th submit_sm reads and says nothing more, and keeps the socket",
                         "no answer in 10 s means a dead link"},
    [FAULT_ENQUIRE_SILENCE] = {"enquire-silence", VALUE_NONE, 0, 0, "never answers an enquire_link",
                               "enquire_link without an answer means a dead link"},

    [FAULT_MO_PARTS] = {"mo-parts", VALUE_NONE, 0, ALWAYS,
                        "replies come in parts in any order: UDH of 8 or 16 bits, SAR",
                        "concatenation: parts in any order"},
    [FAULT_MO_PAYLOAD] = {"mo-payload", VALUE_NONE, 0, ALWAYS, "replies come in message_payload",
                          "message_payload"},
    [FAULT_MO_255_OCTETS] = {"mo-255-octets", VALUE_NONE, 0, ALWAYS,
                             "replies are padded to a short_message of 255 octets",
                             "short_message of 255 octets from some peers"},
    [FAULT_MO_WITH_PLUS] = {"mo-with-plus", VALUE_NONE, 0, ALWAYS,
                            "the subscriber's number has a + in front",
                            "international 1/1 with or without +"},
    [FAULT_MO_WITH_00] = {"mo-with-00", VALUE_NONE, 0, ALWAYS,
                          "the subscriber's number has 00 in front",
                          "TON/NPI habits: international with 00"},
    [FAULT_MO_NATIONAL] =
        {"mo-national", VALUE_COUNT, 1, ALWAYS,
         "the subscriber's number is national, without the N digits of its country",
         "TON/NPI habits: national numbers"},
    [FAULT_MO_REDELIVERY] = {"mo-redelivery", VALUE_NONE, 0, 50 * PERCENT,
                             "a reply that was answered is delivered once more",
                             "a carrier sends an MO again"},
    [FAULT_FAKE_RECEIPT_TEXT] = {"fake-receipt-text", VALUE_NONE, 0, 10 * PERCENT,
                                 "a subscriber types a receipt for the text that came",
                                 "a subscriber types `id:1 stat:DELIVRD`"},
};

static const struct fault_row *find(const char *name, size_t length)
{
    for (int i = 0; i < FAULTS; i++)
        if (strlen(fault_rows[i].name) == length && memcmp(fault_rows[i].name, name, length) == 0)
            return &fault_rows[i];
    return NULL;
}

static bool parse_share(const char *text, size_t length, uint32_t *ret_ppm)
{
    char *end;
    double value = strtod(text, &end);
    if (*text < '0' || *text > '9' || end != text + length - 1 || value > 100)
        return false;
    *ret_ppm = (uint32_t)(value * PERCENT + 0.5);
    return true;
}

static bool parse_value(enum fault_value kind, const char *text, size_t length, uint64_t *ret_value)
{
    static const struct {
        enum fault_value kind;
        const char *unit;
        uint64_t factor;
    } units[] = {{VALUE_TIME, "us", 1},       {VALUE_TIME, "ms", US_PER_MS},
                 {VALUE_TIME, "s", US_PER_S}, {VALUE_TIME, "m", 60 * US_PER_S},
                 {VALUE_COUNT, "", 1},        {VALUE_COUNT, "/s", 1},
                 {VALUE_STATUS, "", 1}};
    char *end;
    if (*text < '0' || *text > '9')
        return false;
    uint64_t number = strtoull(text, &end, kind == VALUE_STATUS ? 0 : 10);
    size_t rest = length - (size_t)(end - text);
    for (size_t i = 0; i < sizeof units / sizeof units[0]; i++)
        if (units[i].kind == kind && strlen(units[i].unit) == rest &&
            memcmp(end, units[i].unit, rest) == 0 && number > 0 && number <= UINT32_MAX) {
            *ret_value = number * units[i].factor;
            return true;
        }
    return false;
}

bool faults_parse(struct faults *faults, const char *text, const char **ret_why)
{
    size_t length = strcspn(text, ":");
    const struct fault_row *row = find(text, length);
    if (row == NULL) {
        *ret_why = "there is no such fault; --list-faults has their names";
        return false;
    }
    uint64_t value = row->fallback;
    uint32_t share_ppm = row->share_ppm;
    bool had_value = false, had_share = false;
    for (text += length; *text == ':'; text += length) {
        length = strcspn(++text, ":");
        bool is_share = length > 0 && text[length - 1] == '%';
        bool ok = is_share
                      ? row->share_ppm > 0 && !had_share && parse_share(text, length, &share_ppm)
                      : row->value != VALUE_NONE && !had_value &&
                            parse_value(row->value, text, length, &value);
        had_share |= is_share;
        had_value |= !is_share;
        if (!ok) {
            *ret_why = "this fault takes no such value; --list-faults has an example";
            return false;
        }
    }
    enum fault fault = (enum fault)(row - fault_rows);
    faults->any = faults->on[fault] = true;
    faults->value[fault] = value;
    faults->share_ppm[fault] = share_ppm;
    return true;
}

bool fault_strikes(struct faults *faults, enum fault fault)
{
    if (!faults->on[fault])
        return false;
    if (fault_rows[fault].share_ppm > 0 && !rng_chance(&faults->rng, faults->share_ppm[fault]))
        return false;
    faults->struck[fault]++;
    return true;
}

bool fault_strikes_at(struct faults *faults, enum fault fault, uint64_t count)
{
    return faults->on[fault] && count % faults->value[fault] == 0 && fault_strikes(faults, fault);
}

/* "late-receipt:5s:10%" with the defaults. */
static void write_example(const struct fault_row *row, char *out, size_t size)
{
    char value[32] = "", share[16] = "";
    switch (row->value) {
    case VALUE_NONE:
        break;
    case VALUE_TIME:
        if (row->fallback % US_PER_S == 0)
            snprintf(value, sizeof value, ":%" PRIu64 "s", (uint64_t)(row->fallback / US_PER_S));
        else
            snprintf(value, sizeof value, ":%" PRIu64 "ms", (uint64_t)(row->fallback / US_PER_MS));
        break;
    case VALUE_COUNT:
        snprintf(value, sizeof value, ":%" PRIu64, row->fallback);
        break;
    case VALUE_STATUS:
        snprintf(value, sizeof value, ":0x%03" PRIx64, row->fallback);
        break;
    }
    if (row->share_ppm > 0)
        snprintf(share, sizeof share, ":%u%%", row->share_ppm / PERCENT);
    snprintf(out, size, "%s%s%s", row->name, value, share);
}

void faults_print_help(FILE *file)
{
    char example[64];
    fprintf(file,
            "\nFaults for --fault, with what they are played with when nothing else is said:\n");
    for (int i = 0; i < FAULTS; i++) {
        write_example(&fault_rows[i], example, sizeof example);
        fprintf(file, "  %-30s %s\n", example, fault_rows[i].what);
    }
}

void faults_print_list(FILE *file)
{
    char example[64];
    for (int i = 0; i < FAULTS; i++) {
        write_example(&fault_rows[i], example, sizeof example);
        fprintf(file, "%s\t%s\t%s\t%s\n", fault_rows[i].name, example, fault_rows[i].what,
                fault_rows[i].about);
    }
}
