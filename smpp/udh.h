/* SPDX-License-Identifier: Apache-2.0 */
/* The user data header of a part, 3GPP TS 23.040 section 9.2.3.24. */
#ifndef SMPP_UDH_H
#define SMPP_UDH_H

#include <stddef.h>
#include <stdint.h>

#include "proto/base/span.h"

#define UDH_MAX 14 /* of those written here: length, 16-bit concatenation, two shifts */

/* What udh_write() announces; a member that is 0 is left out. */
struct udh_out {
    uint8_t locking, single; /* enum national_language */
    uint8_t total, part;     /* with total 0 the text is whole */
    bool wide;               /* the reference has 16 bits, not 8 */
    uint16_t reference;
};

/* Gives the length: 0 where there is nothing to announce. */
size_t udh_write(const struct udh_out *udh, uint8_t out[UDH_MAX]);
size_t udh_length(const struct udh_out *udh);

/* The user data header of a received message with ESM_UDHI. False when it is malformed. */
struct udh {
    struct span text; /* what follows the header */
    bool concatenated;
    bool wide; /* the reference has 16 bits */
    uint16_t reference;
    uint8_t total, part;     /* from 1 */
    uint8_t locking, single; /* national language identifiers, 0 for none */
};
bool udh_parse(struct span octets, struct udh *ret_udh);

#endif
