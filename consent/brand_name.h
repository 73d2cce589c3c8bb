/* SPDX-License-Identifier: Apache-2.0 */
/* Whether a text of ours names the brand that it is from. Capitals, accents, width and the marks between
 * words do not count ("COCA COLA" names Coca-Cola); a longer word does not name a shorter one ("Acmeland"
 * is not Acme). In scripts that write no spaces the name is found within a run of letters.
 *
 * A "no" too many puts a name before a text that had one in another spelling, which costs some characters;
 * so only what is plainly the name counts. Pure. About 0.1 us for a text that names it early. */
#ifndef CONSENT_BRAND_NAME_H
#define CONSENT_BRAND_NAME_H

#include <stdbool.h>

#include "proto/base/limits.h"
#include "proto/base/span.h"

#define BRAND_FORM_MAX (NAME_OCTETS_MAX * 12) /* U+FDFA becomes 18 characters */

struct brand_name {
    char form[BRAND_FORM_MAX]; /* canonical (consent/keyword_fold.h), without marks at its ends */
    size_t length;
};

/* `brand`: 1 to NAME_OCTETS_MAX octets. A name of marks alone ("!!!") is looked for as it stands. */
void brand_name_init(struct brand_name *name, const char *brand);

bool brand_is_named(const struct brand_name *name, struct span text);

#endif
