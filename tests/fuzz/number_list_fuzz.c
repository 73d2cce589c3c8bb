/* SPDX-License-Identifier: Apache-2.0 */
/* Any octets as a list of numbers that nothing may be sent from. */
#include "consent/number_list.h"
#include "proto/base/check.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct number_list_fault fault = {0};
    struct number_list *list = number_list_parse(span_of(data, size), &fault);
    CHECK((list == NULL) == (fault.why != NULL) && (list == NULL) == (fault.line > 0));
    if (list != NULL) {
        CHECK(number_list_count(list) > 0 && number_list_count(list) <= size);
        CHECK(!number_list_has(list, "ACME") && !number_list_has(list, ""));
        (void)number_list_has(list, "12025550100");
    }
    number_list_free(list);
    return 0;
}
