/* SPDX-License-Identifier: Apache-2.0 */
/* What snapshot.c needs of ledger_reader.c. */
#ifndef CONSENT_LEDGER_READER_H
#define CONSENT_LEDGER_READER_H

#include "consent/ledger.h"

/* A reader of the `records` records of a snapshot that was found valid. Takes `fd` over. */
struct ledger_reader *reader_over_snapshot(int fd, uint64_t records);

#endif
