/* SPDX-License-Identifier: Apache-2.0 */
/* A log line is one line of bounded length, whatever stands in it; repeats of one site are counted. */
#include "proto/base/log.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "proto/base/limits.h"

static char written[8 * LOG_LINE_MAX];

static int old_stderr = -1, file = -1;

static void begin(void)
{
    char name[] = "/tmp/assent-log-XXXXXX";
    file = mkstemp(name);
    assert_true(file >= 0);
    unlink(name);
    old_stderr = dup(STDERR_FILENO);
    dup2(file, STDERR_FILENO);
}

/* Gives what was logged since begin(). */
static const char *end(void)
{
    dup2(old_stderr, STDERR_FILENO);
    close(old_stderr);
    ssize_t n = pread(file, written, sizeof written - 1, 0);
    close(file);
    written[n > 0 ? n : 0] = '\0';
    return written;
}

static void a_line_is_bounded(void **state)
{
    (void)state;
    char much[4 * LOG_LINE_MAX];
    memset(much, 'x', sizeof much - 1);
    much[sizeof much - 1] = '\0';
    begin();
    log_event(LOG_INFO, "much", "what=%s", much);
    log_event(LOG_INFO, "little", "what=%s", "it");
    const char *text = end();
    size_t first = strcspn(text, "\n");
    assert_in_range(first, LOG_LINE_MAX / 2, LOG_LINE_MAX - 1);
    assert_non_null(strstr(text + first, "event=little what=it\n"));
}

static void levels_below_the_threshold_are_silent(void **state)
{
    (void)state;
    begin();
    log_event(LOG_DEBUG, "detail", "x=%d", 1);
    log_set_level(LOG_WARN);
    log_event(LOG_INFO, "news", "x=%d", 1);
    log_event(LOG_WARN, "trouble", "x=%d", 1);
    log_set_level(LOG_INFO);
    const char *text = end();
    assert_null(strstr(text, "detail"));
    assert_null(strstr(text, "news"));
    assert_non_null(strstr(text, "level=warn event=trouble x=1\n"));
}

static void flood(int times)
{
    for (int i = 0; i < times; i++)
        LOG_LIMITED(LOG_WARN, "flood", "i=%d", i);
}

static void repeats_are_counted(void **state)
{
    (void)state;
    begin();
    for (int round = 0; round < 2; round++) {
        flood(100);
        usleep(LOG_REPEAT_MS * 1000 + 50000);
    }
    const char *text = end();
    assert_non_null(strstr(text, "event=flood i=0\n"));
    assert_non_null(strstr(text, "event=flood i=0 repeats=99\n"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_line_is_bounded),
        cmocka_unit_test(levels_below_the_threshold_are_silent),
        cmocka_unit_test(repeats_are_counted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
