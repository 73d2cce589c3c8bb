/* SPDX-License-Identifier: Apache-2.0 */
/* Protobuf messages as JSON for programs: field names as in the schema, enums as their lower-case
 * names (codes as gRPC writes them: "OK"), octets as hex, integers as integers (above 2^63 as strings). One object a line. */
#ifndef GATEWAY_CLI_JSON_H
#define GATEWAY_CLI_JSON_H

#include <jansson.h>
#include <stdio.h>

#include "proto/event.pb-c.h"

/* The caller owns the reference. */
json_t *message_json(const ProtobufCMessage *message);

/* {"sequence":..., "time":..., "kind":"accepted", "accepted":{...}, "personal":{...}} */
json_t *event_json(uint64_t sequence, const Assent__V1__Event *event,
                   const Assent__V1__Personal *personal);

/* One line; frees the object. */
void json_line(json_t *object, FILE *out);

#endif
