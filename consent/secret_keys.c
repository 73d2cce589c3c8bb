/* SPDX-License-Identifier: Apache-2.0 */
#include "consent/secret_keys.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "consent/crc32c.h"
#include "consent/ledger_files.h"
#include "consent/ledger_scan.h"
#include "proto/base/bytes.h"
#include "proto/base/check.h"
#include "proto/base/limits.h"
#include "proto/base/rng.h"

#define NAME        "text.keys"
#define SECTOR      512u
#define FILE_OCTETS (SECRET_KEYS_MAX * SECTOR)

static const uint8_t mark[8] = "ASNTKEY\n";

enum slot_state {
    SLOT_FREE,
    SLOT_FOUND, /* in the file when it was opened, not handed over */
    SLOT_SPARE, /* on disk, not given out */
    SLOT_TAKEN,
    SLOT_LEAVING, /* to be overwritten */
};

struct slot {
    enum slot_state state;
    uint32_t id;
    uint8_t key[SECRET_KEY_SIZE]; /* FOUND, SPARE */
};

struct secret_keys {
    int fd;
    pthread_mutex_t mutex; /* for what follows; nobody waits on a disk with it */
    uint32_t last_id;
    struct slot slots[SECRET_KEYS_MAX];
};

/* ---- the file ---- */

static void encode(uint8_t out[SECTOR], uint32_t id, const uint8_t key[SECRET_KEY_SIZE])
{
    uint8_t number[4];
    store_u32(number, id);
    struct writer w = writer_over(out, SECTOR);
    memset(out, 0, SECTOR);
    write_octets(&w, mark, sizeof mark);
    write_u32(&w, id);
    write_u32(&w, crc32c(crc32c(0, number, sizeof number), key, SECRET_KEY_SIZE));
    write_octets(&w, key, SECRET_KEY_SIZE);
    CHECK(!w.failed);
}

static bool is_zero(const uint8_t *octets, size_t length)
{
    while (length > 0 && octets[length - 1] == 0)
        length--;
    return length == 0;
}

/* A sector that makes no sense is to be overwritten. */
static void decode(struct secret_keys *keys, struct slot *slot, const uint8_t sector[SECTOR])
{
    uint8_t again[SECTOR];
    struct reader r = reader_over(span_of(sector, SECTOR));
    (void)read_span(&r, sizeof mark);
    uint32_t id = read_u32(&r);
    (void)read_u32(&r);
    struct span key = read_span(&r, SECRET_KEY_SIZE);
    encode(again, id, key.data);
    if (memcmp(again, sector, SECTOR) == 0) {
        if (id > keys->last_id)
            keys->last_id = id;
        slot->id = id;
        slot->state = is_zero(key.data, SECRET_KEY_SIZE) ? SLOT_FREE : SLOT_FOUND;
        memcpy(slot->key, key.data, SECRET_KEY_SIZE);
    } else if (!is_zero(sector, SECTOR)) {
        slot->state = SLOT_LEAVING;
    }
    explicit_bzero(again, sizeof again);
}

static enum err read_slots(struct secret_keys *keys)
{
    uint8_t sector[SECTOR];
    enum err err = ERR_OK;
    for (unsigned i = 0; i < SECRET_KEYS_MAX && err == ERR_OK; i++) {
        ssize_t n = read_at(keys->fd, sector, SECTOR, (uint64_t)i * SECTOR);
        if (n == SECTOR)
            decode(keys, &keys->slots[i], sector);
        else if (n < 0)
            err = ERR_IO;
    }
    explicit_bzero(sector, sizeof sector);
    return err;
}

/* All of its octets are there from the beginning: writing a key never needs space. */
static enum err make_file(int folder)
{
    static const uint8_t zeros[SECTOR];
    int fd = ledger_io.open(folder, NAME ".new", O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    enum err err = fd < 0 ? err_from_errno() : ERR_OK;
    for (unsigned i = 0; i < SECRET_KEYS_MAX && err == ERR_OK; i++)
        err = write_at(fd, span_of(zeros, SECTOR), (uint64_t)i * SECTOR);
    if (err == ERR_OK)
        err = sync_data(fd);
    if (fd >= 0)
        close(fd);
    if (err == ERR_OK && ledger_io.rename(folder, NAME ".new", folder, NAME) != 0)
        err = err_from_errno();
    return err == ERR_OK ? sync_folder(folder) : err;
}

static enum err open_file(int folder, int *ret_fd)
{
    struct stat status;
    enum err err = ERR_OK;
    if (fstatat(folder, NAME, &status, 0) != 0)
        err = errno == ENOENT ? make_file(folder) : ERR_IO;
    else if ((status.st_mode & 077) != 0)
        return ERR_DENIED;
    else if (status.st_size != FILE_OCTETS)
        return ERR_CORRUPT;
    *ret_fd = err == ERR_OK ? ledger_io.open(folder, NAME, O_RDWR | O_CLOEXEC, 0) : -1;
    return err == ERR_OK && *ret_fd < 0 ? ERR_IO : err;
}

static const char *fault(const char *directory, enum err err)
{
    switch (err) {
    case ERR_DENIED:
        return ledger_why("%s/" NAME ": others may read it; run: chmod 600 on it", directory);
    case ERR_CORRUPT:
        return ledger_why(
            "%s/" NAME " is no file of keys of this program: move it away; texts that are not kept "
            "and still wait cannot be sent then",
            directory);
    default:
        return ledger_why("%s/" NAME ": %s", directory, strerror(errno));
    }
}

enum err secret_keys_open(const char *directory, struct secret_keys **ret_keys,
                          const char **ret_why)
{
    struct secret_keys *keys = check_calloc(1, sizeof *keys);
    int folder = folder_open(directory, ".", false);
    keys->fd = -1;
    pthread_mutex_init(&keys->mutex, NULL);
    enum err err = folder < 0 ? ERR_IO : open_file(folder, &keys->fd);
    if (err == ERR_OK)
        err = read_slots(keys);
    if (err == ERR_OK)
        *ret_keys = keys;
    else
        *ret_why = fault(directory, err);
    if (folder >= 0)
        close(folder);
    if (err != ERR_OK)
        secret_keys_free(keys);
    return err;
}

void secret_keys_free(struct secret_keys *keys)
{
    if (keys == NULL)
        return;
    if (keys->fd >= 0)
        close(keys->fd);
    pthread_mutex_destroy(&keys->mutex);
    explicit_bzero(keys, sizeof *keys);
    free(keys);
}

/* ---- the loop ---- */

void secret_keys_hand_over(struct secret_keys *keys,
                           void (*each)(void *context, uint32_t id,
                                        const uint8_t key[SECRET_KEY_SIZE]),
                           void *context)
{
    for (unsigned i = 0; i < SECRET_KEYS_MAX; i++) {
        struct slot *slot = &keys->slots[i];
        if (slot->state != SLOT_FOUND)
            continue;
        each(context, slot->id, slot->key);
        explicit_bzero(slot->key, sizeof slot->key);
        slot->state = SLOT_TAKEN;
    }
}

static struct slot *find_state(struct secret_keys *keys, enum slot_state state)
{
    for (unsigned i = 0; i < SECRET_KEYS_MAX; i++)
        if (keys->slots[i].state == state)
            return &keys->slots[i];
    return NULL;
}

bool secret_keys_take(struct secret_keys *keys, uint32_t *ret_id, uint8_t ret_key[SECRET_KEY_SIZE])
{
    pthread_mutex_lock(&keys->mutex);
    struct slot *slot = find_state(keys, SLOT_SPARE);
    if (slot != NULL) {
        *ret_id = slot->id;
        memcpy(ret_key, slot->key, SECRET_KEY_SIZE);
        explicit_bzero(slot->key, sizeof slot->key);
        slot->state = SLOT_TAKEN;
    }
    pthread_mutex_unlock(&keys->mutex);
    return slot != NULL;
}

void secret_keys_destroy(struct secret_keys *keys, uint32_t id)
{
    pthread_mutex_lock(&keys->mutex);
    for (unsigned i = 0; i < SECRET_KEYS_MAX; i++)
        if (keys->slots[i].state == SLOT_TAKEN && keys->slots[i].id == id)
            keys->slots[i].state = SLOT_LEAVING;
    pthread_mutex_unlock(&keys->mutex);
}

/* ---- the ledger's thread ---- */

static unsigned count_state(const struct secret_keys *keys, enum slot_state state)
{
    unsigned count = 0;
    for (unsigned i = 0; i < SECRET_KEYS_MAX; i++)
        count += keys->slots[i].state == state;
    return count;
}

/* What has to be written next, or NULL. Destroying comes first: it makes room. */
static struct slot *next_work(struct secret_keys *keys)
{
    struct slot *slot = find_state(keys, SLOT_LEAVING);
    if (slot == NULL && count_state(keys, SLOT_SPARE) < SECRET_SPARES)
        slot = find_state(keys, SLOT_FREE);
    return slot;
}

bool secret_keys_have_work(struct secret_keys *keys)
{
    pthread_mutex_lock(&keys->mutex);
    bool has = next_work(keys) != NULL;
    pthread_mutex_unlock(&keys->mutex);
    return has;
}

static enum err write_sector(const struct secret_keys *keys, const struct slot *slot, uint32_t id,
                             const uint8_t key[SECRET_KEY_SIZE])
{
    uint8_t sector[SECTOR];
    encode(sector, id, key);
    enum err err =
        write_at(keys->fd, span_of(sector, SECTOR), (uint64_t)(slot - keys->slots) * SECTOR);
    explicit_bzero(sector, sizeof sector);
    return err == ERR_OK ? sync_data(keys->fd) : err;
}

/* The slot is FREE or LEAVING, so only this thread changes it. */
static enum err work_at(struct secret_keys *keys, struct slot *slot)
{
    uint8_t key[SECRET_KEY_SIZE] = {0};
    bool leaving = slot->state == SLOT_LEAVING;
    uint32_t id = leaving ? slot->id : ++keys->last_id;
    pthread_mutex_unlock(&keys->mutex);
    if (!leaving)
        rng_secret(key, sizeof key);
    enum err err = write_sector(keys, slot, id, key);
    pthread_mutex_lock(&keys->mutex);
    if (err == ERR_OK) {
        slot->id = id;
        memcpy(slot->key, key, sizeof key);
        slot->state = leaving ? SLOT_FREE : SLOT_SPARE;
    }
    explicit_bzero(key, sizeof key);
    return err;
}

enum err secret_keys_work(void *context)
{
    struct secret_keys *keys = context;
    struct slot *slot;
    enum err err = ERR_OK;
    pthread_mutex_lock(&keys->mutex);
    while (err == ERR_OK && (slot = next_work(keys)) != NULL)
        err = work_at(keys, slot);
    pthread_mutex_unlock(&keys->mutex);
    return err;
}
