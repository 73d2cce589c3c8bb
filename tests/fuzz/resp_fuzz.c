/* SPDX-License-Identifier: Apache-2.0 */
/* Any octets as replies of Redis: whole, once more an octet at a time, and once by hiredis alone, must give
 * the same. */
#include "consent/store_reply.h"
#include "proto/base/check.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static uint64_t fold(uint64_t sum, const struct resp_reply *reply, struct span within)
{
    for (size_t i = 0; i < reply->count; i++) {
        const struct resp_value *value = &reply->values[i];
        sum = sum * 31 + (uint64_t)value->type + (uint64_t)value->integer;
        if (value->text.length > 0)
            CHECK(value->text.data >= within.data &&
                  value->text.data + value->text.length <= within.data + within.length);
        for (size_t j = 0; j < value->text.length; j++)
            sum = sum * 31 + value->text.data[j];
    }
    return sum;
}

typedef enum resp (*taker)(struct resp_reader *reader, struct span octets,
                           const struct resp_reply **ret_reply, size_t *ret_length,
                           const char **ret_why);

static uint64_t run(struct span octets, size_t step, taker take, size_t *ret_replies)
{
    struct resp_reader *reader = resp_reader_new();
    uint64_t sum = 0;
    size_t start = 0;
    for (size_t end = step < octets.length ? step : octets.length; end <= octets.length;
         end += step) {
        const struct resp_reply *reply;
        const char *why = NULL;
        size_t length;
        enum resp result;
        struct span window;
        while (window = span_of(octets.data + start, end - start),
               (result = take(reader, window, &reply, &length, &why)) == RESP_WHOLE) {
            CHECK(length > 0 && length <= window.length);
            sum = fold(sum, reply, window);
            start += length;
            (*ret_replies)++;
        }
        if (result == RESP_BAD) {
            CHECK(why != NULL);
            break;
        }
    }
    resp_reader_free(reader);
    return sum;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct span octets = span_of(data, size);
    size_t all = size ? size : 1, whole = 0, drip = 0, hiredis = 0;
    uint64_t a = run(octets, all, resp_take, &whole);
    uint64_t b = run(octets, 1, resp_take, &drip);
    uint64_t c = run(octets, all, resp_take_any, &hiredis);
    CHECK(a == b && whole == drip && a == c && whole == hiredis);
    return 0;
}
