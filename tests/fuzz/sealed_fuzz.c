/* SPDX-License-Identifier: Apache-2.0 */
/* Sealed segments that somebody made: a block of arbitrary octets, and a sound block or file with octets of it
 * changed, in its directory and indices too; whole ones, and ones that retention has cut. Checksums are made right where the first octet says so, so that
 * what is behind them is reached. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "consent/crc32c.h"
#include "consent/ledger.h"
#include "consent/ledger_files.h"
#include "consent/ledger_seal.h"
#include "consent/ledger_sealed.h"
#include "proto/base/bytes.h"
#include "proto/base/check.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum {
    OF_A_BLOCK = 1,
    WITH_CHECKSUMS = 2,
    FROM_THE_END = 4,
    FROM_A_SOUND_ONE = 8,
    OF_A_CUT_ONE = 16
};

#define CHANGE 4 /* octets: u24 where, u8 what */

static char directory[] = "/dev/shm/assent-fuzz-XXXXXX";
static struct sound {
    uint8_t *octets;
    size_t size;
    size_t block_size; /* of its first block, behind the head */
} sounds[2];           /* the second one is cut */
static struct block_reader *reader;
static volatile uint8_t looked_at;

static int sync_nothing(int fd)
{
    (void)fd;
    return 0;
}

static void write_ledger(void)
{
    struct ledger *ledger;
    const char *why;
    CHECK(ledger_open(directory, &ledger, &why) == ERR_OK);
    for (uint32_t i = 0; i <= LEDGER_SEGMENT_RECORDS; i++) {
        const uint8_t event[] = {0x08, 0x01, 0x18, 0x80, (uint8_t)(i >> 8 & 0x7f), 0x5a, 0x00};
        const uint8_t personal[] = {0x08, 0x80, (uint8_t)(i >> 7 & 0x7f)};
        ledger_append(ledger, span_of(event, sizeof event),
                      span_of(personal, i % 64 == 0 ? sizeof personal : 0));
    }
    ledger_close(ledger);
}

static size_t first_block(int fd)
{
    struct sealed *sealed;
    CHECK(sealed_open(fd, 1, &sealed) == ERR_OK);
    size_t size = (size_t)(sealed_block(sealed, 1)->offset - FILE_HEAD);
    sealed_free(sealed);
    return size;
}

static void load(int folder, struct sound *sound)
{
    char name[FILE_NAME_SIZE];
    int fd = openat(folder, file_name(name, 1, SEALED_SUFFIX), O_RDONLY);
    off_t size = lseek(fd, 0, SEEK_END);
    CHECK(size > 0);
    sound->size = (size_t)size;
    sound->octets = check_malloc(sound->size);
    CHECK(pread(fd, sound->octets, sound->size, 0) == size);
    sound->block_size = first_block(fd);
    close(fd);
}

/* Gaps of many sizes, and more than one block of them. */
static void choose(struct segment_cut *cut)
{
    for (uint32_t place = 0; place < LEDGER_SEGMENT_RECORDS; place++)
        if (place % 13 != 0 && (place < 40000 || place % 1000 > 7))
            cut->gone[place / 8] |= (uint8_t)(1u << place % 8);
}

static void prepare(void)
{
    static struct segment_cut cut;
    char path[128];
    const char *why;
    if (reader != NULL)
        return;
    ledger_io.fdatasync = ledger_io.fsync = sync_nothing;
    CHECK(mkdtemp(directory) != NULL);
    write_ledger();
    int folder = folder_open(directory, "ledger", false);
    CHECK(folder >= 0 && segment_store(folder, 1, NULL, &why) == ERR_OK);
    load(folder, &sounds[0]);
    choose(&cut);
    CHECK(segment_cut(folder, 1, &cut, &why) == ERR_OK);
    load(folder, &sounds[1]);
    close(folder);
    reader = block_reader_new();
    snprintf(path, sizeof path, "rm -rf %s", directory);
    CHECK(system(path) == 0);
}

static void look_at(struct span octets)
{
    for (size_t i = 0; i < octets.length; i++)
        looked_at ^= octets.data[i];
}

static void look_at_node(void *context, unsigned level, uint32_t index, const struct digest *node)
{
    (void)context;
    CHECK((uint64_t)(index + 1) << level <= LEDGER_SEGMENT_RECORDS);
    look_at(span_of(node->octets, DIGEST_SIZE));
}

static void try_block(uint8_t *octets, size_t size, bool with_checksum)
{
    static const uint8_t sequence[8] = {[7] = 1};
    struct span raw;
    struct record record;
    struct gap gap;
    if (with_checksum && size >= 4)
        store_u32(octets + size - 4, crc32c(crc32c(0, sequence, 8), octets, size - 4));
    if (block_decode(reader, span_of(octets, size), 1, &raw) != ERR_OK)
        return;
    for (uint64_t i = 1; raw.length > 0;) { /* whatever came out is records and gaps */
        bool is_gap = gap_decode(raw, i, &gap) == RECORD_OK;
        CHECK(is_gap || record_decode(raw, i, &record) == RECORD_OK);
        size_t length = is_gap ? gap.size : record.size;
        if (is_gap)
            gap_each(&gap, look_at_node, NULL);
        i += is_gap ? gap.records : 1;
        raw = span_of(raw.data + length, raw.length - length);
    }
}

static void change(uint8_t *octets, size_t length, const uint8_t *data, size_t size,
                   bool from_the_end)
{
    for (; size >= CHANGE; data += CHANGE, size -= CHANGE) {
        size_t at = ((size_t)data[0] << 16 | (size_t)data[1] << 8 | data[2]) % length;
        octets[from_the_end ? length - 1 - at : at] = data[3];
    }
}

/* Of the directory: what the trailer says is where it begins. */
static void make_valid(uint8_t *octets, size_t sound_size)
{
    struct reader in = reader_over(span_of(octets + sound_size - SEALED_TRAILER + 20, 4));
    uint32_t directory_at = read_u32(&in);
    if (directory_at < sound_size - 4)
        store_u32(octets + sound_size - 4,
                  crc32c(0, octets + directory_at, sound_size - 4 - directory_at));
}

/* Two stretches of it: all would take a second. */
static void try_file(const uint8_t *octets, size_t sound_size, uint32_t where)
{
    static uint8_t set[SEALED_BLOCKS_MAX], room[1 << 15];
    struct sealed *sealed;
    int fd = memfd_create("sealed", MFD_CLOEXEC);
    CHECK(fd >= 0 && write(fd, octets, sound_size) == (ssize_t)sound_size);
    if (sealed_open(fd, 1, &sealed) == ERR_OK) {
        uint64_t raw = sealed_tail(sealed)->end.octets, offsets[] = {where % raw, raw - 100};
        for (unsigned i = 0; i < 2; i++) {
            ssize_t n = sealed_read(sealed, room, sizeof room, offsets[i]);
            look_at(span_of(room, n > 0 ? (size_t)n : 0));
        }
        for (unsigned kind = 0; kind < INDEX_KINDS; kind++)
            for (uint64_t word = 1; word < 1u << 24; word *= 3)
                if (sealed_find(sealed, kind, word, set) == ERR_OK)
                    look_at(span_of(set, sealed_tail(sealed)->blocks));
        for (uint32_t before = 0; before < LEDGER_SEGMENT_RECORDS; before += 1000)
            CHECK(sealed_block_of(sealed, before) < sealed_tail(sealed)->blocks);
        sealed_free(sealed);
    }
    close(fd);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    prepare();
    if (size == 0)
        return 0;
    uint8_t choice = data[0];
    bool is_block = choice & OF_A_BLOCK, is_sound = !is_block || choice & FROM_A_SOUND_ONE;
    const struct sound *sound = &sounds[(choice & OF_A_CUT_ONE) != 0];
    const uint8_t *from = !is_sound  ? data + 1
                          : is_block ? sound->octets + FILE_HEAD
                                     : sound->octets;
    size_t length = !is_sound ? size - 1 : is_block ? sound->block_size : sound->size;
    uint8_t *octets = memcpy(check_malloc(length + 1), from, length);
    if (is_sound)
        change(octets, length, data + 1, size - 1, choice & FROM_THE_END);
    if (is_block) {
        try_block(octets, length, choice & WITH_CHECKSUMS);
    } else {
        if (choice & WITH_CHECKSUMS)
            make_valid(octets, sound->size);
        try_file(octets, sound->size,
                 size > 3 ? (uint32_t)data[2] << 16 | (uint32_t)data[3] << 8 : 0);
    }
    free(octets);
    return 0;
}
