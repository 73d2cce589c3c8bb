/* SPDX-License-Identifier: Apache-2.0 */
/* Files that are compiled in as they stand: those of consent/data, and how their lines are read, a row a line, # at
 * its beginning makes it a comment, a tab between columns; and consent/store_erase.lua. Pure. */
#ifndef CONSENT_DATA_H
#define CONSENT_DATA_H

#include <stdbool.h>

#include "proto/base/span.h"

extern const unsigned char data_keywords[], data_replies[], data_erase[];
extern const size_t data_keywords_length, data_replies_length, data_erase_length;

/* Takes the next line that is no comment and not empty off `data`; false at its end. */
bool data_line(struct span *data, struct span *ret_line);

/* Takes the next column off `line`; false when there is none. */
bool data_column(struct span *line, struct span *ret_column);

#endif
