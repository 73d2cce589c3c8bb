/* SPDX-License-Identifier: Apache-2.0 */
/* Which countries a number may be of, by the tables of data/ that quiet hours use too. Several share a
 * calling code (+44 is Jersey too), so the answer is "may be". A +1 number of no known area is taken for one
 * of the United States. The first call builds a table: one thread. Afterwards some 30 ns. */
#ifndef CONSENT_COUNTRY_H
#define CONSENT_COUNTRY_H

#include <stdbool.h>
#include <stdint.h>

/* `country`: ISO 3166-1, "US". */
bool number_may_be_of(uint64_t number, const char *country);

/* Some number may be of it. */
bool country_is_known(const char *country);

#endif
