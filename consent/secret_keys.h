/* SPDX-License-Identifier: Apache-2.0 */
/* The file of the keys of texts that are not kept (consent/secret.h).
 *
 *     DIRECTORY/text.keys   SECRET_KEYS_MAX sectors of 512 octets; mode 0600
 *
 *     sector   "ASNTKEY\n", u32 id, u32 CRC-32C of id and key, 32 key, zeros. A key that was destroyed is zeros;
 *              its id stays, so that ids never repeat.
 *
 * Why in place: a key that is overwritten where it stood is gone from that place of the disk, which a file made anew
 * and renamed would not give. (A file system that copies on write, a disk that remaps and a backup may each keep the
 * old octets: none of them can be reached from here. Leave the file out of backups.)
 *
 * Why a crash at any point is harmless: a key is given out only when its sector is synced, so a record that names it
 * is never there without it; a sector is written in one piece, and one that is torn holds a key that nobody has
 * been given, or one that was to go. A key that was to be destroyed may be there again after a crash: who
 * recovers destroys it again.
 *
 * Threads: secret_keys_work() is the ledger's (ledger_set_work()), the rest is the loop's. Keys do not stay in this
 * memory once they are given out. */
#ifndef CONSENT_SECRET_KEYS_H
#define CONSENT_SECRET_KEYS_H

#include "consent/secret.h"

struct secret_keys;

/* Makes the file where there is none. The directory must be locked (ledger_open()). */
MUST_CHECK enum err secret_keys_open(const char *directory, struct secret_keys **ret_keys,
                                     const char **ret_why);
void secret_keys_free(struct secret_keys *keys); /* NULL: nothing */

/* Gives every key that was in the file when it was opened, once; they are the caller's to destroy. */
void secret_keys_hand_over(struct secret_keys *keys,
                           void (*each)(void *context, uint32_t id,
                                        const uint8_t key[SECRET_KEY_SIZE]),
                           void *context);

/* A new key, which is on disk. False: none is ready now, or SECRET_KEYS_MAX are in use. */
MUST_CHECK bool secret_keys_take(struct secret_keys *keys, uint32_t *ret_id,
                                 uint8_t ret_key[SECRET_KEY_SIZE]);

/* Overwrites it in the file, soon. */
void secret_keys_destroy(struct secret_keys *keys, uint32_t id);

/* Spares are missing or keys are to be destroyed. */
bool secret_keys_have_work(struct secret_keys *keys);
/* Does it; waits for the disk. ERR_NO_SPACE: the rest is to be done later; ERR_IO is final (consent/ledger.h). */
MUST_CHECK enum err secret_keys_work(void *keys);

#endif
