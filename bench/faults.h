/* SPDX-License-Identifier: Apache-2.0 */
/* What real carriers do that a gateway must live through, as one table: a row is a fault with a name,
 * what may be said about it, and what it does. The command line, its help, smsc-sim's hooks and the
 * end-to-end tests all use this table, so that adding a fault is a row here, a few lines at a hook
 * and a test.
 *
 * A fault is asked for as NAME, NAME:VALUE, NAME:SHARE or NAME:VALUE:SHARE. Faults draw from a random
 * source of their own: one seed gives one behaviour, and a fault that is not played changes nothing.
 * Pure. */
#ifndef BENCH_FAULTS_H
#define BENCH_FAULTS_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "proto/base/rng.h"

enum fault {
    /* receipts: when, how many */
    FAULT_EARLY_RECEIPT,
    FAULT_LATE_RECEIPT,
    FAULT_DOUBLE_RECEIPT,
    FAULT_CONTRADICTORY_RECEIPT,
    FAULT_INTERMEDIATE_RECEIPT,
    FAULT_UNKNOWN_RECEIPT,
    FAULT_RECEIPT_OTHER_SESSION,
    FAULT_RECEIPT_LAST_PART,
    FAULT_RECEIPT_FLOOD,
    /* receipts: how they are written */
    FAULT_RECEIPT_IN_DATA_SM,
    FAULT_RECEIPT_PAYLOAD,
    FAULT_RECEIPT_TEXT_ONLY,
    FAULT_RECEIPT_TLV_ONLY,
    FAULT_RECEIPT_TLV_ERROR,
    FAULT_RECEIPT_TLV_ASCII_ERROR,
    FAULT_RECEIPT_TEXT_VARIANTS,
    /* message ids */
    FAULT_RECEIPT_IDS_HEX,
    FAULT_RECEIPT_IDS_DEC,
    FAULT_RECEIPT_IDS_LEADING_ZEROS,
    FAULT_IDS_UUID,
    FAULT_IDS_LONG,
    FAULT_DUPLICATE_ID,
    FAULT_NO_ID,
    /* answers */
    FAULT_HEADER_ONLY_RESP,
    FAULT_ERROR_WITHOUT_BODY,
    FAULT_ERROR_WITH_BODY,
    FAULT_STATUS,
    FAULT_VENDOR_STATUS,
    FAULT_QUEUE_FULL,
    FAULT_REFUSE_UDH,
    FAULT_REFUSE_SAR,
    FAULT_REFUSE_PAYLOAD,
    FAULT_THROTTLE,
    FAULT_WINDOW,
    FAULT_NACK,
    FAULT_NACK_ZERO,
    FAULT_NO_ANSWER,
    FAULT_LATE_ANSWER,
    FAULT_DOUBLE_ANSWER,
    /* texts */
    FAULT_ALPHABET_LATIN1,
    FAULT_ALPHABET_ASCII,
    /* binding */
    FAULT_BAD_PASSWORD,
    FAULT_RALYBND,
    FAULT_WRONG_BIND_RESP,
    FAULT_BIND_RESP_HEADER_ONLY,
    FAULT_BIND_WITH_DELIVER,
    FAULT_ENQUIRE_BEFORE_BIND,
    FAULT_OUTBIND,
    /* PDUs */
    FAULT_ALERT_NOTIFICATION,
    FAULT_UNKNOWN_COMMAND,
    FAULT_BAD_LENGTH,
    FAULT_HIGH_SEQUENCE,
    FAULT_SEQUENCE_ZERO,
    /* octets */
    FAULT_SPLIT_LENGTH,
    FAULT_DRIP,
    FAULT_MANY_IN_ONE,
    FAULT_SLOW_READER,
    /* sessions */
    FAULT_UNBIND_IN_FLIGHT,
    FAULT_DROP_CONNECTION,
    FAULT_HALF_OPEN,
    FAULT_ENQUIRE_SILENCE,
    /* replies */
    FAULT_MO_PARTS,
    FAULT_MO_PAYLOAD,
    FAULT_MO_255_OCTETS,
    FAULT_MO_WITH_PLUS,
    FAULT_MO_WITH_00,
    FAULT_MO_NATIONAL,
    FAULT_MO_REDELIVERY,
    FAULT_FAKE_RECEIPT_TEXT,
    FAULTS
};

enum fault_value { VALUE_NONE, VALUE_TIME, VALUE_COUNT, VALUE_STATUS };

struct fault_row {
    const char *name;
    enum fault_value value;
    uint64_t fallback;  /* of the value; a time is in microseconds */
    uint32_t share_ppm; /* where none is said; 0: this fault takes no share, it is always there */
    const char *what;   /* in one line; N and TIME are the value */
    const char *about;  /* the habit of carriers that it plays */
};

extern const struct fault_row fault_rows[FAULTS];

struct faults {
    bool on[FAULTS];
    uint64_t value[FAULTS];
    uint32_t share_ppm[FAULTS];
    uint64_t struck[FAULTS]; /* how often it was played */
    bool any;
    struct rng rng;
};

/* Switches on what `text` asks for. False and *ret_why (a constant) when it cannot be played. */
bool faults_parse(struct faults *faults, const char *text, const char **ret_why);

/* Is it to happen now? Counts it. */
bool fault_strikes(struct faults *faults, enum fault fault);

/* The same for a fault that strikes at each value-th of what `count` counts from 1. */
bool fault_strikes_at(struct faults *faults, enum fault fault, uint64_t count);

/* For --help, in columns; for tests, a line a fault: name, example with its defaults, what and about,
 * parted by tabs. */
void faults_print_help(FILE *file);
void faults_print_list(FILE *file);

#endif
