/* SPDX-License-Identifier: Apache-2.0 */
/* What a text must say and may not: the brand's name, a way out, no link of a public shortener. The rules
 * are consent/brand_name.h, opt_out_line.h and link_shortener.h; here is whom they are asked of, what is put
 * in where it is missing, and what the gate is told (consent/policy.h). Marketing is always asked, what else
 * a program sends by its `content_rules`. The gateway's own texts name the brand by their templates, and the
 * configuration lets no shortener into them.
 *
 * A text that is accepted has no faults. It is looked at again when its rules may have changed since: after
 * a start, and after another configuration. What is put in is put in when a text is accepted: with
 * `brand_named: add`, one that waits since before stays as it is and is sent so. */
#include <stdio.h>
#include <stdlib.h>

#include "consent/brand_name.h"
#include "consent/link_shortener.h"
#include "consent/opt_out_line.h"
#include "gateway/engine_state.h"
#include "proto/base/check.h"

struct brand {
    struct brand_name name;
    char prefix[NAME_OCTETS_MAX + 3]; /* "Acme: " */
};

/* A program's brand is for good: what is made stays. */
void content_configure(struct engine *e)
{
    if (e->brands == NULL)
        e->brands = check_calloc(PROGRAMS_MAX, sizeof *e->brands);
    for (uint16_t i = 0; i < e->config->program_count; i++) {
        if (e->brands[i] != NULL)
            continue;
        const char *brand = e->config->programs[i].brand;
        e->brands[i] = check_calloc(1, sizeof *e->brands[i]);
        brand_name_init(&e->brands[i]->name, brand);
        snprintf(e->brands[i]->prefix, sizeof e->brands[i]->prefix, "%s: ", brand);
    }
    e->content_round++;
}

void content_release(struct engine *e)
{
    for (uint16_t i = 0; e->brands != NULL && i < PROGRAMS_MAX; i++)
        free(e->brands[i]);
    free(e->brands);
}

static bool is_asked(const struct program_config *program, Assent__V1__Class message_class)
{
    return message_class == ASSENT__V1__CLASS__MARKETING ||
           (message_class != ASSENT__V1__CLASS__SERVICE &&
            program->content_rules == CONTENT_OF_ALL);
}

static bool lacks_brand(const struct engine *e, uint16_t program, struct span text)
{
    return e->config->programs[program].brand_named != BRAND_OFF &&
           !brand_is_named(&e->brands[program]->name, text);
}

static bool has_shortener(const struct program_config *program, struct span text)
{
    return program->link_shorteners == SHORTENERS_REFUSED && has_link_shortener(text);
}

const char *content_refuses(const struct engine *e, uint16_t program,
                            Assent__V1__Class message_class, struct span text)
{
    const struct program_config *config = &e->config->programs[program];
    if (!is_asked(config, message_class))
        return NULL;
    if (has_shortener(config, text))
        return "CONTENT_REFUSED: the text has a link of a public shortener, which carriers refuse: "
               "link to an address of the brand's own; see `link_shorteners`";
    if (config->brand_named == BRAND_REQUIRE && lacks_brand(e, program, text))
        return "CONTENT_REFUSED: the text does not name the brand: say who it is from; see "
               "`brand_named`";
    return NULL;
}

const char *content_prefix(const struct engine *e, uint16_t program,
                           Assent__V1__Class message_class, struct span text)
{
    const struct program_config *config = &e->config->programs[program];
    bool adds = config->brand_named == BRAND_ADD && is_asked(config, message_class);
    return adds && lacks_brand(e, program, text) ? e->brands[program]->prefix : NULL;
}

/* ---- at the gate ---- */

static uint8_t faults_of(const struct engine *e, const struct message *m)
{
    const struct program_config *program = &e->config->programs[m->program];
    struct span text = message_text(m);
    uint8_t faults = 0;
    if (program->brand_named == BRAND_REQUIRE && lacks_brand(e, m->program, text))
        faults |= CONTENT_NO_BRAND;
    if (has_shortener(program, text))
        faults |= CONTENT_SHORTENER;
    if (m->message_class == ASSENT__V1__CLASS__MARKETING &&
        !says_how_to_opt_out(text, sender_is_answerable(e, m->program, m->sender),
                             program->other_way_out))
        faults |= CONTENT_NO_WAY_OUT;
    return faults;
}

void content_accepted(const struct engine *e, struct message *m)
{
    m->content_faults = 0;
    m->content_round = e->content_round;
}

void content_look(const struct engine *e, struct message *m)
{
    if (m->content_round == e->content_round || e->plant == PLANT_CONTENT_NOT_ASKED_AGAIN ||
        !is_asked(&e->config->programs[m->program], (Assent__V1__Class)m->message_class))
        return;
    m->content_faults = faults_of(e, m);
    m->content_round = e->content_round;
}

void content_facts(const struct engine *e, const struct message *m, struct gate_facts *facts)
{
    uint32_t bit = GATE_BIT(GATE_CONTENT);
    facts->known |= bit;
    if (is_asked(&e->config->programs[m->program], (Assent__V1__Class)m->message_class))
        facts->set |= bit;
    facts->content_faults = m->content_faults;
}
