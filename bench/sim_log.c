/* SPDX-License-Identifier: Apache-2.0 */
#include "bench/sim_log.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "proto/base/bytes.h"
#include "proto/base/check.h"
#include "proto/base/clock.h"
#include "smpp/decode.h"
#include "smpp/receipt.h"
#include "smpp/reassembly.h"

#define LOG_BUFFER (1u << 20)
#define LINE_ROOM  (16u << 10) /* no line is longer; texts are cut */
#define TEXT_ROOM  4096

struct sim_log {
    int fd;
    bool is_short;
    enum text_alphabet alphabet;
    size_t used;
    char buffer[LOG_BUFFER];
};

static const struct {
    uint32_t id;
    const char *name;
} commands[] = {
    {SMPP_SUBMIT_SM, "submit_sm"},
    {SMPP_DELIVER_SM, "deliver_sm"},
    {SMPP_ENQUIRE_LINK, "enquire_link"},
    {SMPP_BIND_TRANSCEIVER, "bind_transceiver"},
    {SMPP_BIND_TRANSMITTER, "bind_transmitter"},
    {SMPP_BIND_RECEIVER, "bind_receiver"},
    {SMPP_UNBIND, "unbind"},
    {SMPP_DATA_SM, "data_sm"},
    {SMPP_QUERY_SM, "query_sm"},
    {SMPP_CANCEL_SM, "cancel_sm"},
    {SMPP_REPLACE_SM, "replace_sm"},
    {SMPP_SUBMIT_MULTI, "submit_multi"},
    {SMPP_OUTBIND, "outbind"},
    {SMPP_ALERT_NOTIFICATION, "alert_notification"},
};

void sim_log_flush(struct sim_log *log)
{
    size_t done = 0;
    while (log != NULL && done < log->used) {
        ssize_t n = write(log->fd, log->buffer + done, log->used - done);
        if (n <= 0)
            break; /* a full disk: the log has a hole, the carrier goes on */
        done += (size_t)n;
    }
    if (log != NULL)
        log->used = 0;
}

static void put(struct sim_log *log, const void *text, size_t length)
{
    memcpy(log->buffer + log->used, text, length);
    log->used += length;
}

static void put_string(struct sim_log *log, const char *text)
{
    put(log, text, strlen(text));
}

static void put_number(struct sim_log *log, uint64_t value)
{
    char digits[20];
    size_t at = sizeof digits;
    do {
        digits[--at] = (char)('0' + value % 10);
        value /= 10;
    } while (value > 0);
    put(log, digits + at, sizeof digits - at);
}

static void put_status(struct sim_log *log, uint32_t status)
{
    char text[11] = "0x";
    for (int i = 0; i < 8; i++)
        text[2 + i] = "0123456789abcdef"[status >> (28 - 4 * i) & 15];
    put(log, text, 10);
}

static void put_escaped(struct sim_log *log, struct span text)
{
    for (size_t i = 0; i < text.length; i++) {
        char octet = (char)text.data[i];
        const char *escape = octet == '\t'   ? "\\t"
                             : octet == '\n' ? "\\n"
                             : octet == '\r' ? "\\r"
                             : octet == '\\' ? "\\\\"
                                             : NULL;
        if (escape != NULL)
            put(log, escape, 2);
        else
            put(log, &octet, 1);
    }
}

static void column(struct sim_log *log, struct span text)
{
    put(log, "\t", 1);
    if (text.length == 0)
        put(log, "-", 1);
    else
        put_escaped(log, text);
}

static void begin(struct sim_log *log, uint64_t now_us, uint32_t session, const char *direction)
{
    if (log->used + LINE_ROOM > LOG_BUFFER)
        sim_log_flush(log);
    put_number(log, now_us);
    put(log, "\t", 1);
    put_number(log, session);
    put(log, "\t", 1);
    put_string(log, direction);
    put(log, "\t", 1);
}

static void put_command(struct sim_log *log, uint32_t command_id)
{
    if (command_id == SMPP_GENERIC_NACK) {
        put_string(log, "generic_nack");
        return;
    }
    for (size_t i = 0; i < sizeof commands / sizeof commands[0]; i++) {
        if (commands[i].id == (command_id & ~SMPP_RESPONSE)) {
            put_string(log, commands[i].name);
            if (command_id & SMPP_RESPONSE)
                put(log, "_resp", 5);
            return;
        }
    }
    put_status(log, command_id);
}

static void put_part(struct sim_log *log, const struct sm_body *body, const struct udh *udh)
{
    struct part part = {.number = 1, .total = 1};
    (void)part_read(body, udh, &part);
    put(log, "\t", 1);
    put_number(log, part.number);
    put(log, "/", 1);
    put_number(log, part.total);
}

static void put_message(struct sim_log *log, struct span pdu)
{
    struct sm_body body;
    struct receipt receipt;
    struct udh udh = {0};
    char text[TEXT_ROOM];
    if (decode_sm(pdu, &body) != ESME_ROK) {
        put_string(log, "\t-\t-\t-\t-\t-");
        return;
    }
    udh.text = body.text;
    if (body.esm_class & ESM_UDHI)
        (void)udh_parse(body.text, &udh);
    bool is_receipt = receipt_is(&body) && receipt_parse(&body, &receipt);
    column(log, is_receipt ? receipt.message_id : (struct span){0});
    column(log, span_from_string(body.source.digits));
    column(log, span_from_string(body.destination.digits));
    put_part(log, &body, &udh);
    column(log, span_of(text, text_receive(log->alphabet, body.data_coding, &udh, udh.text, text,
                                           sizeof text)));
}

static void put_details(struct sim_log *log, uint32_t command_id, struct span pdu)
{
    switch (command_id) {
    case SMPP_SUBMIT_SM:
    case SMPP_DELIVER_SM:
    case SMPP_DATA_SM:
        put_message(log, pdu);
        break;
    case SMPP_SUBMIT_SM | SMPP_RESPONSE:
        column(log, decode_message_id(pdu));
        put_string(log, "\t-\t-\t-\t-");
        break;
    default:
        put_string(log, "\t-\t-\t-\t-\t-");
        break;
    }
}

void sim_log_pdu(struct sim_log *log, uint64_t now_us, uint32_t session, bool outgoing,
                 struct span pdu)
{
    struct reader r = reader_over(pdu);
    (void)read_u32(&r);
    uint32_t command_id = read_u32(&r), status = read_u32(&r), sequence = read_u32(&r);
    begin(log, now_us, session, outgoing ? "out" : "in");
    put_command(log, command_id);
    put(log, "\t", 1);
    put_number(log, sequence);
    put(log, "\t", 1);
    put_status(log, status);
    if (!log->is_short)
        put_details(log, command_id, pdu);
    put(log, "\n", 1);
}

void sim_log_event(struct sim_log *log, uint64_t now_us, uint32_t session, const char *command,
                   const char *why)
{
    begin(log, now_us, session, "-");
    put_string(log, command);
    put_string(log, "\t-\t-");
    if (!log->is_short) {
        put_string(log, "\t-\t-\t-\t-");
        column(log, span_from_string(why));
    }
    put(log, "\n", 1);
}

struct sim_log *sim_log_open(const char *path, bool is_short, enum text_alphabet alphabet)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (fd < 0)
        return NULL;
    struct sim_log *log = check_malloc(sizeof *log);
    log->fd = fd;
    log->is_short = is_short;
    log->alphabet = alphabet;
    log->used = 0;
    put_string(log, "# mono_us=");
    put_number(log, clock_mono_us());
    put_string(log, " wall_ms=");
    put_number(log, clock_wall_ms());
    put(log, "\n", 1);
    sim_log_flush(log);
    return log;
}

void sim_log_close(struct sim_log *log)
{
    if (log == NULL)
        return;
    sim_log_flush(log);
    close(log->fd);
    free(log);
}
