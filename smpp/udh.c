/* SPDX-License-Identifier: Apache-2.0 */
/* A length octet, then elements of identifier, length and data. */
#include "smpp/udh.h"

#include "proto/base/bytes.h"

#define ELEMENT_CONCAT_8      0x00
#define ELEMENT_CONCAT_16     0x08
#define ELEMENT_SINGLE_SHIFT  0x24
#define ELEMENT_LOCKING_SHIFT 0x25
#define CONCAT_LENGTH(wide)   ((wide) ? 6 : 5) /* of the whole element */
#define SHIFT_LENGTH          3

size_t udh_length(const struct udh_out *udh)
{
    size_t length = udh->total ? CONCAT_LENGTH(udh->wide) : 0;
    length += udh->locking ? SHIFT_LENGTH : 0;
    length += udh->single ? SHIFT_LENGTH : 0;
    return length > 0 ? length + 1 : 0;
}

static void write_shift(struct writer *w, uint8_t element, uint8_t language)
{
    if (language == 0)
        return;
    write_u8(w, element);
    write_u8(w, 1);
    write_u8(w, language);
}

size_t udh_write(const struct udh_out *udh, uint8_t out[UDH_MAX])
{
    size_t length = udh_length(udh);
    if (length == 0)
        return 0;
    struct writer w = writer_over(out, length);
    write_u8(&w, (uint8_t)(length - 1));
    if (udh->total) {
        write_u8(&w, udh->wide ? ELEMENT_CONCAT_16 : ELEMENT_CONCAT_8);
        write_u8(&w, udh->wide ? 4 : 3);
        if (udh->wide)
            write_u16(&w, udh->reference);
        else
            write_u8(&w, (uint8_t)udh->reference);
        write_u8(&w, udh->total);
        write_u8(&w, udh->part);
    }
    write_shift(&w, ELEMENT_SINGLE_SHIFT, udh->single);
    write_shift(&w, ELEMENT_LOCKING_SHIFT, udh->locking);
    return length;
}

/* An element whose length or counts make no sense is passed over, as the standard asks; of several
 * the last one holds. */
static void take_concat(struct span data, bool wide, struct udh *udh)
{
    if (data.length != (wide ? 4u : 3u))
        return;
    struct reader r = reader_over(data);
    uint16_t reference = wide ? read_u16(&r) : read_u8(&r);
    uint8_t total = read_u8(&r), part = read_u8(&r);
    if (total == 0 || part == 0 || part > total)
        return;
    udh->concatenated = true;
    udh->wide = wide;
    udh->reference = reference;
    udh->total = total;
    udh->part = part;
}

static void take_element(uint8_t element, struct span data, struct udh *udh)
{
    switch (element) {
    case ELEMENT_CONCAT_8:
    case ELEMENT_CONCAT_16:
        take_concat(data, element == ELEMENT_CONCAT_16, udh);
        return;
    case ELEMENT_SINGLE_SHIFT:
        udh->single = data.length == 1 ? data.data[0] : udh->single;
        return;
    case ELEMENT_LOCKING_SHIFT:
        udh->locking = data.length == 1 ? data.data[0] : udh->locking;
        return;
    default:
        return; /* ports, pictures and the like */
    }
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
        if (!r.failed)
            take_element(element, data, &udh);
    }
    if (r.failed)
        return false;
    *ret_udh = udh;
    return true;
}
