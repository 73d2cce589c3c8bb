/* SPDX-License-Identifier: Apache-2.0 */
/* The data folder: made at the first start, locked by the ledger, read at every start.
 *
 *     DATA/node.key    32 octets from the kernel; keys the hashes of client references
 *     DATA/person.key  16 octets, the same for all gateways on one Redis: keys the fingerprints of erased people
 *     DATA/ledger.key  gateway/signing_key.h
 *     DATA/text.keys   consent/secret_keys.h
 *     DATA/ledger/     } consent/ledger.h
 *     DATA/snapshots/  }
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "gateway/certificates.h"
#include "gateway/daemon.h"
#include "gateway/daemon_state.h"
#include "gateway/signing_key.h"
#include "proto/base/check.h"
#include "proto/base/log.h"
#include "proto/base/rng.h"

#define NODE_KEY_OCTETS 32

bool daemon_open_ledger(struct daemon *daemon)
{
    const char *folder = daemon->config->data_dir, *why = "";
    if (mkdir(folder, 0700) != 0 && errno != EEXIST) {
        log_event(LOG_ERROR, "no_data_folder", "why=\"cannot make %s: %s\"", folder,
                  strerror(errno));
        return false;
    }
    if (ledger_open(folder, &daemon->ledger, &why) == ERR_OK)
        return true;
    log_event(LOG_ERROR, "no_ledger", "why=\"%s\"", why);
    return false;
}

bool daemon_sign_ledger(struct daemon *daemon)
{
    char key[NOTE_KEY_TEXT_SIZE];
    const char *why = "";
    if (signing_key_open(daemon->config->data_dir, daemon->config->node, daemon->ledger,
                         &daemon->signer, &why) != ERR_OK) {
        log_event(LOG_ERROR, "no_signing_key", "why=\"%s\"", why);
        return false;
    }
    log_event(LOG_INFO, "ledger_signed", "public_key=%s",
              note_key_text(note_signer_key(daemon->signer), key));
    return true;
}

/* Node key ------------------------------------------------------------------------------------ */

static bool key_fault(const char *path, const char *what)
{
    log_event(LOG_ERROR, "no_key", "why=\"%s: %s\"", path, what);
    return false;
}

static bool write_all(int fd, const uint8_t *data, size_t length)
{
    return write(fd, data, length) == (ssize_t)length && fsync(fd) == 0;
}

static bool sync_folder(const char *folder)
{
    int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    bool good = fd >= 0 && fsync(fd) == 0;
    if (fd >= 0)
        close(fd);
    return good;
}

/* Under another name until it is whole: a crash leaves no half key behind. */
static bool keep_key(const char *folder, const char *path, const uint8_t *key, size_t length)
{
    char fresh[4096 + 16];
    snprintf(fresh, sizeof fresh, "%s.new", path);
    (void)unlink(fresh);
    int fd = open(fresh, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0)
        return key_fault(path, strerror(errno));
    bool good = write_all(fd, key, length);
    good = close(fd) == 0 && good;
    if (!good || rename(fresh, path) != 0 || !sync_folder(folder))
        return key_fault(path, strerror(errno));
    return true;
}

/* `lost`: what it would mean to go on without it. */
static bool read_key(const char *path, int fd, uint8_t *key, size_t length, const char *lost)
{
    struct stat status;
    char why[256];
    snprintf(why, sizeof why, "does not hold %zu octets; restore it from a backup (without it, %s)",
             length, lost);
    if (fstat(fd, &status) != 0 || status.st_size != (off_t)length ||
        read(fd, key, length) != (ssize_t)length)
        return key_fault(path, why);
    if ((status.st_mode & 077) != 0)
        return key_fault(path, "others may read it; run: chmod 600 on it");
    return true;
}

bool daemon_node_key(const char *data_dir, struct hash_key *ret_key)
{
    char path[4096];
    uint8_t key[NODE_KEY_OCTETS];
    bool good;
    snprintf(path, sizeof path, "%s/node.key", data_dir);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0 && errno != ENOENT)
        return key_fault(path, strerror(errno));
    if (fd < 0) {
        rng_secret(key, sizeof key);
        good = keep_key(data_dir, path, key, sizeof key);
    } else {
        good = read_key(path, fd, key, sizeof key, "repeated client references are not recognised");
        close(fd);
    }
    if (good) {
        memcpy(&ret_key->k0, key, sizeof ret_key->k0);
        memcpy(&ret_key->k1, key + sizeof ret_key->k0, sizeof ret_key->k1);
    }
    explicit_bzero(key, sizeof key);
    return good;
}

/* Person key ---------------------------------------------------------------------------------- */

static void person_key_path(const struct daemon *daemon, char out[4096])
{
    snprintf(out, 4096, "%s/person.key", daemon->config->data_dir);
}

/* One that is not kept yet may still become that of the other gateways. */
bool daemon_person_key(struct daemon *daemon)
{
    char path[4096];
    person_key_path(daemon, path);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0 && errno != ENOENT)
        return key_fault(path, strerror(errno));
    daemon->person_key_kept = fd >= 0;
    bool good = true;
    if (fd < 0) {
        rng_secret(daemon->person_key, sizeof daemon->person_key);
    } else {
        good = read_key(path, fd, daemon->person_key, sizeof daemon->person_key,
                        "the opt-outs of erased people deny nothing");
        close(fd);
    }
    if (good)
        person_key_set(daemon->person_key);
    return good;
}

bool daemon_keep_person_key(struct daemon *daemon, const uint8_t key[PERSON_KEY_SIZE])
{
    char path[4096];
    if (daemon->person_key_kept)
        return memcmp(daemon->person_key, key, PERSON_KEY_SIZE) == 0;
    person_key_path(daemon, path);
    if (!keep_key(daemon->config->data_dir, path, key, PERSON_KEY_SIZE))
        return false;
    memcpy(daemon->person_key, key, PERSON_KEY_SIZE);
    person_key_set(key);
    daemon->person_key_kept = true;
    return true;
}

/* Keys of texts that are not kept -------------------------------------------------------------- */

static bool keys_fault(const char *why)
{
    log_event(LOG_ERROR, "no_text_keys", "why=\"%s\"", why);
    return false;
}

static void know_key(void *context, uint32_t id, const uint8_t key[SECRET_KEY_SIZE])
{
    engine_know_key(context, id, key);
}

bool daemon_open_keys(struct daemon *daemon)
{
    const char *why = "";
    if (secret_keys_open(daemon->config->data_dir, &daemon->keys, &why) != ERR_OK)
        return keys_fault(why);
    secret_keys_hand_over(daemon->keys, know_key, daemon->engine);
    return true;
}

bool daemon_prepare_keys(struct daemon *daemon)
{
    struct engine_status status;
    engine_status(daemon->engine, &status);
    if (status.texts_lost > 0)
        log_event(LOG_WARN, "texts_lost",
                  "messages=%" PRIu64
                  " why=\"%s/text.keys no longer has the keys of their texts, so they ended "
                  "without being sent\"",
                  status.texts_lost, daemon->config->data_dir);
    if (secret_keys_work(daemon->keys) == ERR_IO)
        return keys_fault(strerror(errno));
    ledger_set_work(daemon->ledger, secret_keys_work, daemon->keys);
    return true;
}

/* Recovery ------------------------------------------------------------------------------------ */

static bool replay_fault(const char *what, uint64_t sequence, const char *why)
{
    log_event(LOG_ERROR, "recovery_failed",
              "what=%s sequence=%" PRIu64 " why=\"%s\" "
              "do=\"nothing was changed; keep the folder, run assent verify on it\"",
              what, sequence, why);
    return false;
}

/* Feeds the engine from `reader` up to `until`; counts. */
static bool replay(struct daemon *daemon, struct ledger_reader *reader, const char *what,
                   uint64_t until, uint64_t *ret_records)
{
    struct ledger_record record;
    uint64_t records = 0; /* those that retention took had ended */
    enum err err;
    while ((err = ledger_reader_next(reader, until, &record)) == ERR_OK) {
        const char *why = "";
        if (engine_replay(daemon->engine, record.sequence, record.public_part, record.personal_part,
                          &why) != ERR_OK)
            return replay_fault(what, record.sequence, why);
        records++;
    }
    *ret_records = records + ledger_reader_gone(reader);
    return err == ERR_AGAIN || replay_fault(what, 0, ledger_reader_why(reader));
}

static bool replay_snapshot(struct daemon *daemon, uint64_t *ret_from, uint64_t *ret_records)
{
    struct ledger_reader *reader;
    enum err err = snapshot_open(daemon->config->data_dir, &reader, ret_from);
    if (err == ERR_NOT_FOUND) {
        *ret_from = 1;
        return true;
    }
    if (err != ERR_OK)
        return replay_fault("snapshot", 0, err_name(err));
    bool good = replay(daemon, reader, "snapshot", UINT64_MAX, ret_records);
    ledger_reader_free(reader);
    return good;
}

static bool replay_ledger(struct daemon *daemon, uint64_t from, uint64_t *ret_records)
{
    struct ledger_reader *reader;
    const char *why = "";
    uint64_t next = ledger_next(daemon->ledger);
    if (from >= next)
        return from == next ||
               replay_fault("ledger", next, "the ledger ends before the snapshot does");
    if (ledger_reader_open(daemon->config->data_dir, from, &reader, &why) != ERR_OK)
        return replay_fault("ledger", from, why);
    bool good = replay(daemon, reader, "ledger", next, ret_records);
    ledger_reader_free(reader);
    if (good && from + *ret_records != next)
        return replay_fault("ledger", from + *ret_records, "records are missing");
    return good;
}

bool daemon_recover(struct daemon *daemon)
{
    uint64_t from = 1, snapshot_records = 0, ledger_records = 0, began_us = clock_mono_us();
    if (!replay_snapshot(daemon, &from, &snapshot_records) ||
        !replay_ledger(daemon, from, &ledger_records))
        return false;
    daemon->recovered_from = from;
    struct engine_status status;
    engine_status(daemon->engine, &status);
    log_event(LOG_INFO, "recovered",
              "snapshot_records=%" PRIu64 " ledger_from=%" PRIu64 " ledger_records=%" PRIu64
              " open_messages=%" PRIu64 " duration_ms=%" PRIu64,
              snapshot_records, from, ledger_records, status.open_messages,
              (uint64_t)((clock_mono_us() - began_us) / US_PER_MS));
    return true;
}

/* assentd -t ---------------------------------------------------------------------------------- */

void daemon_check(const struct config *config, FILE *out)
{
    char *copy = check_strdup(config->data_dir);
    const char *parent = dirname(copy);
    if (access(config->data_dir, F_OK) == 0)
        fprintf(out, "%s is there%s.\n", config->data_dir,
                access(config->data_dir, R_OK | W_OK | X_OK) == 0
                    ? ""
                    : ", but this user may not write in it: a start by this user would fail");
    else if (access(parent, W_OK | X_OK) == 0)
        fprintf(out, "%s would be made, mode 0700.\n", config->data_dir);
    else
        fprintf(out, "%s is not there and cannot be made by this user (%s: %s).\n",
                config->data_dir, parent, strerror(errno));
    free(copy);
    certificates_print(config, clock_wall_ms(), out);
}
