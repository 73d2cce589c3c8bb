/* SPDX-License-Identifier: Apache-2.0 */
/* The words of a complaint, as people write them and as metrics label them: how it came in, what it is about,
 * what was found. Pure; the engine and the command line share it. */
#ifndef GATEWAY_COMPLAINT_H
#define GATEWAY_COMPLAINT_H

#include <stdbool.h>

#include "proto/event.pb-c.h"

#define COMPLAINT_CHANNELS 6 /* Assent__V1__ComplaintChannel, unspecified included; */
#define COMPLAINT_TYPES    6 /* and so on */
#define COMPLAINT_FINDINGS 6

const char *
complaint_channel_name(unsigned channel); /* "regulator"; "unknown" of a number that is none */
const char *complaint_type_name(unsigned type);       /* "rule-breach" */
const char *complaint_finding_name(unsigned finding); /* "sent-in-error" */

/* The number that a word stands for; 0: none. */
unsigned complaint_channel_of(const char *word);
unsigned complaint_type_of(const char *word);
unsigned complaint_finding_of(const char *word);

/* The words that are allowed: "reply, support, ..." */
extern const char complaint_channel_words[], complaint_type_words[], complaint_finding_words[];

/* Who complained without reason may be sent to again; who was right may not, before they say so themselves. */
bool complaint_may_release(unsigned finding);

#endif
