/* SPDX-License-Identifier: Apache-2.0 */
/* Complaints as ledgers tell them: opened, and resolved where they are. */
#ifndef GATEWAY_CLI_COMPLAINT_READ_H
#define GATEWAY_CLI_COMPLAINT_READ_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "gateway/cli/cli.h"

#define COMPLAINT_LEDGERS_MAX 16

struct complaint_entry {
    unsigned ledger;     /* index of its directory */
    uint64_t id, number; /* number 0: erased */
    unsigned channel, type;
    uint64_t received_ms, due_ms, hold, first_message;
    uint32_t program; /* scope */
    char sender[17], carrier[NAME_OCTETS_MAX + 1], who[NAME_OCTETS_MAX + 1];
    char case_reference[REFERENCE_OCTETS_MAX + 1];
    bool held_before;
    char *words;
    bool resolved;
    uint64_t resolved_ms, release;
    unsigned finding;
    char *cause, *action, *answer, *resolved_by; /* NULL while it is open */
};

struct complaint_book {
    const char *directories[COMPLAINT_LEDGERS_MAX];
    char nodes[COMPLAINT_LEDGERS_MAX][NAME_OCTETS_MAX + 1];
    unsigned ledger_count;
    struct complaint_entry *entries; /* in the order in which they were received */
    size_t count, room;
    char *scope_names[COMPLAINT_LEDGERS_MAX][SCOPE_MAX + 1]; /* "program:offers" */
};

/* Reads the ledgers of book->directories. False after a complaint. */
bool complaint_book_read(struct complaint_book *book);
/* What of program, sender and carrier nobody said, is that of the message named first, else of the latest one to
 * the number before the complaint. Reads the ledgers once more, if any is missing. */
bool complaint_book_attribute(struct complaint_book *book);
void complaint_book_release(struct complaint_book *book);

/* "offers"; "" where it is not known. */
const char *complaint_program(const struct complaint_book *book,
                              const struct complaint_entry *entry);

/* The ledgers that a command reads: -c FILE or --data DIR, then `words`. False after a complaint. *ret_own is to
 * be freed after the book. */
bool complaint_ledgers(const struct cli *cli, const char *data, const char *const *words,
                       size_t word_count, struct complaint_book *book, char **ret_own);

#endif
