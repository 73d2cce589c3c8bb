/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "proto/base/pool.h"
#include "proto/base/rng.h"

#define THINGS 20000

static size_t size_of(size_t i)
{
    return 1 + i * 37 % (POOL_SIZE_MAX + 200);
}

static void things_keep_what_is_written_into_them(void **state)
{
    (void)state;
    static uint8_t *things[THINGS];
    struct pool pool;
    struct rng rng = {3};
    pool_init(&pool);
    for (size_t step = 0; step < 10 * THINGS; step++) {
        size_t i = (size_t)rng_below(&rng, THINGS), size = size_of(i);
        if (things[i] == NULL) {
            things[i] = pool_take(&pool, size);
            assert_int_equal((uintptr_t)things[i] % 16, 0);
            memset(things[i], (int)(i & 0xff), size);
            continue;
        }
        assert_true(things[i][0] == (i & 0xff) && things[i][size - 1] == (i & 0xff));
        pool_give(&pool, things[i], size);
        things[i] = NULL;
    }
    for (size_t i = 0; i < THINGS; i++)
        if (things[i] != NULL)
            pool_give(&pool, things[i], size_of(i));
    pool_release(&pool);
}

static void empty_slabs_go_back(void **state)
{
    (void)state;
    static void *things[THINGS];
    struct pool pool;
    pool_init(&pool);
    for (int round = 0; round < 3; round++) {
        for (size_t i = 0; i < THINGS; i++)
            things[i] = pool_take(&pool, 300);
        size_t most = pool.slabs;
        for (size_t i = 0; i < THINGS; i += 2) /* every other one, then the rest */
            pool_give(&pool, things[i], 300);
        assert_int_equal(pool.slabs, most);
        for (size_t i = 1; i < THINGS; i += 2)
            pool_give(&pool, things[i], 300);
        assert_true(pool.slabs <= 1);
    }
    pool_release(&pool);
}

static void sizes_at_the_edges(void **state)
{
    (void)state;
    static const size_t sizes[] = {1, POOL_STEP, POOL_STEP + 1, POOL_SIZE_MAX, POOL_SIZE_MAX + 1};
    struct pool pool;
    pool_init(&pool);
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        void *a = pool_take(&pool, sizes[i]), *b = pool_take(&pool, sizes[i]);
        assert_ptr_not_equal(a, b);
        memset(a, 1, sizes[i]);
        memset(b, 2, sizes[i]);
        assert_int_equal(*(uint8_t *)a, 1);
        pool_prefetch(a, sizes[i]);
        pool_give(&pool, a, sizes[i]);
        pool_give(&pool, b, sizes[i]);
    }
    pool_release(&pool);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(things_keep_what_is_written_into_them),
        cmocka_unit_test(empty_slabs_go_back),
        cmocka_unit_test(sizes_at_the_edges),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
