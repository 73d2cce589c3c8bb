/* SPDX-License-Identifier: Apache-2.0 */
#include "gateway/cli/person_key.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "consent/person.h"
#include "gateway/cli/cli.h"

bool person_key_read(const char *data_dir)
{
    char path[4096];
    uint8_t key[PERSON_KEY_SIZE];
    snprintf(path, sizeof path, "%s/person.key", data_dir);
    FILE *file = fopen(path, "rb");
    if (file == NULL && errno == ENOENT)
        return true;
    bool good = file != NULL && fread(key, 1, sizeof key, file) == sizeof key;
    if (good)
        person_key_set(key);
    else
        complain("%s cannot be read%s%s", path, file == NULL ? ": " : "",
                 file == NULL ? strerror(errno) : "");
    if (file != NULL)
        fclose(file);
    explicit_bzero(key, sizeof key);
    return good;
}
