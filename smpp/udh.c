/* SPDX-License-Identifier: Apache-2.0 */
/* User data header, 3GPP TS 23.040 section 9.2.3.24: a length octet, then elements of identifier,
 * length and data. */
#include "smpp/udh.h"

#include "proto/base/bytes.h"
#include "smpp/text.h"

#define ELEMENT_CONCAT_8  0x00
#define ELEMENT_CONCAT_16 0x08

size_t udh_write(uint8_t reference, uint8_t total, uint8_t part, uint8_t out[UDH_CONCAT_SIZE])
{
    out[0] = UDH_CONCAT_SIZE - 1;
    out[1] = ELEMENT_CONCAT_8;
    out[2] = 3;
    out[3] = reference;
    out[4] = total;
    out[5] = part;
    return UDH_CONCAT_SIZE;
}

/* An element whose length or counts make no sense is passed over, as the standard asks; of several
 * the last one holds. */
static void take_concat(struct span data, size_t reference_octets, struct udh *udh)
{
    if (data.length != reference_octets + 2)
        return;
    struct reader r = reader_over(data);
    uint16_t reference = reference_octets == 1 ? read_u8(&r) : read_u16(&r);
    uint8_t total = read_u8(&r), part = read_u8(&r);
    if (total == 0 || part == 0 || part > total)
        return;
    udh->concatenated = true;
    udh->reference = reference;
    udh->total = total;
    udh->part = part;
}

bool udh_parse(struct span octets, struct udh *ret_udh)
{
    if (octets.length == 0 || octets.data[0] >= octets.length)
        return false;
    struct udh udh = {
        .text = span_of(octets.data + 1 + octets.data[0], octets.length - 1 - octets.data[0])};
    struct reader r = reader_over(span_of(octets.data + 1, octets.data[0]));
    while (!r.failed && reader_left(&r) > 0) {
        uint8_t element = read_u8(&r);
        struct span data = read_span(&r, read_u8(&r));
        if (element == ELEMENT_CONCAT_8)
            take_concat(data, 1, &udh);
        else if (element == ELEMENT_CONCAT_16)
            take_concat(data, 2, &udh);
    }
    if (r.failed)
        return false;
    *ret_udh = udh;
    return true;
}
