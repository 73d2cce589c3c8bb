/* SPDX-License-Identifier: Apache-2.0 */
/* Octets as people paste them: hexadecimal digits, with white space wherever they like. */
#ifndef GATEWAY_CLI_HEX_H
#define GATEWAY_CLI_HEX_H

#include "proto/base/bytes.h"

struct hex {
    struct buffer octets;
    int half;              /* the first digit of an octet, or -1 */
    unsigned line, column; /* of the next character, from 1 */
};

enum hex_result {
    HEX_READ,
    HEX_NO_DIGIT, /* `line` and `column` say where it stands */
    HEX_TOO_MANY  /* more than `limit` octets */
};

void hex_init(struct hex *hex, size_t limit);
void hex_release(struct hex *hex);
enum hex_result hex_read(struct hex *hex, struct span text);

#endif
