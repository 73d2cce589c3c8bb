/* SPDX-License-Identifier: Apache-2.0 */
/* assent verify: hashes the ledger again and says whether it is the one that was signed. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "consent/ledger_verify.h"
#include "gateway/cli/cli.h"
#include "gateway/cli/ledger_path.h"
#include "gateway/cli/options.h"
#include "gateway/cli/print.h"
#include "proto/base/clock.h"

#define NOTES_MAX (64u << 20) /* octets of a witness' file */

struct verify_view {
    struct progress progress;
    uint64_t octets, octets_all;
};

static void show_finding(void *context, const char *sentence)
{
    struct verify_view *view = context;
    progress_clear(&view->progress);
    printf("WRONG  %s\n", sentence);
}

static void show_progress(void *context, uint64_t octets, uint64_t octets_all)
{
    struct verify_view *view = context;
    view->octets = octets;
    view->octets_all = octets_all;
    progress_show(&view->progress, octets, octets_all, 0);
}

static void print_report(const struct verify_report *report, uint64_t took_us)
{
    char count[COUNT_TEXT_SIZE], more[COUNT_TEXT_SIZE], key[NOTE_KEY_TEXT_SIZE];
    double megabytes = (double)report->octets / 1e6;
    printf("records       %s in %" PRIu64 " segments, %.1f MB, in %.2f s (%.0f MB/s)\n",
           count_text(report->records, count), report->segments, megabytes, (double)took_us / 1e6,
           took_us ? megabytes * 1e6 / (double)took_us : 0);
    printf("personal      %s parts are what was recorded\n", count_text(report->personal, count));
    if (report->destroyed > 0)
        printf("destroyed     %s parts, by %" PRIu64 " erasures that are done and recorded\n",
               count_text(report->destroyed, count), report->erasures);
    if (report->cut > 0)
        printf("cut           %s records of %" PRIu64
               " segments, by retention that is recorded; their hashes hold\n",
               count_text(report->cut, count), report->segments_cut);
    printf("checkpoints   %s agree; the newest covers %s records\n",
           count_text(report->checkpoints, count), count_text(report->newest.size, more));
    if (report->inside > 0)
        printf("              %s end among records that were cut: the later ones cover these too\n",
               count_text(report->inside, count));
    if (report->newest.size > 0)
        printf("signed by     %s%s\n", note_key_text(&report->key, key),
               report->keys > 1 ? ", the latest of several keys that took over in order" : "");
    if (report->records + report->cut > report->newest.size)
        printf("behind it     %s records that no checkpoint covers yet\n",
               count_text(report->records + report->cut - report->newest.size, count));
    if (report->findings == 0)
        printf("Nothing was changed, left out, put in or put in another order.\n");
    else
        printf("%s thing%s wrong.\n", count_text(report->findings, count),
               report->findings == 1 ? " is" : "s are");
}

static int run(const char *directory, const struct note_key *trusted, struct span notes,
               bool progress)
{
    struct verify_view view = {0};
    struct verify_report report;
    const char *why = "";
    const struct verify_order order = {.directory = directory,
                                       .trusted = trusted,
                                       .notes = notes,
                                       .finding = show_finding,
                                       .progress = show_progress,
                                       .context = &view};
    uint64_t began_us = clock_mono_us();
    progress_init(&view.progress, "verifying", progress_wanted(progress));
    enum err err = ledger_verify(&order, &report, &why);
    progress_clear(&view.progress);
    if (err != ERR_OK) {
        complain("%s", why);
        return EXIT_REFUSED;
    }
    print_report(&report, clock_mono_us() - began_us);
    return report.findings == 0 ? EXIT_DONE : EXIT_REFUSED;
}

int command_verify(const struct cli *cli, int argc, char **argv)
{
    const char *word = NULL, *key_text = NULL, *notes_path = NULL;
    bool progress = false;
    const struct option_row rows[] = {
        {"key", "KEY",
         "whom you believe, as `assent key show` printed it once; else\n"
         "                        the first key that the ledger itself names",
         &key_text, NULL},
        {"checkpoints", "FILE", "checkpoints from elsewhere, as a witness has kept them",
         &notes_path, NULL},
        {"progress", NULL, "show progress also when stderr is no terminal", NULL, &progress},
    };
    const struct usage usage = {
        .synopsis = "assent {-c FILE verify | verify DATA-DIR} [--key KEY] [--checkpoints FILE]",
        .about =
            "Hashes every record again and holds them against the signed checkpoints. Names each\n"
            "record that was changed, left out, put in or put in another order, and an end that "
            "was\n"
            "cut off. Who owns key and ledger could have made both anew: only a key and "
            "checkpoints\n"
            "that were kept elsewhere tell. Exit code 0: nothing is wrong. The gateway may run.",
        .rows = rows,
        .row_count = sizeof rows / sizeof rows[0],
    };
    size_t words, notes_length = 0;
    struct note_key key;
    enum options_result result = options_read(&usage, argc, argv, &word, 1, &words);
    if (result != OPTIONS_READ)
        return options_exit(result);
    if (key_text != NULL && note_key_parse(key_text, &key) != ERR_OK)
        return usage_error(&usage, "--key: %s is no key like assent/gw1+0123abcd+AQ...", key_text);
    char *directory = ledger_path(cli, word), *notes = NULL;
    int code = directory == NULL ? EXIT_REFUSED : EXIT_DONE;
    if (code == EXIT_DONE && notes_path != NULL) {
        notes = read_file(notes_path, NOTES_MAX, &notes_length);
        code = notes == NULL ? EXIT_REFUSED : EXIT_DONE;
    }
    if (code == EXIT_DONE)
        code = run(directory, key_text ? &key : NULL, span_of(notes, notes_length), progress);
    free(notes);
    free(directory);
    return code;
}
