/* SPDX-License-Identifier: Apache-2.0 */
/* The key of fingerprints of erased people, for commands that ask Redis beside a gateway. */
#ifndef GATEWAY_CLI_PERSON_KEY_H
#define GATEWAY_CLI_PERSON_KEY_H

#include <stdbool.h>

#include "proto/base/err.h"

/* Takes it from the data directory. None is there before the gateway has met Redis: nobody has been erased then.
 * False after a complaint: it cannot be read. */
MUST_CHECK bool person_key_read(const char *data_dir);

#endif
