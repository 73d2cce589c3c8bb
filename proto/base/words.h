/* SPDX-License-Identifier: Apache-2.0 */
/* Words behind spaces, as the texts are that gateways leave each other in Redis. What is taken goes from the front of
 * `text`; where it is not there they say false, and nothing goes. */
#ifndef PROTO_BASE_WORDS_H
#define PROTO_BASE_WORDS_H

#include "proto/base/span.h"

/* Decimal up to `most`, without leading zeros. */
bool take_decimal(struct span *text, uint64_t most, uint64_t *ret_value);

bool take_space(struct span *text);

#endif
