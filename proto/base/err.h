/* SPDX-License-Identifier: Apache-2.0 */
/* The results that cross box borders. A function with richer results has an enum of its own. */
#ifndef PROTO_BASE_ERR_H
#define PROTO_BASE_ERR_H

#define MUST_CHECK __attribute__((warn_unused_result))

enum err {
    ERR_OK = 0,
    ERR_AGAIN,     /* not now; the same call may succeed later */
    ERR_FULL,      /* a named limit is reached */
    ERR_BAD_INPUT, /* the caller's data is wrong */
    ERR_NOT_FOUND,
    ERR_EXISTS,
    ERR_DENIED,   /* not allowed to this caller */
    ERR_AWAY,     /* a peer or store cannot be reached */
    ERR_IO,       /* the operating system refused; errno says why */
    ERR_CORRUPT,  /* stored data fails its checksum or makes no sense */
    ERR_VERSION,  /* stored data of another version */
    ERR_NO_SPACE, /* disk full */
};

/* One lower-case word, for logs: "no_space". */
const char *err_name(enum err err);

#endif
