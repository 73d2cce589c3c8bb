/* SPDX-License-Identifier: Apache-2.0 */
#include "consent/revocation.h"

#include <stddef.h>
#include <string.h>

#include "proto/number.h"

/* A day begins in UTC: before it does in Washington. +1 is more than the United States; who is there by
 * mistake is written to less, not more. */
static const struct revocation_rule rules[] = {
    {.name = "us/revoke-all@2027",
     .prefix = "1",
     .from_wall_ms = 1801353600000, /* 2027-01-31 */
     .source =
         "47 CFR 64.1200(a)(10): what is revoked in answer to one kind of message is revoked for "
         "all of that caller's; waived by the FCC to 31 January 2027"},
};

const struct revocation_rule *revocation_of_all(uint64_t number, uint64_t wall_ms)
{
    char digits[NUMBER_TEXT_SIZE];
    number_format(number, digits);
    const char *national = digits + (digits[0] == '+');
    for (size_t i = 0; i < sizeof rules / sizeof *rules; i++)
        if (wall_ms >= rules[i].from_wall_ms &&
            strncmp(national, rules[i].prefix, strlen(rules[i].prefix)) == 0)
            return &rules[i];
    return NULL;
}
