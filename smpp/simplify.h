/* SPDX-License-Identifier: Apache-2.0 */
/* Typographic characters by plain ones that look the same, so that a text may fit GSM 7-bit. Letters are
 * never touched: an accent can make another word. Pure. */
#ifndef SMPP_SIMPLIFY_H
#define SMPP_SIMPLIFY_H

#include "proto/base/span.h"

/* Gives the length of what stands in `out`, and how many characters were replaced; SIZE_MAX when it does
 * not fit `size`, or `utf8` is not UTF-8. */
size_t text_simplify(struct span utf8, char *out, size_t size, uint32_t *ret_replaced);

#endif
