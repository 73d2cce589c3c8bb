/* SPDX-License-Identifier: Apache-2.0 */
/* The command line's readers of what people write: CSV, templates, times. `assent` is a program and
 * no library, so its sources are taken in whole. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#include "gateway/cli/csv.c"
#include "gateway/cli/template.c"
#include "gateway/cli/when.c"

static unsigned complaints;

void complain(const char *format, ...)
{
    (void)format;
    complaints++;
}

static char csv_path[] = "/tmp/assent-csv-XXXXXX";

static struct csv *csv_of(const char *octets, size_t length)
{
    FILE *file = fopen(csv_path, "w");
    assert_non_null(file);
    assert_int_equal(fwrite(octets, 1, length, file), length);
    fclose(file);
    return csv_open(csv_path);
}

#define CSV(text) csv_of(text, sizeof(text) - 1)

static void test_csv(void **state)
{
    (void)state;
    struct csv *csv =
        CSV("\xef\xbb\xbfNumber, name\r\n1,\"a \"\"b\"\"\r\nc\"\r\n\r\n2\n3,x,y\n4, z ");
    assert_non_null(csv);
    assert_int_equal(csv_column(csv, "number"), 0);
    assert_int_equal(csv_column(csv, "name"), 1);
    assert_int_equal(csv_column(csv, "none"), -1);
    assert_int_equal(csv_next(csv), CSV_ROW);
    assert_string_equal(csv_cell(csv, 1), "a \"b\"\r\nc");
    assert_int_equal(csv_row(csv), 2);
    assert_int_equal(csv_next(csv), CSV_ROW);
    assert_string_equal(csv_cell(csv, 0), "2");
    assert_string_equal(csv_cell(csv, 1), "");
    assert_int_equal(csv_row(csv), 4);
    assert_int_equal(csv_next(csv), CSV_BAD);
    assert_int_equal(csv_next(csv), CSV_ROW);
    assert_string_equal(csv_cell(csv, 1), "z");
    assert_int_equal(csv_next(csv), CSV_END);
    assert_int_equal(csv_position(csv), csv_size(csv));
    csv_close(csv);
}

static void test_csv_separators(void **state)
{
    (void)state;
    struct csv *csv = CSV("number;a,b\n1;2\n");
    assert_int_equal(csv_column(csv, "a"), -1); /* one of each: the comma wins */
    csv_close(csv);
    csv = CSV("number;a;b\n1;2,5;3\n");
    assert_int_equal(csv_next(csv), CSV_ROW);
    assert_string_equal(csv_cell(csv, 1), "2,5");
    csv_close(csv);
    csv = CSV("number\ta\n1\t2\n");
    assert_int_equal(csv_next(csv), CSV_ROW);
    assert_string_equal(csv_cell(csv, 1), "2");
    csv_close(csv);
}

static void test_bad_csv(void **state)
{
    (void)state;
    assert_null(CSV(""));
    struct csv *csv = CSV("number,a\n1,\"open\n2,b\n");
    assert_int_equal(csv_next(csv), CSV_BAD);
    assert_int_equal(csv_next(csv), CSV_END);
    csv_close(csv);
    csv = csv_of("number,a\n1,\0x\n2,b\n", 18);
    assert_int_equal(csv_next(csv), CSV_BAD);
    assert_int_equal(csv_next(csv), CSV_ROW);
    assert_string_equal(csv_cell(csv, 0), "2");
    csv_close(csv);

    char *wide = calloc(1, 200000);
    assert_non_null(wide);
    strcpy(wide, "number,a\n1,");
    memset(wide + 11, 'x', 100000);
    strcpy(wide + 100011, "\n2,b\n");
    csv = csv_of(wide, strlen(wide));
    assert_int_equal(csv_next(csv), CSV_BAD);
    assert_int_equal(csv_next(csv), CSV_ROW);
    csv_close(csv);
    strcpy(wide, "number\n");
    memset(wide + 7, ',', 1000);
    strcpy(wide + 1007, "\n2\n");
    csv = csv_of(wide, strlen(wide));
    assert_int_equal(csv_next(csv), CSV_BAD);
    assert_int_equal(csv_next(csv), CSV_ROW);
    csv_close(csv);
    free(wide);
}

static void test_template(void **state)
{
    (void)state;
    struct csv *csv = CSV("number,name\n1,Ann\n");
    assert_int_equal(csv_next(csv), CSV_ROW);
    char out[32];
    struct template *template = template_new("Hi {NAME}{{}}, {number}} end", csv, "t");
    assert_non_null(template);
    assert_true(template_fill(template, csv, out, sizeof out));
    assert_string_equal(out, "Hi Ann{}, 1} end");
    assert_true(template_fill(template, csv, out, 17));
    assert_false(template_fill(template, csv, out, 16));
    template_free(template);
    complaints = 0;
    assert_null(template_new("Hi {nam}", csv, "t"));
    assert_null(template_new("Hi {name", csv, "t"));
    assert_int_equal(complaints, 2);
    template = template_new("", csv, "t");
    assert_true(template_fill(template, csv, out, 1));
    template_free(template);
    csv_close(csv);
}

static void test_when(void **state)
{
    (void)state;
    uint64_t ms = 0;
    char text[WHEN_TEXT_SIZE];
    assert_true(when_parse("+10m", 1000, &ms));
    assert_int_equal(ms, 601000);
    assert_true(when_parse("2026-12-01T09:00:00.25+01:00", 0, &ms));
    assert_string_equal(when_text(ms, text), "2026-12-01 08:00:00.250");
    assert_true(when_parse("2028-02-29 23:59:59Z", 0, &ms));
    assert_string_equal(when_text(ms, text), "2028-02-29 23:59:59.000");
    assert_true(when_parse_date("2026-12-01", 0, &ms));
    assert_string_equal(when_text(ms, text), "2026-12-01 00:00:00.000");
    static const char *const bad[] = {"",
                                      "soon",
                                      "+",
                                      "+10",
                                      "2026-12-01",
                                      "2026-02-29T00:00:00Z",
                                      "2026-13-01T00:00:00Z",
                                      "2026-12-01T24:00:00Z",
                                      "2026-12-01T09:00:00",
                                      "2026-12-01T09:00:00+1",
                                      "2026-12-01T09:00Z",
                                      "2026-12-01T09:00:00Z ",
                                      "1969-12-31T23:59:59Z",
                                      "1970-01-01T00:00:00+01:00"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_false(when_parse(bad[i], 0, &ms));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_csv),     cmocka_unit_test(test_csv_separators),
        cmocka_unit_test(test_bad_csv), cmocka_unit_test(test_template),
        cmocka_unit_test(test_when),
    };
    int fd = mkstemp(csv_path);
    if (fd < 0)
        return 1;
    close(fd);
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    unlink(csv_path);
    return failed;
}
