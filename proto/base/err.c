/* SPDX-License-Identifier: Apache-2.0 */
#include "proto/base/err.h"

const char *err_name(enum err err)
{
    switch (err) {
    case ERR_OK:
        return "ok";
    case ERR_AGAIN:
        return "again";
    case ERR_FULL:
        return "full";
    case ERR_BAD_INPUT:
        return "bad_input";
    case ERR_NOT_FOUND:
        return "not_found";
    case ERR_EXISTS:
        return "exists";
    case ERR_DENIED:
        return "denied";
    case ERR_AWAY:
        return "away";
    case ERR_IO:
        return "io";
    case ERR_CORRUPT:
        return "corrupt";
    case ERR_VERSION:
        return "version";
    case ERR_NO_SPACE:
        return "no_space";
    }
    return "unknown";
}
