/* SPDX-License-Identifier: Apache-2.0 */
/* A PDU for people: one name and one value a field, in the order of its octets. Pure.
 *
 * Unless `private_too`, numbers and names are shown by their shape ("+###########", "aaaa") and texts
 * by their length: the shape is what a carrier's habits show in. Passwords are never shown. Values are
 * printable ASCII or UTF-8 without control characters; strings stand in quotes; octets are hex. */
#ifndef SMPP_SHOW_H
#define SMPP_SHOW_H

#include "proto/base/span.h"

/* Spans beyond SHOW_OCTETS_MAX are cut, and the value says so. */
#define SHOW_OCTETS_MAX 512

typedef void show_field(void *context, const char *name, const char *value);

/* False when the PDU, of at least SMPP_HEADER_SIZE octets, is malformed: then a field "malformed" says
 * where, and "rest" has what is left of it. */
bool show_pdu(struct span pdu, bool private_too, show_field *each, void *context);

#endif
