/* SPDX-License-Identifier: Apache-2.0 */
#include "gateway/signing_key.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "consent/ledger_checkpoint.h"
#include "consent/ledger_files.h"
#include "proto/base/check.h"
#include "proto/base/clock.h"
#include "proto/event.pb-c.h"
#include "proto/pack.h"

#define PATH_SIZE   4096
#define RECORD_SIZE 256   /* two keys and a time */
#define PATIENCE_MS 30000 /* for a disk */

static char *path_of(char out[PATH_SIZE], const char *data_dir, const char *suffix)
{
    snprintf(out, PATH_SIZE, "%s/ledger.key%s", data_dir, suffix);
    return out;
}

static char *name_of(char out[NOTE_NAME_SIZE], const char *node)
{
    snprintf(out, NOTE_NAME_SIZE, "assent/%s", node);
    return out;
}

enum err signing_key_read(const char *data_dir, const char *node, struct note_signer **ret_signer,
                          const char **ret_why)
{
    char path[PATH_SIZE], name[NOTE_NAME_SIZE];
    return note_signer_read(path_of(path, data_dir, ""), name_of(name, node), ret_signer, ret_why);
}

static uint64_t append(struct ledger *ledger, const struct note_signer *signer,
                       const struct note_signer *previous)
{
    uint8_t room[RECORD_SIZE];
    struct span packed;
    Assent__V1__SigningKey body = ASSENT__V1__SIGNING_KEY__INIT;
    Assent__V1__Event event = ASSENT__V1__EVENT__INIT;
    body.public_key.data = (uint8_t *)(uintptr_t)note_signer_key(signer)->public_key;
    body.public_key.len = NOTE_PUBLIC_KEY_SIZE;
    if (previous != NULL) {
        body.previous.data = (uint8_t *)(uintptr_t)note_signer_key(previous)->public_key;
        body.previous.len = NOTE_PUBLIC_KEY_SIZE;
    }
    event.wall_ms = clock_wall_ms();
    event.body_case = ASSENT__V1__EVENT__BODY_SIGNING_KEY;
    event.signing_key = &body;
    CHECK(pack_message(&event.base, room, sizeof room, &packed));
    uint64_t sequence = ledger_append(ledger, packed, span_of(NULL, 0));
    ledger_flush(ledger);
    return sequence;
}

/* Until `reached` of the ledger is `sequence`. */
static enum err wait_for(struct ledger *ledger, uint64_t (*reached)(const struct ledger *),
                         uint64_t sequence, const char **ret_why)
{
    uint64_t until_us = clock_mono_us() + (uint64_t)PATIENCE_MS * US_PER_MS;
    while (reached(ledger) < sequence) {
        struct pollfd woken = {.fd = ledger_wake_fd(ledger), .events = POLLIN};
        if (ledger_failed(ledger) || clock_mono_us() > until_us) {
            *ret_why = "the disk does not take the ledger's records.";
            return ERR_IO;
        }
        if (poll(&woken, 1, 100) > 0)
            ledger_acknowledge(ledger);
    }
    return ERR_OK;
}

static enum err take_over(const char *data_dir, const char **ret_why)
{
    char from[PATH_SIZE], to[PATH_SIZE];
    int folder = open(data_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    bool good = folder >= 0 &&
                rename(path_of(from, data_dir, ".next"), path_of(to, data_dir, "")) == 0 &&
                fsync(folder) == 0;
    if (!good)
        *ret_why = ledger_why("%s: %s", to, strerror(errno));
    if (folder >= 0)
        close(folder);
    return good ? ERR_OK : ERR_IO;
}

/* The next key, made unless an interrupted call has left one. */
static enum err read_next(const char *data_dir, const char *node, struct note_signer **ret_signer,
                          const char **ret_why)
{
    char path[PATH_SIZE], name[NOTE_NAME_SIZE];
    path_of(path, data_dir, ".next");
    name_of(name, node);
    enum err err = note_signer_read(path, name, ret_signer, ret_why);
    if (err != ERR_NOT_FOUND)
        return err;
    err = note_signer_make(path, ret_why);
    return err == ERR_OK ? note_signer_read(path, name, ret_signer, ret_why) : err;
}

enum err signing_key_rotate(const char *data_dir, const char *node, struct ledger *ledger,
                            const struct note_signer *previous, struct note_signer **ret_signer,
                            const char **ret_why)
{
    struct note_signer *next;
    enum err err = read_next(data_dir, node, &next, ret_why);
    if (err != ERR_OK)
        return err;
    uint64_t sequence = append(ledger, next, previous);
    err = wait_for(ledger, ledger_durable, sequence, ret_why);
    if (err == ERR_OK)
        err = ledger_sign(ledger, data_dir, next, previous, ret_why);
    if (err == ERR_OK && previous != NULL)
        err = wait_for(ledger, ledger_checkpointed, sequence, ret_why);
    if (err == ERR_OK)
        err = take_over(data_dir, ret_why);
    *ret_signer = next; /* the ledger may hold on to it, whatever went wrong */
    return err;
}

static bool has_checkpoints(const char *data_dir)
{
    char note[NOTE_SIZE];
    size_t length;
    struct checkpoint checkpoint;
    return checkpoint_newest(data_dir, note, &length, &checkpoint) != ERR_NOT_FOUND;
}

/* A crash between the checkpoint that both keys signed and the new key's name: from that checkpoint on, only the
 * new one is believed. */
static enum err finish_rotation(const char *data_dir, const char *node, const char **ret_why)
{
    char path[PATH_SIZE], name[NOTE_NAME_SIZE], note[NOTE_SIZE];
    size_t length;
    struct checkpoint checkpoint;
    struct note_signer *next;
    enum err err =
        note_signer_read(path_of(path, data_dir, ".next"), name_of(name, node), &next, ret_why);
    if (err != ERR_OK)
        return err == ERR_NOT_FOUND ? ERR_OK : err;
    bool reigns = checkpoint_newest(data_dir, note, &length, &checkpoint) == ERR_OK &&
                  note_is_signed(span_of(note, length), note_signer_key(next));
    note_signer_free(next);
    return reigns ? take_over(data_dir, ret_why) : ERR_OK;
}

enum err signing_key_open(const char *data_dir, const char *node, struct ledger *ledger,
                          struct note_signer **ret_signer, const char **ret_why)
{
    enum err err = finish_rotation(data_dir, node, ret_why);
    if (err == ERR_OK)
        err = signing_key_read(data_dir, node, ret_signer, ret_why);
    if (err == ERR_OK) {
        err = ledger_sign(ledger, data_dir, *ret_signer, NULL, ret_why);
    } else if (err == ERR_NOT_FOUND && has_checkpoints(data_dir)) {
        *ret_why =
            ledger_why("%s/ledger.key is gone, but the ledger was signed with it: restore it "
                       "from a backup, or run `assent -c FILE key rotate --lost`.",
                       data_dir);
    } else if (err == ERR_NOT_FOUND) {
        err = signing_key_rotate(data_dir, node, ledger, NULL, ret_signer, ret_why);
    }
    return err;
}
