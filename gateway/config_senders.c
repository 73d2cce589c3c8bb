/* SPDX-License-Identifier: Apache-2.0 */
/* The registry of senders for those who read a configuration: finding a row, and what `assentd -t` says of
 * it. What has expired, and what will within a month, is told here before it is refused. */
#include <inttypes.h>
#include <string.h>

#include "consent/calendar.h"
#include "gateway/config.h"
#include "gateway/config_text.h"
#include "gateway/metrics.h"

#define WARN_DAYS 30

const struct sender_config *config_find_sender(const struct config *config, const char *sender)
{
    for (uint16_t i = 0; i < config->sender_count; i++)
        if (strcmp(config->senders[i].number, sender) == 0)
            return &config->senders[i];
    return NULL;
}

bool config_is_answerable(const struct config *config, const char *sender)
{
    const struct sender_config *row = config_find_sender(config, sender);
    return !config_is_one_way(sender) && (row == NULL || row->direction != DIRECTION_OUTBOUND);
}

static void print_classes(uint8_t classes, FILE *out)
{
    const char *between = "";
    for (unsigned c = 0; c < CLASS_COUNT; c++)
        if (classes >> c & 1) {
            fprintf(out, "%s%s", between, class_name((Assent__V1__Class)c));
            between = ", ";
        }
}

static void print_day(int32_t day, FILE *out)
{
    int year;
    unsigned month, date;
    calendar_date(day, &year, &month, &date);
    fprintf(out, "%04d-%02u-%02u", year, month, date);
}

static void print_expiry(const struct registration *r, int32_t today, FILE *out)
{
    if (r->last_day == 0)
        return;
    fprintf(out, ", up to ");
    print_day(r->last_day, out);
    if (r->last_day < today)
        fprintf(out, "; warning: it has EXPIRED, renew it: nothing is sent by it");
    else if (r->last_day - today <= WARN_DAYS)
        fprintf(out, "; warning: %" PRId32 " days left, renew it", r->last_day - today);
}

static void print_sender(const struct config *config, const struct sender_config *sender,
                         int32_t today, FILE *out)
{
    static const char *const directions[] = {"sends and receives", "sends only", "receives only"};
    fprintf(out, "  %s %s\n", sender->number, directions[sender->direction]);
    for (uint16_t i = 0; i < sender->registration_count; i++) {
        const struct registration *r = &sender->registrations[i];
        fprintf(out, "    registered in %s for ", r->country);
        print_classes(r->classes, out);
        if (r->id[0] != '\0')
            fprintf(out, " as \"%s\"", r->id);
        print_expiry(r, today, out);
        fprintf(out, "\n");
    }
    if (config->do_not_originate != NULL &&
        number_list_has(config->do_not_originate, sender->number))
        fprintf(out, "    warning: `do_not_originate` has it: nothing is sent from it\n");
}

/* Emergencies are not asked. */
static bool is_registered(const struct sender_config *sender, unsigned message_class, int32_t today)
{
    for (uint16_t i = 0; i < sender->registration_count; i++) {
        const struct registration *r = &sender->registrations[i];
        if ((r->classes >> message_class & 1) && (r->last_day == 0 || r->last_day >= today))
            return true;
    }
    return message_class == ASSENT__V1__CLASS__EMERGENCY;
}

/* What a program could never send. */
static void print_lacks(const struct config *config, const struct program_config *program,
                        int32_t today, FILE *out)
{
    for (uint16_t s = 0; s < program->sender_count; s++) {
        const struct sender_config *row = config_find_sender(config, program->senders[s]);
        for (unsigned c = 0; c < CLASS_COUNT; c++)
            if (row != NULL && program->classes[c] && !is_registered(row, c, today))
                fprintf(out,
                        "  warning: %s has no valid registration for %s: all of it from program %s "
                        "is refused\n",
                        row->number, class_name((Assent__V1__Class)c), program->name);
        if (row == NULL && config->do_not_originate != NULL &&
            number_list_has(config->do_not_originate, program->senders[s]))
            fprintf(out, "  warning: `do_not_originate` has %s: program %s sends nothing from it\n",
                    program->senders[s], program->name);
    }
}

void config_print_senders(const struct config *config, int32_t today, FILE *out)
{
    fprintf(out, "Senders:\n");
    if (config->senders == NULL)
        fprintf(out, "  no registry: a sender of a program counts as registered for its classes in "
                     "every country, and the ledger notes that nobody asked\n");
    for (uint16_t i = 0; i < config->sender_count; i++)
        print_sender(config, &config->senders[i], today, out);
    for (uint16_t i = 0; i < config->program_count; i++)
        print_lacks(config, &config->programs[i], today, out);
    if (config->do_not_originate != NULL)
        fprintf(out, "  nothing is sent from the %zu lines of `do_not_originate`\n",
                number_list_count(config->do_not_originate));
}
