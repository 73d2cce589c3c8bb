/* SPDX-License-Identifier: Apache-2.0 */
/* Destroys one person's parts of records where they stand. Public parts, leaves and roots stay as they are, so
 * every proof does. Why a crash between any two steps is harmless stands at the top of ledger_writer.c.
 *
 * Both calls read every segment, take as long as that takes, and may run beside the writer in a process of
 * their own: they touch only records that are durable. In a sealed segment the rest is written anew without them
 * (consent/ledger_seal.h). */
#ifndef CONSENT_LEDGER_ERASE_H
#define CONSENT_LEDGER_ERASE_H

#include "consent/erased.h"
#include "proto/base/err.h"

/* Calls `found` for each record in reach with a personal part that holds the person's number, that is about a
 * message to it, or that says where the fingerprint of an erasure before denies, in ascending order; it gives false to
 * stop (ERR_IO then). `progress` now and then, with records read. */
struct erase_search {
    const char *directory;
    struct erase_reach reach;
    bool (*found)(void *context, uint64_t sequence);
    void (*progress)(void *context, uint64_t records);
    void *context;
};
MUST_CHECK enum err ledger_erase_find(const struct erase_search *search, const char **ret_why);

/* Destroys the personal parts of these records, ascending; again where that was begun before. ERR_CORRUPT where
 * one is not there. *ret_destroyed: parts that were there before. */
MUST_CHECK enum err ledger_erase(const char *directory, const uint64_t *records, size_t count,
                                 uint64_t *ret_destroyed, const char **ret_why);

#endif
