/* SPDX-License-Identifier: Apache-2.0 */
/* Writing the user data header of a part (reading it: udh_parse() in smpp/text.h). */
#ifndef SMPP_UDH_H
#define SMPP_UDH_H

#include <stddef.h>
#include <stdint.h>

#define UDH_CONCAT_SIZE 6

/* The 8-bit concatenation header; gives UDH_CONCAT_SIZE. */
size_t udh_write(uint8_t reference, uint8_t total, uint8_t part, uint8_t out[UDH_CONCAT_SIZE]);

#endif
