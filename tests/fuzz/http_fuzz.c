/* SPDX-License-Identifier: Apache-2.0 */
/* Any octets as the head of an HTTP request, whole and cut short. */
#include "gateway/http_request.h"
#include "proto/base/check.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct http_request request = {0};
    unsigned status = http_request_parse(span_of(data, size), &request);
    CHECK(status == 0 || http_status_text(status)[0] != '\0');
    if (status == 200)
        CHECK(request.path.length > 0 && request.path.data >= data &&
              request.path.data + request.path.length <= data + size);
    for (size_t cut = 0; status == 0 && cut < size && cut < 64; cut++)
        CHECK(http_request_parse(span_of(data, cut), &request) != 200);
    return 0;
}
