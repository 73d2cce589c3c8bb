/* SPDX-License-Identifier: Apache-2.0 */
/* Signed notes (C2SP signed-note) with Ed25519, and checkpoints of a tree in them (C2SP
 * tlog-checkpoint). A checkpoint says: the first `size` records hash to `root`.
 *
 *     assent/gw1                                      origin: whose ledger
 *     1048576                                         records
 *     kYtYHCDy4t1PGo0wSbJrAIzPFl6bvXSZQLh4zUV1w4s=    root of their tree
 *
 *     — assent/gw1 5mVZ3G...                          a line a signature: name, base64(key id | signature)
 *
 * Nothing here does I/O but note_signer_read() and note_signer_make(). */
#ifndef CONSENT_NOTE_H
#define CONSENT_NOTE_H

#include "consent/digest.h"
#include "proto/base/err.h"
#include "proto/base/limits.h"

#define NOTE_PUBLIC_KEY_SIZE 32
#define NOTE_SIGNATURE_SIZE  64

/* Whom to believe: a name without blanks and plus signs, and a public key. */
struct note_key {
    char name[NOTE_NAME_SIZE];
    uint8_t public_key[NOTE_PUBLIC_KEY_SIZE];
};

/* First four octets of SHA-256(name | 0a | 01 | public key): tells keys of one name apart. */
uint32_t note_key_id(const struct note_key *key);

/* "assent/gw1+e66559dc+AZ...": what an outsider is given. */
#define NOTE_KEY_TEXT_SIZE (NOTE_NAME_SIZE + 1 + 8 + 1 + 44 + 1)
char *note_key_text(const struct note_key *key, char out[NOTE_KEY_TEXT_SIZE]);

/* ERR_BAD_INPUT where it is none, or its id is not the key's. */
MUST_CHECK enum err note_key_parse(const char *text, struct note_key *ret_key);

/* A private key. */
struct note_signer;

/* From a PEM file that is nobody else's to read. ERR_NOT_FOUND; else *ret_why is a sentence. */
MUST_CHECK enum err note_signer_read(const char *path, const char *name,
                                     struct note_signer **ret_signer, const char **ret_why);
/* Makes such a file, mode 0600, on disk with its name when this returns ERR_OK. */
MUST_CHECK enum err note_signer_make(const char *path, const char **ret_why);
const struct note_key *note_signer_key(const struct note_signer *signer);
void note_signer_free(struct note_signer *signer);

/* What is to be signed, its last newline included; the note gives room to NOTE_SIZE. Gives the note's
 * length. `note` begins with `length` octets of text, or with a signed note that gets one more. */
size_t note_sign(const struct note_signer *signer, char note[NOTE_SIZE], size_t length);

/* Whether `note` carries a good signature of `key` over its text. */
bool note_is_signed(struct span note, const struct note_key *key);

struct checkpoint {
    char origin[NOTE_NAME_SIZE];
    uint64_t size;
    struct digest root;
};

/* Writes the text to be signed; gives its length. */
size_t checkpoint_text(const struct checkpoint *checkpoint, char out[NOTE_SIZE]);

/* Reads a checkpoint at the front of `notes`; lines that later versions may put behind the root are passed
 * over. *ret_length is the whole note's, up to its last signature. Does not look at signatures. */
MUST_CHECK enum err checkpoint_read(struct span notes, struct checkpoint *ret_checkpoint,
                                    size_t *ret_length);

#endif
