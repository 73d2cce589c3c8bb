/* SPDX-License-Identifier: Apache-2.0 */
#include "proto/base/rng.h"

#include <sys/random.h>

#include "proto/base/check.h"

void rng_secret(void *out, size_t length)
{
    uint8_t *p = out;
    while (length > 0) {
        ssize_t n = getrandom(p, length, 0);
        CHECK(n > 0);
        p += n;
        length -= (size_t)n;
    }
}
