/* SPDX-License-Identifier: Apache-2.0 */
#include "gateway/cli/ledger_path.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "proto/base/check.h"

char *ledger_path(const struct cli *cli, const char *directory)
{
    if (directory != NULL)
        return check_strdup(directory);
    if (cli->config_path == NULL) {
        complain("where is the ledger? assent -c FILE, or its data directory");
        return NULL;
    }
    struct config *config = cli_load_config(cli);
    char *path = config == NULL ? NULL : check_strdup(config->data_dir);
    if (config != NULL)
        config_free(config);
    return path;
}

bool ledger_is_ours(const char *directory)
{
    struct stat status;
    if (stat(directory, &status) != 0 || status.st_uid == geteuid())
        return true; /* what else is wrong, the ledger tells */
    complain("%s belongs to another user: run this as the one that the gateway runs as", directory);
    return false;
}

char *read_file(const char *path, size_t limit, size_t *ret_length)
{
    FILE *file = fopen(path, "re");
    if (file == NULL) {
        complain("%s: %s", path, strerror(errno));
        return NULL;
    }
    char *octets = NULL;
    size_t room = 0, length = 0, n;
    do {
        room = room ? 2 * room : 4096;
        octets = check_realloc(octets, room + 1);
        n = fread(octets + length, 1, room - length, file);
        length += n;
    } while (length == room && length <= limit);
    bool bad = ferror(file) != 0;
    fclose(file);
    if (bad || length > limit) {
        complain("%s: %s", path, bad ? "cannot be read" : "is too large for what it should be");
        free(octets);
        return NULL;
    }
    octets[length] = '\0';
    *ret_length = length;
    return octets;
}
