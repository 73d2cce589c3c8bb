/* SPDX-License-Identifier: Apache-2.0 */
#include "bench/subscriber.h"

#include <stdio.h>
#include <stdlib.h>
#include <strings.h>

#include "proto/base/hash.h"
#include "proto/number.h"

#define SPELLINGS 2

static const char *const words[REPLY_KINDS][LANGUAGES][SPELLINGS] = {
    [REPLY_YES] = {[LANGUAGE_EN] = {"YES", "Yes"},
                   [LANGUAGE_FR] = {"OUI", "Oui"},
                   [LANGUAGE_ES] = {"SI", "Sí"},
                   [LANGUAGE_AR] = {"نعم", "نعم"}},
    [REPLY_NO] = {[LANGUAGE_EN] = {"NO", "No"},
                  [LANGUAGE_FR] = {"NON", "Non"},
                  [LANGUAGE_ES] = {"NO", "No"},
                  [LANGUAGE_AR] = {"لا", "لا"}},
    [REPLY_STOP] = {[LANGUAGE_EN] = {"STOP", "Stop."},
                    [LANGUAGE_FR] = {"STOP", "ARRÊT"},
                    [LANGUAGE_ES] = {"BAJA", "Stop"},
                    [LANGUAGE_AR] = {"إيقاف", "STOP"}},
    [REPLY_STOPALL] = {[LANGUAGE_EN] = {"STOPALL", "Stop all"},
                       [LANGUAGE_FR] = {"STOPALL", "STOPALL"},
                       [LANGUAGE_ES] = {"STOPALL", "STOPALL"},
                       [LANGUAGE_AR] = {"STOPALL", "STOPALL"}},
    [REPLY_START] = {[LANGUAGE_EN] = {"START", "Unstop"},
                     [LANGUAGE_FR] = {"START", "START"},
                     [LANGUAGE_ES] = {"START", "START"},
                     [LANGUAGE_AR] = {"START", "START"}},
    [REPLY_HELP] = {[LANGUAGE_EN] = {"HELP", "Help"},
                    [LANGUAGE_FR] = {"AIDE", "Aide"},
                    [LANGUAGE_ES] = {"AYUDA", "Ayuda"},
                    [LANGUAGE_AR] = {"مساعدة", "مساعدة"}},
};

static const char *const names[REPLY_KINDS] = {
    [REPLY_NONE] = "none", [REPLY_YES] = "yes",         [REPLY_NO] = "no",
    [REPLY_STOP] = "stop", [REPLY_STOPALL] = "stopall", [REPLY_START] = "start",
    [REPLY_HELP] = "help", [REPLY_OTHER] = "other"};

const char *reply_words(enum reply_kind kind, enum language language, uint64_t variant)
{
    if (kind == REPLY_NONE)
        return "";
    return words[kind][language == LANGUAGE_NONE ? LANGUAGE_EN : language][variant % SPELLINGS];
}

const char *reply_name(enum reply_kind kind)
{
    return names[kind];
}

/* A number's throw of the dice in [0, 1,000,000); `salt` makes throws independent. */
static uint32_t throw(uint64_t seed, uint64_t number, uint64_t salt)
{
    return (uint32_t)(hash_mix(hash_mix(number * 0x9e3779b97f4a7c15ull + salt) ^ seed) % 1000000);
}

struct subscriber subscriber_of(const struct subscriber_shares *shares, uint64_t seed,
                                uint64_t number)
{
    struct subscriber subscriber = {0};
    uint32_t answer = throw(seed, number, 1), moved = throw(seed, number, 2);
    uint16_t within = shares->stop_within ? shares->stop_within : 1;
    if (answer < shares->yes)
        subscriber.answer = REPLY_YES;
    else if (answer - shares->yes < shares->no)
        subscriber.answer = REPLY_NO;
    if (moved < shares->stop) {
        subscriber.stop_at = (uint16_t)(1 + throw(seed, number, 3) % within);
        subscriber.stop_all = throw(seed, number, 4) < shares->stop_all;
        subscriber.start_at = throw(seed, number, 5) < shares->start;
    } else if (moved - shares->stop < shares->help) {
        subscriber.help_at = 1;
    }
    return subscriber;
}

/* Files --------------------------------------------------------------------------------------- */

static bool parse_answer(const char *text, enum reply_kind *ret_kind)
{
    if (strcasecmp(text, "nothing") == 0) {
        *ret_kind = REPLY_NONE;
        return true;
    }
    for (enum reply_kind kind = REPLY_YES; kind < REPLY_OTHER; kind++) {
        if (strcasecmp(text, names[kind]) == 0) {
            *ret_kind = kind;
            return true;
        }
    }
    return false;
}

static bool parse_count(const char *text, uint16_t *ret_count)
{
    char *end;
    unsigned long value = strtoul(text, &end, 10);
    if (*text < '0' || *text > '9' || *end != '\0' || value > UINT16_MAX)
        return false;
    *ret_count = (uint16_t)value;
    return true;
}

static const char *parse_setting(char *word, struct subscriber *subscriber)
{
    if (strncmp(word, "answer=", 7) == 0)
        return parse_answer(word + 7, &subscriber->answer)
                   ? NULL
                   : "answer is one of YES, NO, STOP, HELP, NOTHING";
    if (strncmp(word, "stop=", 5) == 0)
        return parse_count(word + 5, &subscriber->stop_at) ? NULL : "stop is 0 to 65535";
    if (strncmp(word, "stopall=", 8) == 0) {
        subscriber->stop_all = true;
        return parse_count(word + 8, &subscriber->stop_at) ? NULL : "stopall is 0 to 65535";
    }
    if (strncmp(word, "start=", 6) == 0)
        return parse_count(word + 6, &subscriber->start_at) ? NULL : "start is 0 to 65535";
    if (strncmp(word, "help=", 5) == 0)
        return parse_count(word + 5, &subscriber->help_at) ? NULL : "help is 0 to 65535";
    return "after the number come answer=, stop=, stopall=, start= or help=";
}

bool subscriber_parse(const char *line, uint64_t *ret_number, struct subscriber *ret_subscriber,
                      const char **ret_why)
{
    char copy[256], *save = NULL;
    if (strlen(line) >= sizeof copy) {
        *ret_why = "the line is too long";
        return false;
    }
    memcpy(copy, line, strlen(line) + 1);
    char *word = strtok_r(copy, " \t\r\n", &save);
    *ret_number = 0;
    if (word == NULL || word[0] == '#')
        return true;
    uint64_t number;
    struct subscriber subscriber = {0};
    const char *why = number_parse(span_from_string(word), &number) == ERR_OK
                          ? NULL
                          : "a line begins with a number such as +12025550100";
    while (why == NULL && (word = strtok_r(NULL, " \t\r\n", &save)) != NULL)
        why = parse_setting(word, &subscriber);
    if (why != NULL) {
        *ret_why = why;
        return false;
    }
    *ret_number = number;
    *ret_subscriber = subscriber;
    return true;
}

/* Texts --------------------------------------------------------------------------------------- */

enum meaning { MEANS_YES, MEANS_STOP, MEANS_HELP };

static const struct {
    const char *word;
    enum meaning meaning;
    enum language language;
} cues[] = {
    {"YES", MEANS_YES, LANGUAGE_EN},    {"OUI", MEANS_YES, LANGUAGE_FR},
    {"SI", MEANS_YES, LANGUAGE_ES},     {"SÍ", MEANS_YES, LANGUAGE_ES},
    {"STOP", MEANS_STOP, LANGUAGE_EN},  {"ARRET", MEANS_STOP, LANGUAGE_FR},
    {"ARRÊT", MEANS_STOP, LANGUAGE_FR}, {"BAJA", MEANS_STOP, LANGUAGE_ES},
    {"HELP", MEANS_HELP, LANGUAGE_EN},  {"AIDE", MEANS_HELP, LANGUAGE_FR},
    {"AYUDA", MEANS_HELP, LANGUAGE_ES}, {"نعم", MEANS_YES, LANGUAGE_AR},
    {"إيقاف", MEANS_STOP, LANGUAGE_AR}, {"ايقاف", MEANS_STOP, LANGUAGE_AR},
    {"قف", MEANS_STOP, LANGUAGE_AR},    {"مساعدة", MEANS_HELP, LANGUAGE_AR},
};
#define CUE_COUNT (sizeof cues / sizeof cues[0])

struct cues_seen {
    bool seen[3];
    enum language language[3]; /* of the first cue of each meaning */
};

static void note(struct cues_seen *seen, size_t cue)
{
    if (!seen->seen[cues[cue].meaning])
        seen->language[cues[cue].meaning] = cues[cue].language;
    seen->seen[cues[cue].meaning] = true;
}

/* Letters and digits; of the others beyond ASCII the quotation marks and dashes are not letters. */
static bool is_letter(const uint8_t *at, const uint8_t *end)
{
    if (*at < 0x80)
        return (*at >= 'a' && *at <= 'z') || (*at >= 'A' && *at <= 'Z') ||
               (*at >= '0' && *at <= '9');
    return *at != 0xc2 && !(*at == 0xe2 && end - at > 1 && at[1] == 0x80);
}

static void look_up(struct cues_seen *seen, const uint8_t *word, size_t length)
{
    for (size_t i = 0; i < CUE_COUNT; i++)
        if (cues[i].word[0] == (char)word[0] && strlen(cues[i].word) == length &&
            memcmp(cues[i].word, word, length) == 0)
            note(seen, i);
}

/* Latin words whole; Arabic ones anywhere, since particles are written together with them. */
static struct cues_seen find_cues(struct span utf8)
{
    struct cues_seen seen = {0};
    const uint8_t *at = utf8.data, *end = utf8.data + utf8.length;
    bool arabic = false;
    while (at < end) {
        const uint8_t *word = at;
        for (; at < end && is_letter(at, end); at++)
            arabic |= *at >= 0xd8 && *at <= 0xdb;
        if (at > word) {
            look_up(&seen, word, (size_t)(at - word));
            continue;
        }
        do
            at++; /* over one character that is no letter */
        while (at < end && (*at & 0xc0) == 0x80);
    }
    for (size_t i = 0; arabic && i < CUE_COUNT; i++)
        if (cues[i].language == LANGUAGE_AR &&
            memmem(utf8.data, utf8.length, cues[i].word, strlen(cues[i].word)) != NULL)
            note(&seen, i);
    return seen;
}

static bool holds(struct span utf8, const char *mark)
{
    return memmem(utf8.data, utf8.length, mark, strlen(mark)) != NULL;
}

enum text_kind text_kind_of(const struct text_marks *marks, struct span utf8,
                            enum language *ret_language)
{
    if (utf8.length == 0)
        return KIND_OTHER;
    struct cues_seen seen = find_cues(utf8);
    bool question = marks->question ? holds(utf8, marks->question) : seen.seen[MEANS_YES];
    bool campaign = marks->campaign ? holds(utf8, marks->campaign)
                                    : seen.seen[MEANS_STOP] && !seen.seen[MEANS_HELP];
    *ret_language = seen.language[question ? MEANS_YES : MEANS_STOP];
    return question ? KIND_QUESTION : campaign ? KIND_MARKETING : KIND_OTHER;
}
