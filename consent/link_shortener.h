/* SPDX-License-Identifier: Apache-2.0 */
/* Whether a text has a link that goes through a public link shortener: a host of data/link_shorteners.inc or
 * below one, with a path behind it. A mere mention ("we left bit.ly") is none, nor is what stands in the
 * path of another host. Pure; what has no dot costs one look for it. */
#ifndef CONSENT_LINK_SHORTENER_H
#define CONSENT_LINK_SHORTENER_H

#include <stdbool.h>

#include "proto/base/span.h"

bool has_link_shortener(struct span text);

#endif
