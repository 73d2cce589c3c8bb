/* SPDX-License-Identifier: Apache-2.0 */
/* Tells a torn tail from damage. Both look the same at the first octet that is not a valid record;
 * but the first record written after each sync is a barrier, and a barrier behind that place proves
 * that what stood there had been durable. */
#ifndef CONSENT_LEDGER_DAMAGE_H
#define CONSENT_LEDGER_DAMAGE_H

#include <stdbool.h>
#include <stdint.h>

/* Whether a barrier, a record with a number in (sequence, limit), stands behind `offset`, where record
 * `sequence` should be and is not valid. Looks at every octet up to the end of the file. True too when
 * the file cannot be read or looks made to keep us busy: the caller then refuses, which loses nothing. */
bool damage_before_barrier(int fd, uint64_t offset, uint64_t sequence, uint64_t limit);

#endif
