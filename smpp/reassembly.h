/* SPDX-License-Identifier: Apache-2.0 */
/* Parts of received long texts, until they are all there. A part belongs to its set by sender,
 * receiver, scope, reference and total; parts come in any order, twice, or never. Total and reference
 * are believed as they stand: parts that contradict one another are in different sets, or, where the
 * same part has come with another text, the caller closes the old set.
 *
 * Bounded: REASSEMBLY_SETS_MAX sets and REASSEMBLY_OCTETS_MAX octets of text; the caller closes the
 * oldest when it is full or old. Nothing is thrown away here. No I/O; time is a parameter.
 *
 * Carriers deliver parts again, also when the text was whole already. They begin a set then, for they
 * may as well be those of another text with the same words; the set says that it has nothing new. */
#ifndef SMPP_REASSEMBLY_H
#define SMPP_REASSEMBLY_H

#include <sys/queue.h>

#include "proto/base/hash.h"
#include "proto/base/limits.h"
#include "proto/base/span.h"
#include "smpp/pdu.h"
#include "smpp/udh.h"

enum part_kind { PART_NONE, PART_UDH8, PART_UDH16, PART_SAR };

struct part {
    uint64_t sender;
    uint16_t scope; /* the caller's: parts of two scopes never meet */
    uint16_t reference;
    uint8_t kind; /* enum part_kind: references of two kinds never meet */
    uint8_t total;
    uint8_t number;    /* from 1 */
    char receiver[22]; /* NUL-terminated */
};

struct part_set {
    TAILQ_ENTRY(part_set) link; /* oldest first */
    struct part part;           /* without a number */
    uint64_t hash;
    uint64_t since_us;
    uint32_t octets;
    bool acted; /* a part of it has been acted upon already */
    bool again; /* all that it has was in a whole text a moment ago */
    struct {
        char *text; /* NUL-terminated; NULL: not there yet */
        uint16_t length;
    } texts[REASSEMBLY_PARTS_MAX];
};

struct reassembly;
struct reassembly *reassembly_new(const struct hash_key *key);
void reassembly_free(struct reassembly *reassembly);

/* Fills kind, reference, total and number from the message's user data header (`udh`, or NULL) or its
 * SAR TLVs. False: a text for itself, or of more than REASSEMBLY_PARTS_MAX parts. */
bool part_read(const struct sm_body *body, const struct udh *udh, struct part *ret_part);

enum part_verdict {
    PART_WAITS,     /* new, and others are missing */
    PART_COMPLETES, /* the last one */
    PART_REPEATED,  /* there already, with this text */
    PART_CONTRADICTS, /* there already, with another text: another message, its reference used again */
};
enum part_verdict reassembly_judge(const struct reassembly *reassembly, const struct part *part,
                                   struct span text);

/* The set that the part belongs to, or NULL. */
struct part_set *reassembly_find(const struct reassembly *reassembly, const struct part *part);

/* True when there is no room for another part. */
bool reassembly_is_full(const struct reassembly *reassembly);

/* Keeps a part that waits; there must be room. Texts are cut at REASSEMBLY_TEXT_MAX octets, at a whole
 * character. */
struct part_set *reassembly_add(struct reassembly *reassembly, const struct part *part,
                                struct span text, uint64_t now_us);

/* The set is whole with `text` as `part`: for REASSEMBLY_MS its parts are known when they come again.
 * Holds the last REASSEMBLY_SETS_MAX texts, as hashes; a restart forgets them. */
void reassembly_remember(struct reassembly *reassembly, const struct part_set *set,
                         const struct part *part, struct span text, uint64_t now_us);

/* Forgets a set. */
void reassembly_drop(struct reassembly *reassembly, struct part_set *set);

/* The texts of the set in order, with `text` as the one of `part` (unless that is NULL); what is missing
 * is left out. Gives the length, at most `size`. */
size_t part_set_join(const struct part_set *set, const struct part *part, struct span text,
                     char *out, size_t size);

/* The oldest set, and the one that came next; NULL at the end. */
struct part_set *reassembly_oldest(const struct reassembly *reassembly);
struct part_set *reassembly_after(const struct part_set *set);

#endif
