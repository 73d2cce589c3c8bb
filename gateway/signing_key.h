/* SPDX-License-Identifier: Apache-2.0 */
/* The key that signs the ledger's checkpoints.
 *
 *     DATA/ledger.key       Ed25519, PEM; made at the first start
 *     DATA/ledger.key.next  about to take over: named in the ledger first, so that a crash at any point
 *                           leaves a key that the ledger knows */
#ifndef GATEWAY_SIGNING_KEY_H
#define GATEWAY_SIGNING_KEY_H

#include "consent/ledger.h"
#include "consent/note.h"

/* The key of `data_dir`. ERR_NOT_FOUND: there is none yet. */
MUST_CHECK enum err signing_key_read(const char *data_dir, const char *node,
                                     struct note_signer **ret_signer, const char **ret_why);

/* The same, made and recorded where there is none and never was one; the ledger is signed with it from now
 * on. Waits for the disk then. */
MUST_CHECK enum err signing_key_open(const char *data_dir, const char *node, struct ledger *ledger,
                                     struct note_signer **ret_signer, const char **ret_why);

/* A new key takes over from `previous` (NULL: it was lost): recorded, and where there is a previous one, a
 * checkpoint that both have signed is on disk when this returns ERR_OK. */
MUST_CHECK enum err signing_key_rotate(const char *data_dir, const char *node,
                                       struct ledger *ledger, const struct note_signer *previous,
                                       struct note_signer **ret_signer, const char **ret_why);

#endif
