/* SPDX-License-Identifier: Apache-2.0 */
/* `programs`: what each may send, in which words it is left and joined. */
#include "gateway/config_table.h"

#include "consent/join.h"
#include "consent/keyword.h"
#include "consent/keyword_rows.h"
#include "consent/link_shortener.h"
#include "gateway/config_text.h"
#include "proto/base/check.h"

static void read_senders(struct reading *reading, yaml_node_t *node, const struct field *field,
                         void *into)
{
    struct program_config *program = into;
    if (!is_list(reading, node, field))
        return;
    for (size_t i = 0; i < length_of(node); i++) {
        yaml_node_t *item = item_of(reading, node, i);
        const char *text = text_of(reading, item, field->key);
        if (text == NULL)
            continue;
        if (!config_is_sender(text)) {
            FAULT(reading, item,
                  "a sender cannot be \"%.40s\"; 1 to 15 digits without +, or up to 11 letters and "
                  "digits are allowed",
                  text);
            continue;
        }
        strcpy(program->senders[program->sender_count++], text);
    }
}

/* The words of `meaning` stand in the order of enum row_kind. */
static const char *const meaning_words[] = {
    "opt_out", "opt_out_all", "opt_in", "confirm", "decline", "help", "cancel", "reply", NULL};

#define WORD(member) MEMBER(struct program_word, member)
static const struct field keyword_fields[] = {
    {"text", read_text, WORD(text), .with = &form_text, .required = true},
    {"meaning", read_word, WORD(kind), .with = meaning_words, .required = true},
    {"language", read_text, WORD(language), .with = &form_language},
};
static const struct mapping keyword_mapping = MAPPING("one of `keywords`", keyword_fields);

static const struct field phrase_fields[] = {
    {"text", read_text, WORD(text), .with = &form_text, .required = true},
    {"language", read_text, WORD(language), .with = &form_language},
};
static const struct mapping phrase_mapping =
    MAPPING("one of `phrases` or `help_cues`", phrase_fields);

static void check_word(struct reading *reading, yaml_node_t *node, const struct field *field,
                       const struct program_word *word)
{
    struct keyword_row row = {.kind = (enum row_kind)word->kind,
                              .text = span_from_string(word->text)};
    const char *why = word->text[0] ? keyword_row_fault(&row) : NULL;
    if (why != NULL)
        FAULT(reading, node, "`%s` cannot have \"%s\": %s", field->key, word->text, why);
}

/* `with`: the kind of row, where the mapping does not tell. */
static void read_words(struct reading *reading, yaml_node_t *node, const struct field *field,
                       void *into)
{
    struct program_config *program = into;
    const enum row_kind *kind = field->with;
    if (!is_list(reading, node, field))
        return;
    size_t count = length_of(node);
    program->words =
        check_realloc(program->words, (program->word_count + count) * sizeof *program->words);
    for (size_t i = 0; i < count; i++) {
        yaml_node_t *item = item_of(reading, node, i);
        struct program_word *word = &program->words[program->word_count];
        *word = (struct program_word){.kind = kind ? *kind : ROW_OPT_OUT};
        strcpy(word->language, program->language);
        read_mapping(reading, item, kind ? &phrase_mapping : &keyword_mapping, word);
        check_word(reading, item, field, word);
        program->word_count++;
    }
}

static const enum row_kind kind_revokes = ROW_REVOKES, kind_cue = ROW_CUE;

/* Words with which handsets join; consent/join.h says what they can be. */
static void read_join(struct reading *reading, yaml_node_t *node, const struct field *field,
                      void *into)
{
    struct program_config *program = into;
    if (!is_list(reading, node, field))
        return;
    for (size_t i = 0; i < length_of(node); i++) {
        yaml_node_t *item = item_of(reading, node, i);
        const char *text = text_of(reading, item, field->key);
        const char *why = text != NULL ? join_word_fault(text) : NULL;
        if (why != NULL)
            FAULT(reading, item, "`join` cannot have \"%.40s\": %s", text, why);
        else if (text != NULL)
            snprintf(program->join[program->join_count++], sizeof program->join[0], "%s", text);
    }
}

static const char *const opt_in_words[] = {"double", "single", NULL};
static const char *const reach_words[] = {"brand", "program", "global", NULL};
static const char *const quiet_words[] = {"auto", "all", "off", NULL};
static const char *const unknown_words[] = {"never_again", "send_again", NULL};

static const char *const do_not_call_words[] = {"off", "register", NULL};

static const char *const brand_words[] = {"add", "require", "off", NULL};
static const char *const shortener_words[] = {"refuse", "allow", NULL};
static const char *const content_words[] = {"marketing", "all", NULL};

static const char *const texts_words[] = {"whole", "hashed", "none", NULL};

static const struct field cap_fields[] = {
    {"count", read_number, MEMBER(struct program_config, frequency_cap.count), .with = &integer,
     .min = 1, .max = CAP_PLACES_MAX, .required = true},
    {"window", read_number, MEMBER(struct program_config, frequency_cap.window_ms),
     .with = &duration, .min = CAP_WINDOW_MS_MIN, .max = CAP_WINDOW_MS_MAX, .required = true},
};
static const struct mapping cap_mapping = MAPPING("`frequency_cap`", cap_fields);

static const struct field program_fields[] = {
    {"name", read_text, MEMBER(struct program_config, name), .with = &form_name, .required = true},
    {"brand", read_text, MEMBER(struct program_config, brand), .with = &form_text},
    {"contact", read_text, MEMBER(struct program_config, contact)},
    {"purpose", read_text, MEMBER(struct program_config, purpose)},
    {"frequency", read_text, MEMBER(struct program_config, frequency)},
    {"other_way_out", read_text, MEMBER(struct program_config, other_way_out)},
    {"language", read_text, MEMBER(struct program_config, language), .with = &form_language},
    {"keywords", read_words, .max = PROGRAM_WORDS_MAX},
    {"phrases", read_words, .max = PROGRAM_WORDS_MAX, .with = &kind_revokes},
    {"help_cues", read_words, .max = PROGRAM_WORDS_MAX, .with = &kind_cue},
    {"classes", read_classes, MEMBER(struct program_config, classes), .min = 1, .max = 4,
     .required = true},
    {"senders", read_senders, .min = 1, .max = SENDERS_MAX, .required = true},
    {"opt_in", read_word, MEMBER(struct program_config, opt_in), .with = opt_in_words},
    {"stop_reach", read_word, MEMBER(struct program_config, stop_reach), .with = reach_words},
    {"pending", read_number, MEMBER(struct program_config, pending_ms), CONSENT_PENDING_MS_MIN,
     CONSENT_PENDING_MS_MAX, &duration},
    {"join", read_join, .min = 0, .max = JOIN_WORDS_MAX},
    {"on_unknown", read_word, MEMBER(struct program_config, on_unknown), .with = unknown_words},
    {"smart_encoding", read_flag, MEMBER(struct program_config, smart_encoding)},
    {"quiet_hours", read_word, MEMBER(struct program_config, quiet_hours), .with = quiet_words},
    {"frequency_cap", read_nested, .with = &cap_mapping},
    {"consent_max_age", read_number, MEMBER(struct program_config, consent_max_age_ms),
     .with = &duration, .min = CONSENT_AGE_MS_MIN, .max = CONSENT_AGE_MS_MAX},
    {"do_not_call", read_word, MEMBER(struct program_config, do_not_call),
     .with = do_not_call_words},
    {"brand_named", read_word, MEMBER(struct program_config, brand_named), .with = brand_words},
    {"link_shorteners", read_word, MEMBER(struct program_config, link_shorteners),
     .with = shortener_words},
    {"content_rules", read_word, MEMBER(struct program_config, content_rules),
     .with = content_words},
    {"texts", read_word, MEMBER(struct program_config, texts), .with = texts_words},
};
static const struct mapping program_mapping = MAPPING("a program", program_fields);

static bool sends_only(const struct program_config *program, unsigned message_class)
{
    bool only = true;
    for (unsigned c = 0; c < CLASS_COUNT; c++)
        only = only && (c == message_class || !program->classes[c]);
    return only;
}

static void check_program(struct reading *reading, yaml_node_t *node,
                          struct program_config *program)
{
    if (program->brand[0] == '\0')
        strcpy(program->brand, program->name);
    if (program->texts != TEXTS_WHOLE && sends_only(program, ASSENT__V1__CLASS__OTP))
        FAULT(reading, node,
              "program %s: `texts` is for other classes than otp: nothing is ever kept of a code, "
              "since its hash would give it away",
              program->name);
    if (program->on_unknown == UNKNOWN_SEND_AGAIN &&
        sends_only(program, ASSENT__V1__CLASS__MARKETING))
        FAULT(reading, node,
              "program %s: `on_unknown: send_again` is for otp, transactional and emergency; "
              "marketing is never sent again",
              program->name);
}

/* What would make the program's marketing unlawful by its own texts. */
static void check_ways_out(struct reading *reading, yaml_node_t *node,
                           const struct program_config *program)
{
    if (!program->classes[ASSENT__V1__CLASS__MARKETING] || program->other_way_out[0] != '\0')
        return;
    for (uint16_t i = 0; i < program->sender_count; i++)
        if (!config_is_answerable(reading->config, program->senders[i]))
            FAULT(reading, node,
                  "program %s: nobody can answer the sender %s with STOP; marketing from it needs "
                  "`other_way_out`, a link or a number",
                  program->name, program->senders[i]);
}

/* What our own texts say about the program, and may not say. */
static void check_links(struct reading *reading, yaml_node_t *node,
                        const struct program_config *program)
{
    const struct {
        const char *key, *text;
    } ours[] = {{"contact", program->contact},
                {"purpose", program->purpose},
                {"frequency", program->frequency},
                {"other_way_out", program->other_way_out}};
    for (size_t i = 0; i < sizeof ours / sizeof ours[0]; i++)
        if (program->link_shorteners == SHORTENERS_REFUSED &&
            has_link_shortener(span_from_string(ours[i].text)))
            FAULT(reading, node,
                  "program %s: `%s` has a link of a public shortener, which carriers refuse; link "
                  "to an address of the brand's own",
                  program->name, ours[i].key);
}

/* Where there is a registry, it has every sender. */
static void check_program_senders(struct reading *reading, yaml_node_t *node,
                                  const struct program_config *program)
{
    for (uint16_t i = 0; reading->config->senders != NULL && i < program->sender_count; i++) {
        const struct sender_config *row = config_find_sender(reading->config, program->senders[i]);
        if (row == NULL)
            FAULT(reading, node,
                  "program %s: `senders` of the configuration does not have %s; add it there with "
                  "its registrations",
                  program->name, program->senders[i]);
        else if (row->direction == DIRECTION_INBOUND)
            FAULT(reading, node,
                  "program %s: nothing may be sent from %s, which only receives (`direction: "
                  "inbound`)",
                  program->name, program->senders[i]);
    }
}

void read_programs(struct reading *reading, yaml_node_t *node, const struct field *field,
                   void *into)
{
    struct config *config = into;
    if (!is_list(reading, node, field))
        return;
    config->programs = check_calloc(length_of(node), sizeof *config->programs);
    for (size_t i = 0; i < length_of(node); i++) {
        yaml_node_t *item = item_of(reading, node, i);
        struct program_config *program = &config->programs[i];
        program_defaults(program);
        read_mapping(reading, item, &program_mapping, program);
        if (program->name[0] != '\0' && config_find_program(config, program->name) >= 0)
            FAULT(reading, item, "two programs are called %s; names are unique", program->name);
        check_program(reading, item, program);
        check_ways_out(reading, item, program);
        check_links(reading, item, program);
        check_program_senders(reading, item, program);
        config->program_count++;
    }
}

bool any_program_sends_from(const struct config *config, const char *sender)
{
    for (unsigned p = 0; p < config->program_count; p++)
        for (unsigned s = 0; s < config->programs[p].sender_count; s++)
            if (strcmp(config->programs[p].senders[s], sender) == 0)
                return true;
    return false;
}
