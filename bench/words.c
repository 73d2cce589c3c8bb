/* SPDX-License-Identifier: Apache-2.0 */
/* words-bench: how many replies a second one core reads (consent/keyword.h), and what looking at a
 * marketing text costs: for an opt-out instruction, the brand's name, links of shorteners. The replies are a
 * mix as carriers deliver it to marketing senders: most are one keyword, the rest sentences, in several
 * alphabets, with typos and marks. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "bench/options.h"
#include "consent/brand_name.h"
#include "consent/keyword.h"
#include "consent/link_shortener.h"
#include "consent/opt_out_line.h"

struct words_options {
    uint32_t rounds;
};

static const char *const replies[] = {
    "STOP",
    "Stop",
    "stop",
    "STOP",
    "stop.",
    "Stop!!",
    "STOP ",
    "STOP",
    "STOPALL",
    "Unsubscribe",
    "CANCEL",
    "end",
    "Stpo",
    "Y",
    "YES",
    "Yes",
    "yes please",
    "No",
    "HELP",
    "START",
    "ARRÊT",
    "Baja",
    "قف",
    "стоп",
    "退订",
    "thanks",
    "Ok, thank you so much",
    "What time do you open on Sunday?",
    "please stop texting me",
    "Take me off your list, I never signed up for this",
    "I cannot get my device to stop, can you help?",
    "I would like to move my appointment from Tuesday at 3 to some time next week. Thanks, Ann",
};

static const char *const texts[] = {
    "Acme: this weekend everything for the garden is 20% off, in every shop and online. See you!",
    "Acme: 20% off everything this weekend. Reply STOP to unsubscribe",
    "Acme : -20 % sur tout le jardin ce week-end, en magasin et en ligne. À bientôt !",
    "Acme：本周末全场八折，欢迎光临。退订回TD",
    "20% off everything this weekend: https://acme.example/garden. Reply STOP to unsubscribe",
};

static struct brand_name brand;

#define COUNT(list) (sizeof(list) / sizeof *(list))

/* A round of all; the answers are added up so that none is left out. */
static size_t read_replies(void)
{
    size_t sum = 0;
    for (size_t i = 0; i < COUNT(replies); i++)
        sum += keyword_match(span_from_string(replies[i]), false).meaning;
    return sum;
}

static size_t look_at_texts(void)
{
    size_t sum = 0;
    for (size_t i = 0; i < COUNT(texts); i++) {
        struct span text = span_from_string(texts[i]);
        sum += says_how_to_opt_out(text, true, "") + brand_is_named(&brand, text) +
               has_link_shortener(text);
    }
    return sum;
}

/* Of this process: others on the machine do not count. */
static uint64_t cpu_us(void)
{
    struct timespec now;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
}

static volatile size_t sink; /* what is read matters to somebody */

static double per_second(size_t (*round)(void), size_t count, uint32_t rounds)
{
    size_t sum = round(); /* tables and caches are there before the clock runs */
    uint64_t begin_us = cpu_us();
    for (uint32_t i = 0; i < rounds; i++)
        sum += round();
    uint64_t took_us = cpu_us() - begin_us;
    sink = sum;
    return (double)count * rounds * 1e6 / (double)(took_us ? took_us : 1);
}

int main(int argc, char **argv)
{
    struct words_options options = {.rounds = 50000};
    const struct option_row rows[] = {
        {.name = "--rounds",
         .value = "N",
         .help = "how often all texts are read (50000)",
         .kind = OPTION_COUNT,
         .offset = offsetof(struct words_options, rounds),
         .min = 1,
         .max = 100000000},
    };
    int code;
    if (!options_parse(rows, COUNT(rows), "words-bench [--rounds N]", argc, argv, &options, &code))
        return code;
    brand_name_init(&brand, "Acme");
    printf("replies_per_second %.0f ", per_second(read_replies, COUNT(replies), options.rounds));
    printf("marketing_texts_per_second %.0f\n",
           per_second(look_at_texts, COUNT(texts), options.rounds));
    return 0;
}
