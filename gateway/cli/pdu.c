/* SPDX-License-Identifier: Apache-2.0 */
/* assent pdu: SMPP PDUs field by field. Asks nobody. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "gateway/cli/cli.h"
#include "gateway/cli/hex.h"
#include "gateway/cli/options.h"
#include "proto/base/check.h"
#include "smpp/decode.h"
#include "smpp/fields.h"
#include "smpp/show.h"

static bool explain(const struct hex *hex, enum hex_result result, const char *where)
{
    if (result == HEX_NO_DIGIT)
        complain("%sline %u, column %u: no hexadecimal digit stands there", where, hex->line,
                 hex->column);
    else if (result == HEX_TOO_MANY)
        complain("%smore than %u octets; show fewer PDUs at a time", where, SHOWN_PDUS_MAX);
    return result == HEX_READ;
}

static bool read_words(struct hex *hex, const char **words, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        char where[48];
        snprintf(where, sizeof where, "argument %zu, ", i + 1);
        hex->line = hex->column = 1;
        if (!explain(hex, hex_read(hex, span_from_string(words[i])), where))
            return false;
    }
    return true;
}

static bool read_input(struct hex *hex)
{
    char area[16384];
    size_t n;
    while ((n = fread(area, 1, sizeof area, stdin)) > 0)
        if (!explain(hex, hex_read(hex, span_of(area, n)), ""))
            return false;
    if (ferror(stdin))
        complain("standard input: %s", strerror(errno));
    return !ferror(stdin);
}

static void print_field(void *context, const char *name, const char *value)
{
    (void)context;
    printf("  %-28s%s\n", name, value);
}

static bool print_pdu(struct span octets, size_t number, bool show_texts)
{
    struct reader r = reader_over(span_of(octets.data + 4, 4));
    const char *name = command_name(read_u32(&r));
    printf("%sPDU %zu: %s, %zu octets\n", number > 1 ? "\n" : "", number,
           name != NULL ? name : "unknown command", octets.length);
    return show_pdu(octets, show_texts, print_field, NULL);
}

/* Whole PDUs, one behind the other. False after a complaint about what could not be read. */
static bool print_pdus(struct span octets, bool show_texts)
{
    bool good = true;
    size_t at = 0, number = 1;
    for (; at < octets.length; number++) {
        struct span rest = span_of(octets.data + at, octets.length - at);
        struct pdu_header header;
        enum frame_result result = decode_frame(rest, PDU_MAX, &header);
        if (result == FRAME_WHOLE) {
            rest.length = header.command_length;
            good &= print_pdu(rest, number, show_texts);
            at += rest.length;
            continue;
        }
        if (result == FRAME_BAD_LENGTH)
            complain("PDU %zu, at octet %zu: its command_length is %u; %u to %u can be", number, at,
                     (unsigned)header.command_length, SMPP_HEADER_SIZE, PDU_MAX);
        else if (rest.length < SMPP_HEADER_SIZE)
            complain("PDU %zu, at octet %zu: %zu octets are there, and a header has %u", number, at,
                     rest.length, SMPP_HEADER_SIZE);
        else
            complain("PDU %zu, at octet %zu: it says that it has %u octets, and %zu are there",
                     number, at, (unsigned)header.command_length, rest.length);
        if (rest.length >= SMPP_HEADER_SIZE)
            (void)print_pdu(rest, number, show_texts);
        return false;
    }
    return good;
}

static int run(const char **words, size_t count, bool show_texts)
{
    struct hex hex;
    hex_init(&hex, SHOWN_PDUS_MAX);
    bool read = count > 0 ? read_words(&hex, words, count) : read_input(&hex);
    bool good = read && print_pdus(buffer_span(&hex.octets), show_texts);
    if (read && hex.half >= 0)
        complain("the last octet has one digit only");
    else if (read && buffer_length(&hex.octets) == 0)
        complain("no octets were given");
    good = good && hex.half < 0 && buffer_length(&hex.octets) > 0;
    hex_release(&hex);
    return good ? EXIT_DONE : EXIT_REFUSED;
}

int command_pdu(const struct cli *cli, int argc, char **argv)
{
    (void)cli;
    bool show_texts = false;
    const struct option_row rows[] = {
        {"show-texts", NULL, "texts and numbers too; else their length or shape alone", NULL,
         &show_texts},
    };
    const struct usage usage = {
        .synopsis = "assent pdu [--show-texts] [HEX...]",
        .about = "Shows SMPP PDUs field by field. HEX may have spaces, and hold several PDUs one\n"
                 "behind the other; without it, standard input is read. Needs no gateway.\n"
                 "Passwords are never shown. Exit code 1 when something cannot be read.",
        .rows = rows,
        .row_count = sizeof rows / sizeof rows[0],
    };
    size_t count;
    const char **words = check_calloc((size_t)argc, sizeof *words);
    enum options_result result = options_read(&usage, argc, argv, words, (size_t)argc, &count);
    int code = result == OPTIONS_READ ? run(words, count, show_texts) : options_exit(result);
    free(words);
    return code;
}
