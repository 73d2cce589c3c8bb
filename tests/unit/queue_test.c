/* SPDX-License-Identifier: Apache-2.0 */
/* P8: fair shares between campaigns; order inside one; what comes back keeps its place. */
#include "gateway/queue.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

static const struct hash_key key = {1, 2};

struct bench {
    struct message_store store;
    struct queue queue;
    uint64_t next_id;
};

static struct message *add(struct bench *b, const char *label, uint8_t parts)
{
    struct message *m = message_new(&b->store, 12025550100ull, span_from_string("x"));
    m->message_class = ASSENT__V1__CLASS__MARKETING;
    m->parts = parts;
    message_set_id(&b->store, m, ++b->next_id);
    queue_join_flow(&b->queue, m, &key, label);
    message_set_state(&b->store, m, MESSAGE_WAITING);
    queue_put(&b->queue, m, false);
    return m;
}

static struct message *take(struct bench *b)
{
    struct message *m = queue_peek(&b->queue, ASSENT__V1__CLASS__MARKETING);
    if (m == NULL)
        return NULL;
    queue_take(&b->queue, m, m->parts);
    message_set_state(&b->store, m, MESSAGE_INTENT);
    return m;
}

static void end(struct bench *b, struct message *m)
{
    queue_leave_flow(&b->queue, m);
    message_set_state(&b->store, m, MESSAGE_ENDED);
    message_free_ended(&b->store);
}

static int setup(void **state)
{
    struct bench *b = calloc(1, sizeof *b);
    message_store_init(&b->store);
    queue_init(&b->queue);
    *state = b;
    return 0;
}

static int teardown(void **state)
{
    struct bench *b = *state;
    queue_release(&b->queue, &b->store);
    message_store_release(&b->store);
    free(b);
    return 0;
}

static void campaigns_share_by_parts(void **state)
{
    struct bench *b = *state;
    for (int i = 0; i < 1000; i++)
        add(b, "large", 1);
    for (int i = 0; i < 100; i++) {
        add(b, "small", 1);
        add(b, "long", 3);
    }
    unsigned parts[3] = {0};
    for (int i = 0; i < 150; i++) {
        struct message *m = take(b);
        unsigned at = m->flow->label[0] == 's' ? 0 : m->flow->label[1] == 'a' ? 1 : 2;
        parts[at] += m->parts;
        end(b, m);
    }
    for (int i = 0; i < 3; i++)
        assert_in_range(parts[i], 60, 90);
}

static void a_campaign_keeps_its_order(void **state)
{
    struct bench *b = *state;
    for (int i = 0; i < 300; i++)
        add(b, i % 3 ? "a" : "b", 1);
    uint64_t last_a = 0, last_b = 0;
    struct message *m;
    while ((m = take(b)) != NULL) {
        uint64_t *last = m->flow->label[0] == 'a' ? &last_a : &last_b;
        assert_true(m->id > *last);
        *last = m->id;
        end(b, m);
    }
}

static void what_comes_back_stands_in_its_old_place(void **state)
{
    struct bench *b = *state;
    struct message *taken[5];
    for (int i = 0; i < 20; i++)
        add(b, "a", 1);
    for (int i = 0; i < 5; i++)
        taken[i] = take(b);
    static const int order[] = {2, 0, 4, 1, 3};
    for (int i = 0; i < 5; i++) {
        message_set_state(&b->store, taken[order[i]], MESSAGE_WAITING);
        queue_put(&b->queue, taken[order[i]], true);
    }
    for (uint64_t id = 1; id <= 20; id++) {
        struct message *m = take(b);
        assert_int_equal(m->id, id);
        end(b, m);
    }
    assert_null(take(b));
}

static void nothing_goes_between_the_parts(void **state)
{
    struct bench *b = *state;
    add(b, "a", 1);
    struct message *partial = add(b, "b", 3);
    end(b, take(b));
    assert_ptr_equal(take(b), partial);
    add(b, "a", 1);
    partial->done = 1; /* its first part is out */
    message_set_state(&b->store, partial, MESSAGE_WAITING);
    queue_put(&b->queue, partial, true);
    assert_ptr_equal(queue_peek(&b->queue, ASSENT__V1__CLASS__MARKETING), partial);
}

static void more_campaigns_than_the_limit_share_one_flow(void **state)
{
    struct bench *b = *state;
    char label[32];
    for (int i = 0; i < CAMPAIGNS_MAX + 10; i++) {
        snprintf(label, sizeof label, "c%d", i);
        add(b, label, 1);
    }
    assert_int_equal(b->queue.flows.count, CAMPAIGNS_MAX + 1);
    int count = 0;
    for (struct message *m; (m = take(b)) != NULL; count++)
        end(b, m);
    assert_int_equal(count, CAMPAIGNS_MAX + 10);
    assert_int_equal(b->queue.flows.count, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(campaigns_share_by_parts, setup, teardown),
        cmocka_unit_test_setup_teardown(a_campaign_keeps_its_order, setup, teardown),
        cmocka_unit_test_setup_teardown(what_comes_back_stands_in_its_old_place, setup, teardown),
        cmocka_unit_test_setup_teardown(nothing_goes_between_the_parts, setup, teardown),
        cmocka_unit_test_setup_teardown(more_campaigns_than_the_limit_share_one_flow, setup,
                                        teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
