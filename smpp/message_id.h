/* SPDX-License-Identifier: Apache-2.0 */
/* A carrier's message id, comparable: some carriers write it in hexadecimal in the submit_sm_resp and
 * in decimal in the receipt, or the reverse, or pad it with zeros in one of them. How each side writes
 * it is a setting; nothing is stripped or guessed here. */
#ifndef SMPP_MESSAGE_ID_H
#define SMPP_MESSAGE_ID_H

#include "proto/base/limits.h"
#include "proto/base/span.h"

enum id_form {
    ID_RAW, /* octets; compared as they are */
    ID_HEX, /* a hexadecimal number below 2^64, in either case */
    ID_DEC, /* a decimal number of any length */
    ID_FORMS,
};

const char *id_form_name(enum id_form form); /* "raw" */

/* What is compared: of a number its decimal digits without leading zeros, written into `out`; of
 * anything else, and of what is not the number that it should be, the octets themselves. At most
 * MESSAGE_ID_MAX octets of `id` count. Lives as long as both. */
struct span message_id_comparable(struct span id, enum id_form form, char out[MESSAGE_ID_MAX]);

#endif
