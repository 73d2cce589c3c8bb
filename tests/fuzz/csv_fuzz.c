/* SPDX-License-Identifier: Apache-2.0 */
/* Any octets as a CSV file: every row ends, cells lie within the columns, lines and rows only grow. `assent` is
 * a program and no library, so its reader is taken in whole. */
#include "gateway/cli/csv.c"

#include <sys/mman.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

void complain(const char *format, ...)
{
    (void)format;
}

static void read_all(struct csv *csv)
{
    uint64_t row = 1, line = 0;
    enum csv_result result;
    while ((result = csv_next(csv)) != CSV_END) {
        CHECK(csv_row(csv) > row && csv_line(csv) > line && csv_line(csv) >= csv_row(csv));
        row = csv_row(csv);
        line = csv_line(csv);
        CHECK((result == CSV_BAD) == (csv_why(csv) != NULL));
        for (int i = -1; i <= CSV_COLUMNS_MAX && result == CSV_ROW; i++)
            CHECK(strlen(csv_cell(csv, i)) <= CSV_ROW_MAX);
    }
    CHECK(csv_position(csv) == csv_size(csv));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char path[64];
    int fd = memfd_create("csv", MFD_CLOEXEC);
    CHECK(fd >= 0 && write(fd, data, size) == (ssize_t)size);
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    struct csv *csv = csv_open(path);
    if (csv != NULL)
        read_all(csv);
    csv_close(csv);
    close(fd);
    return 0;
}
