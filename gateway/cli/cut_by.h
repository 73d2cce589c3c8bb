/* SPDX-License-Identifier: Apache-2.0 */
/* By which rule records of a ledger were taken by age, in words for whoever looks for one of them. */
#ifndef GATEWAY_CLI_CUT_BY_H
#define GATEWAY_CLI_CUT_BY_H

#include <stdbool.h>
#include <stdint.h>

#define CUT_BY_SIZE 256

/* "existed; reduced to its hash on or after T, as older than A (record #N)", where record `sequence` is not there any
 * more and the ledger says so. False: it does not, or cannot be read. */
bool cut_by_text(const char *directory, uint64_t sequence, char out[CUT_BY_SIZE]);

/* What was taken of the whole ledger: "12,345 records up to T were taken by retention ...". False: nothing was. */
bool cut_summary(const char *directory, char out[CUT_BY_SIZE]);

#endif
