/* SPDX-License-Identifier: Apache-2.0 */
/* Any PDU of SMPP 3.4 as a list of named fields, in the order of its octets, by tables of section 4.
 * For those who look at PDUs (the printer, tests); those who act on messages have decode.h. Pure,
 * without allocation; views live as long as the PDU.
 *
 *     struct fields walk;
 *     struct field field;
 *     for (fields_begin(&walk, pdu); fields_next(&walk, &field);)
 *         ...
 *
 * The walk ends behind the last TLV, or at the first octets that cannot be read: these are a last
 * field of kind FIELD_BROKEN. A response may end behind any of its mandatory fields, and the last
 * mandatory string of a PDU may lack its NUL, as carriers write them. */
#ifndef SMPP_FIELDS_H
#define SMPP_FIELDS_H

#include "proto/base/bytes.h"
#include "smpp/pdu.h"

enum field_kind {
    FIELD_INTEGER, /* `value`, of 1, 2 or 4 octets */
    FIELD_STRING,  /* `octets` without the NUL */
    FIELD_OCTETS,
    FIELD_BROKEN /* `octets` is the rest of the PDU, `name` the field that they should have held */
};

/* Whether a field may be shown to everybody. */
enum field_privacy {
    FIELD_OPEN,
    FIELD_ADDRESS, /* somebody's number, or a sender's name */
    FIELD_TEXT,    /* what somebody wrote */
    FIELD_SECRET   /* a password: shown to nobody */
};

struct field {
    const char *name; /* as SMPP 3.4 has it; NULL for a TLV without a name there */
    enum field_kind kind;
    enum field_privacy privacy;
    bool is_tlv;
    uint16_t tag;  /* of a TLV */
    size_t offset; /* of its octets in the PDU; of a TLV's value */
    uint32_t value;
    struct span octets;
};

struct field_row; /* of the tables */

struct fields {
    struct span pdu;
    struct reader r;
    const struct field_row *row;   /* the next one; NULL: TLVs */
    const struct field_row *outer; /* where to go on behind a list's entry; NULL outside of lists */
    uint8_t counted;               /* the last length or number of entries */
    bool lenient, ended;
};

/* `pdu` has a header, and its command_length is believed by nobody here: the span's length counts. The
 * header's four integers are the first fields. */
void fields_begin(struct fields *walk, struct span pdu);
bool fields_next(struct fields *walk, struct field *ret_field);

/* "submit_sm", "submit_sm_resp"; NULL for what SMPP 3.4 does not know. */
const char *command_name(uint32_t command_id);

#endif
