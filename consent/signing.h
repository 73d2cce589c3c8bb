/* SPDX-License-Identifier: Apache-2.0 */
/* What note.c needs of signing.c. */
#ifndef CONSENT_SIGNING_H
#define CONSENT_SIGNING_H

#include "consent/note.h"

void note_signer_signature(const struct note_signer *signer, struct span text,
                           uint8_t out[NOTE_SIGNATURE_SIZE]);
bool note_signature_holds(struct span text, const uint8_t signature[NOTE_SIGNATURE_SIZE],
                          const uint8_t public_key[NOTE_PUBLIC_KEY_SIZE]);

#endif
