/* SPDX-License-Identifier: Apache-2.0 */
/* What `assentd -t` prints: the configuration in sentences, as the gateway understood it. */
#include <inttypes.h>
#include <string.h>

#include "gateway/complaint.h"
#include "gateway/config.h"
#include "consent/reply.h"
#include "gateway/config_text.h"
#include "gateway/metrics.h"
#include "proto/base/clock.h"
#include "smpp/pdu.h"
#include "gateway/route.h"

#define MIB    (1u << 20)
#define DAY_MS (24ull * 3600 * 1000)

static const char *shown(uint64_t ms, char out[32])
{
    config_duration_text(ms, out, 32);
    return out;
}

static void print_listeners(const struct config *config, FILE *out)
{
    bool any_key = false, any_tcp = false, any_plain = false;
    fprintf(out, "Submitters connect to:\n");
    for (unsigned i = 0; i < config->listener_count; i++) {
        const char *address = config->listeners[i].address;
        bool tcp = strncmp(address, "tcp://", 6) == 0, tls = config_is_tls(address);
        any_tcp = any_tcp || tcp || tls;
        any_plain = any_plain || tcp;
        fprintf(out, "  %s (%s)\n", address,
                tcp || tls ? "key" : "key, or the user id of the peer");
        if (tls)
            fprintf(
                out, "    TLS 1.2 or 1.3, certificate %s, %s\n", config->listeners[i].tls.cert_file,
                config->listeners[i].tls.ca_file[0] ? "and only with a certificate of the client"
                                                    : "no certificate of the client is asked for");
    }
    for (unsigned i = 0; i < config->client_count; i++)
        any_key = any_key || config->clients[i].has_key || config->clients[i].certificate[0];
    if (any_tcp && !any_key)
        fprintf(out, "  note: no client has a key, so nobody can use the TCP addresses\n");
    if (any_plain)
        fprintf(out, "  note: TCP is not encrypted here; keep it inside the machine or a tunnel\n");
    if (config->http_address[0] != '\0')
        fprintf(out, "Metrics and health: http at %s\n", config->http_address);
    else
        fprintf(out, "Metrics and health: off (no `http`)\n");
}

static void print_clients(const struct config *config, FILE *out)
{
    fprintf(out, "Clients:\n");
    for (unsigned i = 0; i < config->client_count; i++) {
        const struct client_config *client = &config->clients[i];
        fprintf(out, "  %s may send for", client->name);
        for (unsigned p = 0, n = 0; p < config->program_count; p++) {
            if (client->programs[p])
                fprintf(out, "%s %s", n++ ? "," : "", config->programs[p].name);
        }
        fprintf(out, " (%s", client->has_key ? "by key" : "");
        if (client->uid >= 0)
            fprintf(out, "%sby user id %" PRId64, client->has_key ? ", " : "", client->uid);
        if (client->certificate[0] != '\0')
            fprintf(out, "%sby certificate \"%s\"", client->has_key || client->uid >= 0 ? ", " : "",
                    client->certificate);
        fprintf(out, ")\n");
    }
    fprintf(out, "  root and this program's own user act as operator over a Unix socket\n");
}

static const char *reach_sentence(const struct program_config *program)
{
    switch (program->stop_reach) {
    case REACH_BRAND:
        return program->classes[ASSENT__V1__CLASS__MARKETING]
                   ? "the brand's marketing and this program"
                   : "every program of the brand";
    case REACH_PROGRAM:
        return "this program alone";
    case REACH_GLOBAL:
        return "every program of this gateway";
    }
    return "";
}

/* The texts that the law asks for, and what they lack. */
static void print_texts(const struct config *config, const struct program_config *program,
                        FILE *out)
{
    char line[WAY_OCTETS_MAX + 128];
    if (program->classes[ASSENT__V1__CLASS__MARKETING]) {
        bool one_way = !config_is_answerable(config, program->senders[0]);
        (void)reply_opt_out_line(program->language, one_way ? program->other_way_out : "", line,
                                 sizeof line);
        fprintf(out, "    under marketing that does not say how to end it: %s\n", line);
    }
    if (program->contact[0] == '\0')
        fprintf(out, "    warning: no `contact`: the answer to HELP names nobody to ask\n");
}

static void print_content(const struct program_config *program, FILE *out)
{
    const char *texts = program->content_rules == CONTENT_OF_ALL ? "any text" : "marketing";
    if (!program->classes[ASSENT__V1__CLASS__MARKETING] &&
        program->content_rules == CONTENT_OF_MARKETING)
        return;
    if (program->brand_named == BRAND_ADD)
        fprintf(out, "    before %s that does not name the brand: \"%s: \"\n", texts,
                program->brand);
    else if (program->brand_named == BRAND_REQUIRE)
        fprintf(out, "    %s that does not name the brand is refused\n", texts);
    if (program->link_shorteners == SHORTENERS_REFUSED)
        fprintf(out, "    %s with a link of a public shortener is refused\n", texts);
}

static void print_gates(const struct program_config *program, FILE *out)
{
    char text[32];
    if (program->frequency_cap.count > 0) {
        config_duration_text(program->frequency_cap.window_ms, text, sizeof text);
        fprintf(out, "    at most %" PRIu32 " texts to a number in any %s\n",
                program->frequency_cap.count, text);
    }
    if (program->consent_max_age_ms > 0) {
        config_duration_text(program->consent_max_age_ms, text, sizeof text);
        fprintf(out, "    consent older than %s, or of no known day, counts no more\n", text);
    }
    if (program->do_not_call == DO_NOT_CALL_REGISTER)
        fprintf(out,
                "    numbers of the do-not-call register get no marketing; nobody does where its "
                "copy is older than 31 days\n");
}

static void print_program(const struct config *config, const struct program_config *program,
                          FILE *out)
{
    fprintf(out, "  %s of brand \"%s\":", program->name, program->brand);
    for (unsigned c = 0, n = 0; c < CLASS_COUNT; c++) {
        if (program->classes[c])
            fprintf(out, "%s %s", n++ ? "," : "", class_name((Assent__V1__Class)c));
    }
    fprintf(out, "; from");
    for (unsigned s = 0; s < program->sender_count; s++)
        fprintf(out, "%s %s", s ? "," : "", program->senders[s]);
    fprintf(out, "\n    STOP ends %s", reach_sentence(program));
    if (program->classes[ASSENT__V1__CLASS__MARKETING])
        fprintf(out, "; marketing needs %s",
                program->opt_in == OPT_IN_DOUBLE ? "a yes from the handset itself (double opt-in)"
                                                 : "consent with evidence (single opt-in)");
    for (unsigned j = 0; j < program->join_count; j++)
        fprintf(out, "%s JOIN %s", j ? "," : "; a handset joins by", program->join[j]);
    fprintf(out, "\n    in doubt after a crash or a lost connection: %s\n",
            program->on_unknown == UNKNOWN_NEVER_AGAIN ? "never sent again"
                                                       : "sent again, marketing excepted");
    print_texts(config, program, out);
    print_content(program, out);
    if (config_keeps_hours(program, ASSENT__V1__CLASS__MARKETING))
        fprintf(out, "    quiet hours of the recipient's place: marketing%s waits\n",
                program->quiet_hours == QUIET_ALL ? " and transactional" : "");
    print_gates(program, out);
    if (program->texts != TEXTS_WHOLE)
        fprintf(out, "    the ledger keeps %s once they are sent\n",
                program->texts == TEXTS_HASHED ? "hashes of its texts alone"
                                               : "nothing of its texts");
    if (program->smart_encoding)
        fprintf(out, "    typographic characters are replaced where a text then fits GSM 7-bit\n");
}

static void print_ids(const struct carrier_config *carrier, FILE *out)
{
    if (carrier->submit_id != ID_RAW || carrier->receipt_id != ID_RAW)
        fprintf(out, "    writes message ids %s in answers and %s in receipts\n",
                id_form_name(carrier->submit_id), id_form_name(carrier->receipt_id));
    if (carrier->receipt_parts == RECEIPT_OF_LAST)
        fprintf(out, "    is asked for the last part's receipt of a long message alone\n");
    if (carrier->receipts_by_text == YES)
        fprintf(out, "    what reads like a receipt is taken for one, whoever wrote it\n");
    if (carrier->refuse_status != ESME_RSYSERR)
        fprintf(out, "    is told 0x%02" PRIx32 " for what cannot be stored\n",
                carrier->refuse_status);
}

static void print_text_rules(const struct text_rules *text, FILE *out)
{
    static const char *const alphabets[] = {"GSM 7-bit", "Latin-1", "ASCII"};
    static const char *const joins[] = {"8-bit headers", "16-bit headers", "SAR parameters",
                                        "one message_payload"};
    fprintf(out, "    data_coding 0 is %s; else", alphabets[text->alphabet]);
    for (unsigned language = 1; language < NATIONAL_COUNT; language++)
        if (text->national & 1u << language)
            fprintf(out, " the %s tables,", national_name(language));
    fprintf(out, "%s UCS-2; long texts by %s", text->latin1 ? " Latin-1," : "",
            joins[text->concatenation]);
    if (text->concatenation == CONCATENATION_PAYLOAD)
        fprintf(out, " of up to %" PRIu32 " octets", text->payload_max);
    fprintf(out, "\n");
}

/* "44", and in brackets what is not as by default. */
static void print_route(const struct route_config *route, FILE *out)
{
    const char *between = " (";
    fprintf(out, " %s", route->prefix[0] ? route->prefix : "(everything)");
    for (unsigned i = 0; i < route->sender_count; i++, between = ", ")
        fprintf(out, "%s%s%s", between, i ? "" : "from ", route->senders[i]);
    for (unsigned c = 0; c < CLASS_COUNT; c++)
        if (route->classes >> c & 1) {
            fprintf(out, "%sclass %s", between, class_name((Assent__V1__Class)c));
            between = ", ";
        }
    if (route->priority != 0 || route->cost != 0 || route->weight != 1) {
        fprintf(out, "%spriority %u, cost %" PRIu32 ", weight %u", between, route->priority,
                route->cost, route->weight);
        between = ", ";
    }
    fprintf(out, "%s", between[0] == ',' ? ")" : "");
}

static const char *policy_sentence(enum status_policy policy)
{
    switch (policy) {
    case STATUS_RETRY:
        return "tried again here, later";
    case STATUS_THROTTLE:
        return "too fast: a pause, then again here";
    case STATUS_ELSEWHERE:
        return "tried by the next route";
    case STATUS_OPTED_OUT:
        return "an opt-out of the recipient";
    case STATUS_UNKNOWN_SUBSCRIBER:
        return "final: nobody has this number";
    case STATUS_FILTERED:
        return "final: filtered";
    case STATUS_OK:
    case STATUS_PERMANENT:
    case STATUS_UNKNOWN_PERMANENT:
        break;
    }
    return "final";
}

static const char *news_sentence(enum recipient_news news)
{
    if (news == NEWS_OPTED_OUT)
        return "an opt-out of the recipient";
    return news == NEWS_FILTERED ? "the carrier's filter" : "one of a number that nobody has";
}

static void print_statuses(const struct carrier_config *carrier, FILE *out)
{
    fprintf(out, "    a status that no table has is %s\n",
            policy_sentence(carrier->unknown_status));
    for (unsigned i = 0; i < carrier->status_count; i++)
        fprintf(out, "    status 0x%" PRIx32 " is %s\n", carrier->statuses[i].command_status,
                policy_sentence(carrier->statuses[i].policy));
    for (unsigned i = 0; i < carrier->receipt_error_count; i++)
        fprintf(out, "    a failure with error %s in its receipt is %s\n",
                carrier->receipt_errors[i].code, news_sentence(carrier->receipt_errors[i].news));
}

/* "filtered 5%/20%": alarm and pause. */
static void print_reputation(const struct reputation_limits *limits, FILE *out)
{
    char alarm[32], pause[32];
    fprintf(out, "    of %" PRIu32 " texts of a sender, in an hour or a day, alarm and pause at:",
            limits->least_texts);
    for (unsigned rate = 1; rate < REPUTATION_RATES; rate++) {
        share_text(limits->rates[rate].alarm, alarm, sizeof alarm);
        share_text(limits->rates[rate].pause, pause, sizeof pause);
        fprintf(out, "%s %s %s/%s", rate > 1 ? "," : "", reputation_rate_name(rate), alarm, pause);
    }
    fprintf(out, "\n");
}

static void print_addressing(const struct addressing *rules, FILE *out)
{
    fprintf(
        out,
        "    TON/NPI of senders: names %u/%u, short codes %u/%u, numbers %u/%u%s; of recipients "
        "%u/%u%s\n",
        rules->alphanumeric_sender.ton, rules->alphanumeric_sender.npi, rules->short_sender.ton,
        rules->short_sender.npi, rules->international_sender.ton, rules->international_sender.npi,
        rules->international_sender.plus ? " with +" : "", rules->recipient.ton,
        rules->recipient.npi, rules->recipient.plus ? " with +" : "");
    if (rules->country[0] != '\0')
        fprintf(out, "    national numbers that come in are of country %s\n", rules->country);
}

static void print_sender_limit(const struct sender_limit *limit, FILE *out)
{
    if (limit->rate != 0)
        fprintf(out, "    at most %" PRIu32 " submit_sm in any second of %s\n", limit->rate,
                limit->sender);
    if (limit->daily != 0)
        fprintf(out, "    at most %" PRIu32 " submit_sm a day (UTC) of %s\n", limit->daily,
                limit->sender);
    if (limit->rate == 0 && limit->daily == 0)
        fprintf(out, "    %s has no limit of its own\n", limit->sender);
}

static void print_carrier(const struct carrier_config *carrier, FILE *out)
{
    char request[32], enquire[32], low[32], high[32], receipts[32];
    bool pair = carrier->bind == BIND_TRANSMITTER_RECEIVER;
    fprintf(out, "  %s at %s as \"%s\", password %s\n", carrier->name, carrier->address,
            carrier->system_id, carrier->password[0] ? "hidden" : "none");
    if (config_is_tls(carrier->address))
        fprintf(out, "    TLS 1.2 or 1.3; its certificate must be of %s, signed by %s%s%s\n",
                carrier->tls.name[0] ? carrier->tls.name : "that host",
                carrier->tls.ca_file[0] ? carrier->tls.ca_file : "an authority of this system",
                carrier->tls.cert_file[0] ? "; ours is " : "", carrier->tls.cert_file);
    fprintf(out, "    at most %" PRIu32 " submit_sm in any second; %u %s with %u unanswered each\n",
            carrier->rate, carrier->sessions,
            pair ? "transmitter and receiver pair(s)" : "transceiver session(s)", carrier->window);
    if (carrier->session_rate != 0)
        fprintf(out, "    at most %" PRIu32 " submit_sm in any second over one session\n",
                carrier->session_rate);
    if (carrier->sender_rate != 0)
        fprintf(out, "    at most %" PRIu32 " submit_sm in any second of one sender\n",
                carrier->sender_rate);
    if (carrier->sender_daily != 0)
        fprintf(out, "    at most %" PRIu32 " submit_sm a day (UTC) of one sender\n",
                carrier->sender_daily);
    for (unsigned i = 0; i < carrier->sender_count; i++)
        print_sender_limit(&carrier->senders[i], out);
    fprintf(out, "    refused for its pace: the lane stands still%s\n",
            carrier->adapt == YES ? ", rate and window are cut and won back step by step" : "");
    fprintf(out, "    answers within %s, enquire_link every %s, reconnects after %s to %s,",
            shown(carrier->request_timeout_ms, request),
            carrier->enquire_link_ms ? shown(carrier->enquire_link_ms, enquire) : "(never)",
            shown(carrier->reconnect_min_ms, low), shown(carrier->reconnect_max_ms, high));
    fprintf(out, " waits %s for receipts\n", shown(carrier->receipt_timeout_ms, receipts));
    print_ids(carrier, out);
    print_text_rules(&carrier->text, out);
    print_addressing(&carrier->addressing, out);
    fprintf(out, "    passed over when it has been unfit for %s, where another route is there\n",
            shown(carrier->failover_after_ms, request));
    print_statuses(carrier, out);
    print_reputation(&carrier->reputation, out);
    fprintf(out, "    takes numbers that begin with:");
    for (unsigned r = 0; r < carrier->route_count; r++) {
        fprintf(out, "%s", r ? "," : "");
        print_route(&carrier->routes[r], out);
    }
    fprintf(out, "\n");
}

/* A program that no route serves is no fault: its carrier may be on its way. */
static void print_unrouted(const struct config *config, FILE *out)
{
    for (unsigned i = 0; i < config->program_count; i++) {
        const struct program_config *p = &config->programs[i];
        for (unsigned s = 0; s < p->sender_count; s++)
            for (unsigned c = 0; c < CLASS_COUNT; c++)
                if (p->classes[c] &&
                    !route_leads_anywhere(config, p->senders[s], (Assent__V1__Class)c))
                    fprintf(out,
                            "  note: no route takes class %s of program %s from %s: all of it "
                            "will be refused\n",
                            class_name((Assent__V1__Class)c), p->name, p->senders[s]);
    }
}

static void print_limits(const struct config *config, FILE *out)
{
    char text[32], low[32], high[32];
    fprintf(out, "Time to live:");
    for (unsigned c = 1; c < CLASS_COUNT; c++)
        fprintf(out, "%s %s %s", c > 1 ? "," : "", class_name((Assent__V1__Class)c),
                shown(config->ttl_ms[c], text));
    fprintf(out, "\nTemporary errors: up to %" PRIu32 " more attempts, %s apart growing to %s\n",
            config->retry_max, shown(config->retry_min_ms, low), shown(config->retry_max_ms, high));
    fprintf(out,
            "A number that carriers call unknown %" PRIu32 " times over %s needs a new consent\n",
            config->vacant_times, shown(config->vacant_over_ms, text));
    fprintf(out, "Complaints are to be resolved within:");
    for (unsigned c = 1; c < COMPLAINT_CHANNELS; c++)
        fprintf(out, "%s %s %s", c > 1 ? "," : "", complaint_channel_name(c),
                shown(config->complaint_due_ms[c], text));
    fprintf(out, "\nClient references are remembered for %s, at most %" PRIu32 "\n",
            shown(config->reference_window_ms, text), config->max_references);
    fprintf(out, "A snapshot every %" PRIu32 " records of the ledger\n", config->snapshot_records);
    if (config->ledger_retain_ms > 0)
        fprintf(out, "Of the ledger's segments older than %s only consent is kept\n",
                shown(config->ledger_retain_ms, text));
}

/* Upper bounds. Buffers of idle connections are small; what is named here is only reached when every
 * peer is stuck at once. */
static void print_memory(const struct config *config, FILE *out)
{
    uint64_t references = (uint64_t)config->max_references * 64;
    uint64_t ledger = 2ull * LEDGER_BATCH_OCTETS;
    uint64_t links = 0;
    for (unsigned i = 0; i < config->carrier_count; i++)
        links += (uint64_t)config->carriers[i].sessions *
                 (config->carriers[i].bind == BIND_TRANSMITTER_RECEIVER ? 2 : 1) *
                 SESSION_OUTPUT_MAX;
    fprintf(out,
            "Memory at most, MiB: messages %" PRIu64 " (up to %" PRIu32
            " open), references %" PRIu64 ", ledger %" PRIu64 ", carrier links %" PRIu64
            ", and %u for each submitter that does not read\n",
            config->max_memory_octets / MIB, config->max_open_messages, references / MIB,
            ledger / MIB, links / MIB, CLIENT_OUTPUT_MAX / MIB);
}

void config_print(const struct config *config, FILE *out)
{
    fprintf(out, "Node %s keeps its ledger in %s.\n", config->node, config->data_dir);
    fprintf(out, "Consent: Redis at %s, %" PRIu32 " buckets, password %s\n", config->redis_url,
            config->redis_buckets, config->redis_password[0] ? "hidden" : "none");
    print_listeners(config, out);
    print_clients(config, out);
    fprintf(out, "Programs:\n");
    for (unsigned i = 0; i < config->program_count; i++)
        print_program(config, &config->programs[i], out);
    config_print_senders(config, (int32_t)(clock_wall_ms() / DAY_MS), out);
    fprintf(out, "Carriers:\n");
    for (unsigned i = 0; i < config->carrier_count; i++)
        print_carrier(&config->carriers[i], out);
    print_unrouted(config, out);
    print_limits(config, out);
    print_memory(config, out);
}
