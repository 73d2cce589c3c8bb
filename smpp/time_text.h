/* SPDX-License-Identifier: Apache-2.0 */
/* Times as PDUs have them, section 7.1.1: 16 characters and a NUL. Pure. */
#ifndef SMPP_TIME_TEXT_H
#define SMPP_TIME_TEXT_H

#include <stdint.h>

#include "smpp/pdu.h"

#define TIME_TEXT_SIZE (TIME_TEXT_MAX + 1)

/* From the peer's now on: "000002030405000R". At most 99 days; more is cut to that. */
void time_text_relative(uint64_t ms, char out[TIME_TEXT_SIZE]);

/* A moment in UTC: "261122024500000+". */
void time_text_absolute(uint64_t wall_ms, char out[TIME_TEXT_SIZE]);

#endif
