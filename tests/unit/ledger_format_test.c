/* SPDX-License-Identifier: Apache-2.0 */
/* The ledger's octets: checksum, tree and record codec against known values, every flip and cut. */
#include "consent/crc32c.h"
#include "consent/ledger_tree.h"
#include "proto/base/rng.h"
#include "tests/unit/ledger_fixture.h"

static const uint8_t salt[SALT_SIZE] = "sixteen octets!!";

static size_t make(uint8_t *out, uint64_t sequence, bool barrier, const char *public_part,
                   const char *personal_part)
{
    record_lay(out, span_from_string(public_part), span_from_string(personal_part));
    record_finish(out, sequence, barrier, salt);
    return record_laid_size(out);
}

static void assert_hex(const uint8_t *octets, size_t length, const char *hex)
{
    char text[256];
    assert_true(2 * length < sizeof text);
    for (size_t i = 0; i < length; i++)
        snprintf(text + 2 * i, 3, "%02x", octets[i]);
    assert_string_equal(text, hex);
}

static void crc32c_has_the_published_values(void **state)
{
    (void)state;
    uint8_t octets[64] = {0};
    assert_int_equal(crc32c(0, "123456789", 9), 0xe3069283);
    assert_int_equal(crc32c(0, octets, 32), 0x8a9136aa);
    memset(octets, 0xff, 32);
    assert_int_equal(crc32c(0, octets, 32), 0x62a8ab43);
}

static void crc32c_is_the_same_in_both_ways_and_in_parts(void **state)
{
    (void)state;
    struct rng rng = {7};
    uint8_t octets[300];
    for (size_t i = 0; i < sizeof octets; i++)
        octets[i] = (uint8_t)rng_next(&rng);
    for (size_t length = 0; length <= sizeof octets; length++) {
        uint32_t whole = crc32c(0, octets, length);
        assert_int_equal(crc32c_portable(0, octets, length), whole);
        size_t cut = rng_below(&rng, length + 1);
        assert_int_equal(crc32c(crc32c(0, octets, cut), octets + cut, length - cut), whole);
    }
}

/* The test vectors that certificate transparency's implementations share. */
static void tree_has_the_published_roots(void **state)
{
    (void)state;
    static const struct {
        size_t length;
        uint8_t entry[17];
    } leaves[] = {{0, ""},   {1, {0x00}}, {1, {0x10}},     {2, " !"},
                  {2, "01"}, {4, "@ABC"}, {8, "PQRSTUVW"}, {16, "`abcdefghijklmno"}};
    static const char *const roots[] = {
        "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
        "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
        "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
        NULL,
        NULL,
        NULL,
        NULL,
        "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328"};
    struct tree tree;
    tree_reset(&tree);
    for (size_t i = 0; i < 8; i++) {
        uint8_t input[17] = {0x00};
        memcpy(input + 1, leaves[i].entry, leaves[i].length);
        struct digest leaf = sha256(span_of(input, 1 + leaves[i].length));
        tree_add(&tree, &leaf);
        struct digest root = tree_root(&tree);
        if (roots[i] != NULL)
            assert_hex(root.octets, DIGEST_SIZE, roots[i]);
    }
}

/* These octets are on people's disks: this test changes only with FILE_VERSION. */
static void a_record_has_these_octets(void **state)
{
    (void)state;
    uint8_t octets[256];
    size_t size = make(octets, 1, true, "ab", "");
    assert_hex(octets, size, "a5800000a49033e7000000026162");
    assert_int_equal(size, RECORD_HEAD + 2);
    size = make(octets, 2, false, "ab", "12025550100");
    assert_int_equal(size, RECORD_OVERHEAD + 13);
    assert_hex(octets, 4, "a500000b");
    assert_hex(octets + 8, 6, "000000026162");
    struct digest commitment = sha256(span_from_string("sixteen octets!!12025550100"));
    assert_memory_equal(octets + 14, commitment.octets, DIGEST_SIZE);
    assert_memory_equal(octets + 46, "sixteen octets!!12025550100", 27);
}

static void a_record_comes_back(void **state)
{
    (void)state;
    uint8_t octets[256];
    struct record record;
    size_t size = make(octets, 77, true, "public", "personal");
    assert_int_equal(record_decode(span_of(octets, size + 5), 77, &record), RECORD_OK);
    assert_int_equal(record.size, size);
    assert_true(record.barrier && !record.erased);
    assert_true(span_equal(record.public_part, span_from_string("public")));
    assert_true(span_equal(record.personal_part, span_from_string("personal")));
    assert_int_equal(record.commitment.length, DIGEST_SIZE);
    assert_true(span_equal(record.leaf, record_laid_leaf(octets)));
    assert_int_equal(record.leaf.data[0], 0x00);
    size = make(octets, 78, false, "", "");
    assert_int_equal(record_decode(span_of(octets, size), 78, &record), RECORD_OK);
    assert_true(!record.barrier && record.commitment.length == 0);
    assert_int_equal(record.public_part.length + record.personal_part.length, 0);
}

static void a_record_is_valid_at_its_number_only(void **state)
{
    (void)state;
    uint8_t octets[256];
    struct record record;
    size_t size = make(octets, 1000, false, "public", "personal");
    for (uint64_t number = 0; number < 70000; number++)
        assert_int_equal(record_decode(span_of(octets, size), number, &record),
                         number == 1000 ? RECORD_OK : RECORD_INVALID);
}

static void the_largest_record_fits_and_a_larger_one_is_invalid(void **state)
{
    (void)state;
    uint8_t *octets = calloc(1, RECORD_SIZE_MAX + 64), *part = calloc(1, LEDGER_RECORD_MAX);
    assert_true(octets != NULL && part != NULL);
    struct record record;
    for (size_t personal = 0; personal <= LEDGER_RECORD_MAX; personal += LEDGER_RECORD_MAX / 2) {
        record_lay(octets, span_of(part, LEDGER_RECORD_MAX - personal), span_of(part, personal));
        record_finish(octets, 5, false, salt);
        size_t size = record_laid_size(octets);
        assert_true(size <= RECORD_SIZE_MAX);
        assert_int_equal(record_decode(span_of(octets, size), 5, &record), RECORD_OK);
        assert_int_equal(record_decode(span_of(octets, size - 1), 5, &record), RECORD_SHORT);
    }
    record_lay(octets, span_of(part, LEDGER_RECORD_MAX), (struct span){0});
    octets[11]++; /* public length */
    record_finish(octets, 5, false, salt);
    assert_int_equal(record_decode(span_of(octets, RECORD_SIZE_MAX), 5, &record), RECORD_INVALID);
    free(octets);
    free(part);
}

static void every_flip_and_every_cut_is_noticed(void **state)
{
    (void)state;
    uint8_t octets[256];
    struct record record;
    size_t size = make(octets, 9, true, "public", "personal");
    for (size_t bit = 0; bit < 8 * size; bit++) {
        octets[bit / 8] ^= (uint8_t)(1 << bit % 8);
        assert_int_not_equal(record_decode(span_of(octets, size), 9, &record), RECORD_OK);
        octets[bit / 8] ^= (uint8_t)(1 << bit % 8);
    }
    for (size_t length = 0; length < size; length++)
        assert_int_equal(record_decode(span_of(octets, length), 9, &record), RECORD_SHORT);
    memset(octets, 0, sizeof octets);
    for (size_t length = 1; length < 100; length++)
        assert_int_equal(record_decode(span_of(octets, length), 9, &record), RECORD_INVALID);
}

static void erasing_leaves_the_leaf_and_the_record_valid_at_each_step(void **state)
{
    (void)state;
    uint8_t octets[256];
    struct record record;
    size_t size = make(octets, 3, false, "public", "personal");
    struct digest leaf = sha256(record_laid_leaf(octets));
    size_t secret = size - 4 - strlen("personal") - SALT_SIZE;
    octets[0] = RECORD_ERASED;
    for (size_t at = secret; at <= size; at++) {
        assert_int_equal(record_decode(span_of(octets, size), 3, &record), RECORD_OK);
        assert_true(record.erased && record.personal_part.length == 0);
        assert_true(span_equal(record.public_part, span_from_string("public")));
        struct digest now = sha256(record.leaf);
        assert_memory_equal(now.octets, leaf.octets, DIGEST_SIZE);
        if (at < size)
            octets[at] = 0;
    }
    size = make(octets, 3, false, "public", "");
    octets[0] = RECORD_ERASED; /* there was nothing to erase */
    assert_int_equal(record_decode(span_of(octets, size), 3, &record), RECORD_INVALID);
}

static void head_and_end_come_back_and_every_flip_is_noticed(void **state)
{
    (void)state;
    uint8_t octets[64];
    struct file_head head = {FILE_VERSION, FILE_IS_SNAPSHOT, 65537}, got_head;
    file_head_encode(octets, FILE_RAW, &head);
    assert_int_equal(file_head_decode(span_of(octets, 64), FILE_RAW, &got_head), ERR_OK);
    assert_memory_equal(&head, &got_head, sizeof head);
    for (size_t bit = 0; bit < 512; bit++) {
        octets[bit / 8] ^= (uint8_t)(1 << bit % 8);
        assert_int_equal(file_head_decode(span_of(octets, 64), FILE_RAW, &got_head), ERR_CORRUPT);
        octets[bit / 8] ^= (uint8_t)(1 << bit % 8);
    }
    assert_int_equal(file_head_decode(span_of(octets, 63), FILE_RAW, &got_head), ERR_CORRUPT);
    file_head_encode(octets, FILE_RAW, &(struct file_head){FILE_VERSION + 1, 0, 1});
    assert_int_equal(file_head_decode(span_of(octets, 64), FILE_RAW, &got_head), ERR_VERSION);
    file_head_encode(octets, FILE_RAW, &(struct file_head){FILE_VERSION, 2, 1});
    assert_int_equal(file_head_decode(span_of(octets, 64), FILE_RAW, &got_head), ERR_VERSION);

    struct file_end end = {65536, 1234567, sha256(span_from_string("root"))}, got_end;
    file_end_encode(octets, &end);
    assert_int_equal(file_end_decode(span_of(octets, 64), &got_end), ERR_OK);
    assert_memory_equal(&end, &got_end, sizeof end);
    for (size_t bit = 0; bit < 512; bit++) {
        octets[bit / 8] ^= (uint8_t)(1 << bit % 8);
        assert_int_equal(file_end_decode(span_of(octets, 64), &got_end), ERR_CORRUPT);
        octets[bit / 8] ^= (uint8_t)(1 << bit % 8);
    }
}

static void salts_do_not_repeat(void **state)
{
    (void)state;
    struct salts pool = {.left = 0};
    uint8_t first[SALT_SIZE];
    memcpy(first, salts_take(&pool), SALT_SIZE);
    for (int i = 0; i < 1000; i++)
        assert_memory_not_equal(first, salts_take(&pool), SALT_SIZE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(crc32c_has_the_published_values),
        cmocka_unit_test(crc32c_is_the_same_in_both_ways_and_in_parts),
        cmocka_unit_test(tree_has_the_published_roots),
        cmocka_unit_test(a_record_has_these_octets),
        cmocka_unit_test(a_record_comes_back),
        cmocka_unit_test(a_record_is_valid_at_its_number_only),
        cmocka_unit_test(the_largest_record_fits_and_a_larger_one_is_invalid),
        cmocka_unit_test(every_flip_and_every_cut_is_noticed),
        cmocka_unit_test(erasing_leaves_the_leaf_and_the_record_valid_at_each_step),
        cmocka_unit_test(head_and_end_come_back_and_every_flip_is_noticed),
        cmocka_unit_test(salts_do_not_repeat),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
