/* SPDX-License-Identifier: Apache-2.0 */
/* A list of numbers that nothing may be sent from, as carriers and regulators hand it out. A number a line,
 * or the beginning of numbers with * behind it; a + in front and spaces around do not count, # begins a
 * comment.
 *
 *     # toll-free numbers that only receive
 *     18885550100
 *     +1900*
 *
 * Pure. One bad line and there is no list: half of it would let through what the rest forbids. */
#ifndef CONSENT_NUMBER_LIST_H
#define CONSENT_NUMBER_LIST_H

#include <stdbool.h>
#include <stddef.h>

#include "proto/base/span.h"

struct number_list;

struct number_list_fault {
    unsigned line;
    const char *why; /* static */
};

/* NULL, and why. The text need not outlive it. */
struct number_list *number_list_parse(struct span text, struct number_list_fault *ret_fault);
void number_list_free(struct number_list *list);

/* `number`: digits. What is none, as a sender with letters, is in no list. */
bool number_list_has(const struct number_list *list, const char *number);
size_t number_list_count(const struct number_list *list); /* lines that count, doubles once */

#endif
