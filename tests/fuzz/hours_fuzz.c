/* SPDX-License-Identifier: Apache-2.0 */
/* Any octets as a line of the time zone database's zone.tab, and as hours of a day. */
#include <string.h>

#include "consent/quiet_hours.h"
#include "proto/base/check.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char country[3], name[ZONE_NAME_SIZE], text[64];
    if (zone_tab_line(span_of(data, size), country, name))
        CHECK(strlen(country) == 2 && strlen(name) > 0 && strlen(name) < sizeof name);
    size_t length = size < sizeof text - 1 ? size : sizeof text - 1;
    if (length > 0)
        memcpy(text, data, length);
    text[length] = '\0';
    struct daily_hours hours;
    if (daily_hours_parse(text, &hours))
        CHECK(hours.from < hours.until && hours.until <= 24 * 60);
    return 0;
}
