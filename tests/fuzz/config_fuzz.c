/* SPDX-License-Identifier: Apache-2.0 */
/* Any octets as a configuration: faults or a configuration, never a crash, never a file opened. */
#include <stdlib.h>

#include "gateway/config_schema.h"
#include "proto/base/check.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct config *config = check_calloc(1, sizeof *config);
    struct config_faults *faults = check_calloc(1, sizeof *faults);
    config_defaults(config);
    config_read(span_of(data, size), NULL, config, faults);
    if (faults->count == 0) {
        FILE *out = fopen("/dev/null", "w");
        CHECK(out != NULL);
        config_print(config, out);
        fclose(out);
    }
    free(faults);
    config_free(config);
    return 0;
}
