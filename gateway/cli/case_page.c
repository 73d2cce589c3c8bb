/* SPDX-License-Identifier: Apache-2.0 */
#include "gateway/cli/case_page.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "consent/standing.h"
#include "gateway/cli/event_text.h"
#include "gateway/cli/when.h"
#include "gateway/metrics.h"
#include "proto/base/base64.h"
#include "proto/base/check.h"
#include "proto/base/table.h"

struct text_sent {
    uint64_t id, accepted_ms, ended_ms;
    Assent__V1__Class class_;
    Assent__V1__Outcome outcome;
    Assent__V1__Reason reason;
    uint32_t program;
    char sender[32];
};

struct case_page {
    uint64_t number, last_ms;
    struct standings standings;
    struct text_sent *texts;
    size_t text_count, text_room;
    struct table text_of; /* id -> place in `texts`, from 1 */
    char *story;          /* rows of the table of all records */
    size_t story_length;
    FILE *story_out;
    uint64_t records;
};

static const char style[] =
    "body{font:15px/1.5 system-ui,sans-serif;max-width:64em;margin:2em auto;padding:0 "
    "1em;color:#1a1a1a}\n"
    "h1{font-size:1.6em;margin-bottom:0}h2{font-size:1.15em;margin-top:2em}\n"
    "table{border-collapse:collapse;width:100%;font-variant-numeric:tabular-nums}\n"
    "th,td{text-align:left;vertical-align:top;padding:.3em .8em .3em 0;border-bottom:1px solid "
    "#ddd}\n"
    "th{font-weight:600;color:#555}.t{white-space:nowrap}.q{display:block;color:#444;"
    "border-left:3px solid #ccc;padding-left:.6em;margin-top:.2em;white-space:pre-wrap;"
    "overflow-wrap:anywhere}\n"
    "code{font-size:.9em;overflow-wrap:anywhere}\n"
    "@media print{body{margin:0;max-width:none;font-size:10pt}tr{break-inside:avoid}"
    "thead{display:table-header-group}}\n";

struct case_page *case_page_new(uint64_t number)
{
    struct case_page *page = check_calloc(1, sizeof *page);
    page->number = number;
    table_init(&page->text_of);
    page->story_out = open_memstream(&page->story, &page->story_length);
    CHECK(page->story_out != NULL);
    return page;
}

void case_page_free(struct case_page *page)
{
    if (page == NULL)
        return;
    fclose(page->story_out);
    free(page->story);
    free(page->texts);
    table_release(&page->text_of);
    free(page);
}

/* What the records say ------------------------------------------------------------------------- */

static void add_text(struct case_page *page, uint64_t sequence, const Assent__V1__Event *event)
{
    if (page->text_count == page->text_room) {
        page->text_room = page->text_room ? 2 * page->text_room : 64;
        page->texts = check_realloc(page->texts, page->text_room * sizeof *page->texts);
    }
    struct text_sent *text = &page->texts[page->text_count++];
    *text = (struct text_sent){.id = sequence,
                               .accepted_ms = event->wall_ms,
                               .class_ = event->accepted->class_,
                               .program = event->program};
    snprintf(text->sender, sizeof text->sender, "%s", event->accepted->sender);
    *table_put(&page->text_of, sequence) = page->text_count;
}

static void fold_text(struct case_page *page, uint64_t sequence, const Assent__V1__Event *event)
{
    bool by_receipt = event->body_case == ASSENT__V1__EVENT__BODY_RECEIPT &&
                      event->receipt->outcome != ASSENT__V1__OUTCOME__OUTCOME_OPEN;
    if (event->body_case == ASSENT__V1__EVENT__BODY_ACCEPTED)
        add_text(page, sequence, event);
    if (!by_receipt && event->body_case != ASSENT__V1__EVENT__BODY_ENDED)
        return;
    const uint64_t *at = table_find(&page->text_of, event->message);
    if (at == NULL)
        return;
    struct text_sent *text = &page->texts[*at - 1];
    text->ended_ms = event->wall_ms;
    text->outcome = by_receipt ? event->receipt->outcome : event->ended->outcome;
    text->reason = by_receipt ? ASSENT__V1__REASON__REASON_NONE : event->ended->reason;
}

/* Writing -------------------------------------------------------------------------------------- */

static void put_text(FILE *out, const char *text)
{
    for (; *text != '\0'; text++) {
        unsigned char c = (unsigned char)*text;
        if (c == '&' || c == '<' || c == '>' || c == '"')
            fprintf(out, "&#%u;", c);
        else if (c < ' ' && c != '\n')
            fputc(' ', out);
        else
            fputc(c, out);
    }
}

static void put_quote(FILE *out, const char *label, const char *text)
{
    if (text[0] == '\0')
        return;
    fprintf(out, "<span class=\"q\">%s: ", label);
    put_text(out, text);
    fputs("</span>", out);
}

static void put_personal(FILE *out, const Assent__V1__Event *event,
                         const Assent__V1__Personal *personal)
{
    put_quote(out, "text", shown_text(event, personal));
    put_quote(out, "evidence", personal->evidence);
    put_quote(out, "reference", personal->reference);
    if (personal->raw.len == 0)
        return;
    fputs("<span class=\"q\">octets of the reply: <code>", out);
    for (size_t i = 0; i < personal->raw.len; i++)
        fprintf(out, "%02x", personal->raw.data[i]);
    fputs("</code></span>", out);
}

void case_page_add(struct case_page *page, uint64_t sequence, const Assent__V1__Event *event,
                   const Assent__V1__Personal *personal)
{
    char when[WHEN_TEXT_SIZE], words[EVENT_TEXT_SIZE];
    FILE *out = page->story_out;
    uint64_t message =
        event->body_case == ASSENT__V1__EVENT__BODY_ACCEPTED ? sequence : event->message;
    page->records++;
    page->last_ms = event->wall_ms;
    if (personal != NULL && personal->number == page->number)
        standings_fold(&page->standings, sequence, event, personal);
    fold_text(page, sequence, event);
    fprintf(out, "<tr><td class=\"t\">%s</td><td>%" PRIu64 "</td><td>",
            when_text(event->wall_ms, when), sequence);
    if (message != 0)
        fprintf(out, "%" PRIu64, message);
    fputs("</td><td>", out);
    put_text(out, event_text(event, NULL, words));
    if (personal != NULL)
        put_personal(out, event, personal);
    fputs("</td></tr>\n", out);
}

static void put_standing(const struct case_page *page, FILE *out)
{
    char scope[SCOPE_TEXT_SIZE], when[WHEN_TEXT_SIZE];
    uint64_t record;
    fputs("<h2>Where this person stands</h2>\n", out);
    if (page->standings.count == 0) {
        fputs("<p>No consent, opt-out or hold is on record.</p>\n", out);
        return;
    }
    fputs("<p>What a brand, a hold or everything denies, no program of it may "
          "send.</p>\n<table><thead><tr><th>Scope</th><th>State</th><th>Since (UTC)</th><th>By "
          "record</th></tr></thead>\n",
          out);
    for (unsigned i = 0; i < page->standings.count; i++) {
        const struct standing *s = &page->standings.in[i].standing;
        uint64_t since = standing_since(s, page->last_ms, &record);
        fputs("<tr><td>", out);
        put_text(out, scope_text(page->standings.in[i].scope, scope));
        fprintf(out, "</td><td>%s</td><td class=\"t\">%s</td><td>",
                state_name(standing_state(s, page->last_ms)), since ? when_text(since, when) : "");
        if (record != 0)
            fprintf(out, "%" PRIu64, record);
        fputs("</td></tr>\n", out);
    }
    fputs("</table>\n", out);
}

static void put_texts(const struct case_page *page, FILE *out)
{
    char scope[SCOPE_TEXT_SIZE], when[WHEN_TEXT_SIZE], outcome[96];
    fprintf(out, "<h2>Texts</h2>\n");
    if (page->text_count == 0) {
        fputs("<p>None was asked to be sent.</p>\n", out);
        return;
    }
    fputs("<table><thead><tr><th>Id</th><th>Accepted (UTC)</th><th>Class</th><th>For</th>"
          "<th>Sender</th><th>What became of it</th><th>Ended (UTC)</th></tr></thead>\n",
          out);
    for (size_t i = 0; i < page->text_count; i++) {
        const struct text_sent *text = &page->texts[i];
        fprintf(out, "<tr><td>%" PRIu64 "</td><td class=\"t\">%s</td><td>%s</td><td>", text->id,
                when_text(text->accepted_ms, when), class_name(text->class_));
        put_text(out, text->program ? scope_text(text->program, scope) : "");
        fputs("</td><td>", out);
        put_text(out, text->sender);
        fputs("</td><td>", out);
        put_text(out,
                 text->outcome ? outcome_text(text->outcome, text->reason, outcome) : "under way");
        fprintf(out, "</td><td class=\"t\">%s</td></tr>\n",
                text->ended_ms ? when_text(text->ended_ms, when) : "");
    }
    fputs("</table>\n", out);
}

static void put_proof(const struct checkpoint *checkpoint, const struct note_key *key, FILE *out)
{
    char root[BASE64_SIZE(DIGEST_SIZE) + 1], key_text[NOTE_KEY_TEXT_SIZE];
    fputs("<h2>How to check this file</h2>\n<p>Each record above is a leaf of a hash tree whose "
          "root the gateway has signed. <code>verify.py</code> needs Python 3 and openssl alone, "
          "nothing of the gateway:</p>\n<p><code>python3 verify.py --key ",
          out);
    put_text(out, note_key_text(key, key_text));
    fputs(" proofs.jsonl</code></p>\n<p>Take the key from somebody who had it before this file was "
          "made, not from this file: it is the one thing that must be trusted.</p>\n<table>"
          "<tr><th>Ledger</th><td>",
          out);
    put_text(out, checkpoint->origin);
    fprintf(out, "</td></tr><tr><th>Records covered</th><td>%" PRIu64 "</td></tr>",
            checkpoint->size);
    fprintf(out, "<tr><th>Root</th><td><code>%s</code></td></tr></table>\n",
            base64_encode(span_of(checkpoint->root.octets, DIGEST_SIZE), root));
}

bool case_page_write(struct case_page *page, const struct checkpoint *checkpoint,
                     const struct note_key *key, FILE *out)
{
    char when[WHEN_TEXT_SIZE];
    if (fflush(page->story_out) != 0)
        return false;
    fprintf(out,
            "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">"
            "<title>Case file +%" PRIu64 "</title>\n<style>\n%s</style></head><body>\n"
            "<h1>Case file +%" PRIu64 "</h1>\n<p>%" PRIu64 " records%s%s. Times are UTC.</p>\n",
            page->number, style, page->number, page->records, page->records ? ", the last of " : "",
            page->records ? when_text(page->last_ms, when) : "");
    put_standing(page, out);
    put_texts(page, out);
    fputs("<h2>Everything on record</h2>\n<table><thead><tr><th>Time</th><th>Record</th>"
          "<th>Text</th><th>What happened</th></tr></thead>\n",
          out);
    fwrite(page->story, 1, page->story_length, out);
    fputs("</table>\n", out);
    put_proof(checkpoint, key, out);
    fputs("</body></html>\n", out);
    return fflush(out) == 0 && !ferror(out);
}
