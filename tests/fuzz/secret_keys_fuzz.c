/* SPDX-License-Identifier: Apache-2.0 */
/* A file of keys that somebody made: arbitrary octets, and sectors whose marks and checksums are right where the first
 * octet says so. Whatever is in it, it is opened or refused; its keys are given out once, new ones are made beside
 * them, and after another start they are the same, but for those that were destroyed. */
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "consent/crc32c.h"
#include "consent/ledger_files.h"
#include "consent/secret_keys.h"
#include "proto/base/bytes.h"
#include "proto/base/check.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { WITH_CHECKSUMS = 1, ANY_LENGTH = 2 };

#define SECTOR 512u
#define OCTETS (SECRET_KEYS_MAX * SECTOR)

static char directory[] = "/dev/shm/assent-fuzz-XXXXXX";
static char path[64];

struct found {
    unsigned count;
    uint32_t ids[SECRET_KEYS_MAX];
};

static int sync_nothing(int fd)
{
    (void)fd;
    return 0;
}

static void remove_all(void)
{
    unlink(path);
    rmdir(directory);
}

static void prepare(void)
{
    if (path[0] != '\0')
        return;
    ledger_io.fdatasync = ledger_io.fsync = sync_nothing;
    CHECK(mkdtemp(directory) != NULL);
    snprintf(path, sizeof path, "%s/text.keys", directory);
    CHECK(atexit(remove_all) == 0);
}

/* Sectors that are not all zeros get a mark, a checksum and zeros behind the key. */
static void make_valid(uint8_t sector[SECTOR])
{
    memcpy(sector, "ASNTKEY\n", 8);
    store_u32(sector + 12, crc32c(crc32c(0, sector + 8, 4), sector + 16, SECRET_KEY_SIZE));
    memset(sector + 16 + SECRET_KEY_SIZE, 0, SECTOR - 16 - SECRET_KEY_SIZE);
}

/* Each 40 octets of the input are what a sector holds behind its mark, but for the checksum. */
static void fill(uint8_t octets[OCTETS], const uint8_t *data, size_t size, bool with_checksums)
{
    memset(octets, 0, OCTETS);
    for (unsigned i = 0; i < SECRET_KEYS_MAX && size >= 40; i++, data += 40, size -= 40) {
        uint8_t *sector = octets + (size_t)i * SECTOR;
        memcpy(sector + 8, data, 40);
        if (with_checksums)
            make_valid(sector);
    }
}

static void write_file(const uint8_t *octets, size_t length)
{
    FILE *file = fopen(path, "w");
    CHECK(file != NULL && fchmod(fileno(file), 0600) == 0);
    CHECK(length == 0 || fwrite(octets, length, 1, file) == 1);
    CHECK(fclose(file) == 0);
}

static void note(void *context, uint32_t id, const uint8_t key[SECRET_KEY_SIZE])
{
    struct found *found = context;
    (void)key;
    CHECK(found->count < SECRET_KEYS_MAX);
    found->ids[found->count++] = id;
}

static struct secret_keys *open_keys(struct found *found)
{
    struct secret_keys *keys = NULL;
    const char *why = NULL;
    enum err err = secret_keys_open(directory, &keys, &why);
    *found = (struct found){0};
    CHECK(err == ERR_OK || (err == ERR_CORRUPT && why != NULL));
    if (err == ERR_OK)
        secret_keys_hand_over(keys, note, found);
    return keys;
}

/* Every second key is destroyed, with those of the same id; gives how many are left. */
static unsigned live(struct secret_keys *keys, const struct found *found)
{
    uint32_t id;
    uint8_t key[SECRET_KEY_SIZE];
    unsigned left = 0;
    for (unsigned i = 0; i < found->count; i++) {
        bool goes = false;
        for (unsigned k = 0; k < found->count; k += 2)
            goes = goes || found->ids[k] == found->ids[i];
        left += !goes;
        if (goes)
            secret_keys_destroy(keys, found->ids[i]);
    }
    CHECK(secret_keys_work(keys) == ERR_OK);
    CHECK(!secret_keys_have_work(keys));
    CHECK(secret_keys_take(keys, &id, key)); /* there is room for spares */
    return left;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static uint8_t octets[OCTETS];
    struct found found, again;
    prepare();
    if (size == 0)
        return 0;
    if (data[0] & ANY_LENGTH) {
        write_file(data + 1, size - 1);
    } else {
        fill(octets, data + 1, size - 1, data[0] & WITH_CHECKSUMS);
        write_file(octets, OCTETS);
    }
    struct secret_keys *keys = open_keys(&found);
    if (keys == NULL)
        return 0;
    unsigned left = live(keys, &found);
    secret_keys_free(keys);
    keys = open_keys(&again);
    CHECK(keys != NULL && again.count >= left + 1 && again.count <= left + SECRET_SPARES);
    secret_keys_free(keys);
    return 0;
}
