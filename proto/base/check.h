/* SPDX-License-Identifier: Apache-2.0 */
/* CHECK() states an invariant of this program. It is always on. A bug is not an error: when one is
 * false the process ends at once, before it can send a message that nobody agreed to. Bad input,
 * full disks and lost peers are ordinary results and never reach a CHECK. */
#ifndef PROTO_BASE_CHECK_H
#define PROTO_BASE_CHECK_H

#include <stddef.h>

#define CHECK(condition)                                                                           \
    ((condition) ? (void)0 : check_failed(#condition, __FILE__, __LINE__, __func__))

/* Prints the condition and its place on stderr and aborts. Never prints data. */
_Noreturn void check_failed(const char *condition, const char *file, int line,
                            const char *function);

/* malloc family that ends the process when memory is gone: every growable thing has a limit, so
 * this is a wrong limit, not a condition to handle. */
void *check_malloc(size_t size);
void *check_calloc(size_t count, size_t size);
void *check_realloc(void *old, size_t size);
char *check_strdup(const char *s);

#endif
