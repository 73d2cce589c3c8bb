/* SPDX-License-Identifier: Apache-2.0 */
/* The language to answer in. A keyword tells it, unless people of several languages send the same word:
 * our own texts ask for STOP in French and Spanish too. Then the number's country tells it, where one
 * language is official there; else nothing does, and the program's own language is taken. */
#ifndef CONSENT_LANGUAGE_H
#define CONSENT_LANGUAGE_H

#include <stdint.h>

#include "consent/keyword.h"

/* "fr"; "" when the country code does not tell. */
const char *language_of_number(uint64_t number);

/* "fr"; "" when neither word nor number tells. */
const char *language_of_reply(const struct keyword_match *match, uint64_t number);

#endif
