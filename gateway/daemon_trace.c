/* SPDX-License-Identifier: Apache-2.0 */
/* assentd --trace-pdu: the PDUs of one carrier in the log, one line a PDU, or more where its fields
 * are many. Numbers and texts are hidden unless the person who started the daemon asked for them. */
#include <stdio.h>

#include "gateway/daemon_state.h"
#include "proto/base/log.h"
#include "smpp/show.h"

#define FIELDS_MAX (LOG_LINE_MAX - 160) /* beside when, level, event and carrier */

struct line {
    const char *carrier, *event;
    unsigned link;
    bool outgoing;
    char fields[FIELDS_MAX];
    size_t length;
};

static void write_line(struct line *line)
{
    log_event(LOG_INFO, line->event, "carrier=%s link=%u way=%s%s", line->carrier, line->link,
              line->outgoing ? "out" : "in", line->fields);
    line->event = "pdu_more";
    line->length = 0;
    line->fields[0] = '\0';
}

/* ` name=value`; a value of several words stands in quotes, as strings do already. */
static void add_field(void *context, const char *name, const char *value)
{
    struct line *line = context;
    const char *quote = value[0] != '"' && strchr(value, ' ') != NULL ? "\"" : "";
    size_t needed = strlen(name) + strlen(value) + 2 + 2 * strlen(quote);
    if (line->length + needed >= sizeof line->fields && line->length > 0)
        write_line(line);
    int n = snprintf(line->fields + line->length, sizeof line->fields - line->length, " %s=%s%s%s",
                     name, quote, value, quote);
    if (n < 0)
        return;
    line->length += (size_t)n < sizeof line->fields - line->length
                        ? (size_t)n
                        : sizeof line->fields - line->length - 1; /* the longest texts are cut */
}

void daemon_traced(void *context, uint16_t carrier, uint16_t link, bool outgoing, struct span pdu)
{
    const struct daemon *daemon = context;
    if (carrier != daemon->trace->carrier)
        return;
    struct line line = {.carrier = daemon->config->carriers[carrier].name,
                        .event = "pdu",
                        .link = link,
                        .outgoing = outgoing};
    (void)show_pdu(pdu, daemon->trace->show_texts, add_field, &line);
    write_line(&line);
}
