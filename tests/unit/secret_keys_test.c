/* SPDX-License-Identifier: Apache-2.0 */
/* The file of the keys of texts: made once, given out once, gone when they were destroyed, whatever fails. */
#include "consent/secret_keys.h"

#include <errno.h>

#include "proto/base/limits.h"
#include "tests/unit/ledger_fixture.h"

#define SECTOR 512

struct found {
    unsigned count;
    uint32_t ids[SECRET_KEYS_MAX];
    uint8_t keys[SECRET_KEYS_MAX][SECRET_KEY_SIZE];
};

static void note(void *context, uint32_t id, const uint8_t key[SECRET_KEY_SIZE])
{
    struct found *found = context;
    found->ids[found->count] = id;
    memcpy(found->keys[found->count++], key, SECRET_KEY_SIZE);
}

static struct secret_keys *open_keys(struct found *ret_found)
{
    struct secret_keys *keys = NULL;
    const char *why = "";
    if (secret_keys_open(directory, &keys, &why) != ERR_OK)
        fail_msg("%s", why);
    *ret_found = (struct found){0};
    secret_keys_hand_over(keys, note, ret_found);
    return keys;
}

static bool file_has(const uint8_t key[SECRET_KEY_SIZE])
{
    static uint8_t octets[SECRET_KEYS_MAX * SECTOR];
    int fd = open(path_of("text.keys"), O_RDONLY);
    assert_int_equal(read(fd, octets, sizeof octets), sizeof octets);
    close(fd);
    return memmem(octets, sizeof octets, key, SECRET_KEY_SIZE) != NULL;
}

static void given_out_kept_and_destroyed(void **state)
{
    (void)state;
    struct found found;
    struct stat status;
    uint32_t first = 0, second = 0;
    uint8_t a[SECRET_KEY_SIZE], b[SECRET_KEY_SIZE];
    struct secret_keys *keys = open_keys(&found);
    assert_int_equal(stat(path_of("text.keys"), &status), 0);
    assert_int_equal(status.st_mode & 0777, 0600);
    assert_int_equal(found.count, 0);
    assert_false(secret_keys_take(keys, &first, a)); /* none is on disk yet */
    assert_true(secret_keys_have_work(keys));
    assert_int_equal(secret_keys_work(keys), ERR_OK);
    assert_false(secret_keys_have_work(keys));
    assert_true(secret_keys_take(keys, &first, a) && secret_keys_take(keys, &second, b));
    assert_int_not_equal(first, second);
    assert_memory_not_equal(a, b, sizeof a);
    assert_true(file_has(a) && file_has(b));
    secret_keys_destroy(keys, first);
    assert_true(secret_keys_have_work(keys));
    assert_int_equal(secret_keys_work(keys), ERR_OK);
    assert_true(!file_has(a) && file_has(b));
    secret_keys_free(keys);

    keys = open_keys(&found);
    assert_int_equal(found.count, 1 + SECRET_SPARES);
    bool there = false;
    for (unsigned i = 0; i < found.count; i++) {
        assert_int_not_equal(found.ids[i], first);
        there = there || (found.ids[i] == second && memcmp(found.keys[i], b, sizeof b) == 0);
        secret_keys_destroy(keys, found.ids[i]);
    }
    assert_true(there);
    assert_int_equal(secret_keys_work(keys), ERR_OK);
    assert_false(file_has(b));
    assert_true(secret_keys_take(keys, &second, b));
    for (unsigned i = 0; i < found.count; i++)
        assert_true(second > found.ids[i]);
    secret_keys_free(keys);
}

static void no_more_than_there_is_room_for(void **state)
{
    (void)state;
    struct found found;
    uint32_t ids[SECRET_KEYS_MAX], id = 0;
    uint8_t key[SECRET_KEY_SIZE];
    struct secret_keys *keys = open_keys(&found);
    for (unsigned i = 0; i < SECRET_KEYS_MAX; i++) {
        assert_int_equal(secret_keys_work(keys), ERR_OK);
        assert_true(secret_keys_take(keys, &ids[i], key));
    }
    assert_int_equal(secret_keys_work(keys), ERR_OK);
    assert_false(secret_keys_take(keys, &id, key));
    assert_false(secret_keys_have_work(keys));
    secret_keys_destroy(keys, ids[7]);
    secret_keys_destroy(keys, ids[7]);
    secret_keys_destroy(keys, 4711); /* nobody's */
    assert_int_equal(secret_keys_work(keys), ERR_OK);
    assert_true(secret_keys_take(keys, &id, key));
    assert_int_equal(id, SECRET_KEYS_MAX + 1);
    secret_keys_free(keys);
}

/* Half of a sector written: neither half of a key stays, and none is made of it. */
static void a_torn_sector_is_no_key(void **state)
{
    (void)state;
    struct found found;
    uint32_t id = 0;
    uint8_t key[SECRET_KEY_SIZE], zeros[SECRET_KEY_SIZE] = {0};
    struct secret_keys *keys = open_keys(&found);
    assert_int_equal(secret_keys_work(keys), ERR_OK);
    assert_true(secret_keys_take(keys, &id, key));
    secret_keys_free(keys);
    int fd = open(path_of("text.keys"), O_RDWR);
    assert_int_equal(pwrite(fd, zeros, 16, 16), 16);
    close(fd);
    keys = open_keys(&found);
    assert_int_equal(found.count, SECRET_SPARES - 1);
    for (unsigned i = 0; i < found.count; i++)
        assert_int_not_equal(found.ids[i], id);
    assert_int_equal(secret_keys_work(keys), ERR_OK);
    static uint8_t octets[SECRET_KEYS_MAX * SECTOR];
    fd = open(path_of("text.keys"), O_RDONLY);
    assert_int_equal(read(fd, octets, sizeof octets), sizeof octets);
    close(fd);
    assert_null(memmem(octets, sizeof octets, key + 16, 16));
    secret_keys_free(keys);
}

static void strange_files_are_refused(void **state)
{
    (void)state;
    struct secret_keys *keys;
    struct found found;
    const char *why = "";
    secret_keys_free(open_keys(&found));
    assert_int_equal(chmod(path_of("text.keys"), 0640), 0);
    assert_int_equal(secret_keys_open(directory, &keys, &why), ERR_DENIED);
    assert_non_null(strstr(why, "chmod 600"));
    assert_int_equal(chmod(path_of("text.keys"), 0600), 0);
    assert_int_equal(truncate(path_of("text.keys"), 100), 0);
    assert_int_equal(secret_keys_open(directory, &keys, &why), ERR_CORRUPT);
    assert_non_null(strstr(why, "move it away"));
}

/* ---- a bad disk ---- */

static int fail_at, calls, problem;

static bool fails(void)
{
    errno = problem;
    return ++calls == fail_at;
}

static ssize_t bad_pwrite(int fd, const void *data, size_t length, off_t offset)
{
    return fails() ? -1 : real_io.pwrite(fd, data, length, offset);
}

static int bad_fdatasync(int fd)
{
    return fails() ? -1 : sync_nothing(fd);
}

static int bad_fsync(int folder)
{
    return fails() ? -1 : sync_nothing(folder);
}

static int bad_open(int folder, const char *name, int flags, mode_t mode)
{
    return fails() ? -1 : real_io.open(folder, name, flags, mode);
}

static int bad_rename(int from_folder, const char *from, int to_folder, const char *to)
{
    return fails() ? -1 : real_io.rename(from_folder, from, to_folder, to);
}

/* Opens, makes spares, takes one, destroys it. True when all of it went well. */
static bool whole_life(bool *ret_taken, uint8_t key[SECRET_KEY_SIZE])
{
    struct secret_keys *keys;
    const char *why = "";
    uint32_t id = 0;
    *ret_taken = false;
    if (secret_keys_open(directory, &keys, &why) != ERR_OK) {
        assert_string_not_equal(why, "");
        return false;
    }
    enum err err = secret_keys_work(keys);
    *ret_taken = secret_keys_take(keys, &id, key);
    if (*ret_taken) /* whatever failed after it: what is given out is on disk */
        assert_true(file_has(key));
    if (err == ERR_OK) {
        secret_keys_destroy(keys, id);
        err = secret_keys_work(keys);
    }
    assert_true(err == ERR_OK || err == ERR_IO || err == ERR_NO_SPACE);
    if (err == ERR_NO_SPACE) { /* goes on when there is room again */
        assert_true(secret_keys_have_work(keys));
        assert_int_equal(secret_keys_work(keys), ERR_OK);
    }
    secret_keys_free(keys);
    return err == ERR_OK;
}

static void every_call_may_fail(void **state)
{
    (void)state;
    static const int problems[] = {EIO, ENOSPC};
    bool taken;
    uint8_t key[SECRET_KEY_SIZE];
    struct found found;
    ledger_io.pwrite = bad_pwrite;
    ledger_io.fdatasync = bad_fdatasync;
    ledger_io.fsync = bad_fsync;
    ledger_io.open = bad_open;
    ledger_io.rename = bad_rename;
    for (unsigned p = 0; p < 2; p++) {
        problem = problems[p];
        for (fail_at = 1; fail_at < 1000; fail_at++) {
            calls = 0;
            (void)unlink(path_of("text.keys"));
            bool whole = whole_life(&taken, key);
            if (calls < fail_at) {
                assert_true(whole);
                break;
            }
            assert_false(whole);
            secret_keys_free(open_keys(&found)); /* the next start is none the worse */
        }
        assert_in_range(fail_at, 70, 999);
    }
}

/* By the ledger's thread. */
static void work_of_the_ledgers_thread(void **state)
{
    (void)state;
    struct found found;
    uint32_t id = 0;
    uint8_t key[SECRET_KEY_SIZE];
    struct ledger *ledger = open_ledger();
    struct secret_keys *keys = open_keys(&found);
    ledger_set_work(ledger, secret_keys_work, keys);
    ledger_work(ledger);
    for (int i = 0; i < 1000 && secret_keys_have_work(keys); i++)
        usleep(1000);
    assert_true(secret_keys_take(keys, &id, key));
    secret_keys_destroy(keys, id);
    ledger_work(ledger);
    ledger_close(ledger); /* not before it is done */
    assert_false(file_has(key));
    secret_keys_free(keys);
}

static enum err fail_work(void *context)
{
    (void)context;
    return ERR_IO;
}

static void failed_work_is_final(void **state)
{
    (void)state;
    struct ledger *ledger = open_ledger();
    ledger_set_work(ledger, fail_work, NULL);
    assert_false(ledger_failed(ledger));
    ledger_work(ledger);
    for (int i = 0; i < 1000 && !ledger_failed(ledger); i++)
        usleep(1000);
    assert_true(ledger_failed(ledger));
    ledger_close(ledger);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(given_out_kept_and_destroyed, setup, teardown),
        cmocka_unit_test_setup_teardown(no_more_than_there_is_room_for, setup, teardown),
        cmocka_unit_test_setup_teardown(a_torn_sector_is_no_key, setup, teardown),
        cmocka_unit_test_setup_teardown(strange_files_are_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(every_call_may_fail, setup, teardown),
        cmocka_unit_test_setup_teardown(work_of_the_ledgers_thread, setup, teardown),
        cmocka_unit_test_setup_teardown(failed_work_is_final, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
