/* SPDX-License-Identifier: Apache-2.0 */
#include "proto/base/check.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

_Noreturn void check_failed(const char *condition, const char *file, int line, const char *function)
{
    fprintf(stderr, "level=fatal event=check_failed condition=\"%s\" at=%s:%d function=%s\n",
            condition, file, line, function);
    abort();
}

void *check_malloc(size_t size)
{
    void *p = malloc(size ? size : 1);
    CHECK(p != NULL);
    return p;
}

void *check_calloc(size_t count, size_t size)
{
    void *p = calloc(count ? count : 1, size ? size : 1);
    CHECK(p != NULL);
    return p;
}

void *check_realloc(void *old, size_t size)
{
    void *p = realloc(old, size ? size : 1);
    CHECK(p != NULL);
    return p;
}

char *check_strdup(const char *s)
{
    size_t length = strlen(s) + 1;
    return memcpy(check_malloc(length), s, length);
}
