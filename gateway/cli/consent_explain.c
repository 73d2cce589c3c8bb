/* SPDX-License-Identifier: Apache-2.0 */
/* assent consent explain: what a reply would mean. Asks nobody: the rules are in this program. */
#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "consent/keyword.h"
#include "gateway/cli/cli.h"
#include "gateway/cli/json.h"
#include "gateway/cli/options.h"

#define CANONICAL_MAX 8192

static const char *const step_words[] = {"", "the whole message is a keyword",
                                         "its first word, a clause of it or a phrase",
                                         "one edit from a keyword", "none: an ordinary reply"};

static const char *version_of(const char *rule)
{
    const char *at = strrchr(rule, '@');
    return at ? at + 1 : "";
}

static void print_json(const struct keyword_match *match, const char *canonical,
                       const char *outcome)
{
    json_t *object = json_object();
    json_object_set_new(object, "canonical", json_string(canonical));
    json_object_set_new(object, "outcome", json_string(outcome));
    json_object_set_new(object, "rule", json_string(match->rule));
    json_object_set_new(object, "version", json_string(version_of(match->rule)));
    json_object_set_new(object, "step", json_integer(match->step));
    json_object_set_new(object, "language", json_string(match->language));
    json_line(object, stdout);
}

/* The set may be none: the program adds nothing. */
static bool load_words(const struct cli *cli, const char *program, struct keyword_set **ret_set)
{
    struct config *config = cli_load_config(cli);
    if (config == NULL)
        return false;
    int index = config_find_program(config, program);
    if (index < 0)
        complain("%s has no program %s", cli->config_path, program);
    else
        *ret_set = program_words_of(config, (uint16_t)index);
    config_free(config);
    return index >= 0;
}

int consent_explain(const struct cli *cli, int argc, char **argv)
{
    const char *state = "none", *program = NULL, *text = NULL;
    bool json = false;
    const struct option_row rows[] = {
        {"state", "none|pending", "pending: a question of ours is open, so that yes means yes",
         &state, NULL},
        {"program", "P", "with the words that this program adds, by the configuration of -c",
         &program, NULL},
        {"json", NULL, "one JSON object, for programs", NULL, &json},
    };
    const struct usage usage = {
        .synopsis = "assent consent explain [--state none|pending] [--program P] [--json] TEXT",
        .about = "Says what a reply from a handset would mean: its canonical form, the rule that\n"
                 "matches, and the outcome. Needs no gateway.",
        .rows = rows,
        .row_count = sizeof rows / sizeof rows[0],
    };
    size_t words;
    enum options_result result = options_read(&usage, argc, argv, &text, 1, &words);
    if (result != OPTIONS_READ)
        return options_exit(result);
    if (words == 0)
        return usage_error(&usage, "which TEXT?");
    if (strcmp(state, "none") != 0 && strcmp(state, "pending") != 0)
        return usage_error(&usage, "--state is none or pending");
    char canonical[CANONICAL_MAX];
    keyword_canonical(span_from_string(text), canonical, sizeof canonical);
    struct keyword_set *set = NULL;
    if (program != NULL && !load_words(cli, program, &set))
        return EXIT_REFUSED;
    struct keyword_match match =
        keyword_match_in(set, span_from_string(text), strcmp(state, "pending") == 0);
    const char *outcome = meaning_name(match.meaning);
    if (json) {
        print_json(&match, canonical, outcome);
        keyword_set_free(set);
        return EXIT_DONE;
    }
    printf("canonical  %s\nrule       %s\nstep       %d: %s\nlanguage   %s\noutcome    \"%s\"\n",
           canonical, match.rule[0] ? match.rule : "none", match.step, step_words[match.step],
           match.language[0] ? match.language : "-", outcome);
    keyword_set_free(set);
    return EXIT_DONE;
}
