/* SPDX-License-Identifier: Apache-2.0 */
/* The words of the configuration: text in, value out. Pure; each gives false and leaves its result
 * untouched when the text is not of its form. */
#ifndef GATEWAY_CONFIG_TEXT_H
#define GATEWAY_CONFIG_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* "30s", "250ms", "5m", "24h", "7d": a whole number and its unit, nothing else. */
bool config_duration(const char *text, uint64_t *ret_ms);

/* "2GiB", "512MiB", "64KiB", "4096" (octets). */
bool config_size(const char *text, uint64_t *ret_octets);

/* Decimal digits; "_" may stand between them ("4_000_000"). */
bool config_integer(const char *text, uint64_t *ret_value);

/* A command_status: "0x08", or decimal digits; below 2^32. */
bool config_status(const char *text, uint64_t *ret_status);
void config_status_text(uint64_t status, char *out, size_t size); /* "0x08" */

/* The shortest exact writing of a duration or size: "90s", "2GiB". */
void config_duration_text(uint64_t ms, char *out, size_t size);
void config_size_text(uint64_t octets, char *out, size_t size);

/* "2027-03-31": a day of the calendar, counted from 1970-01-01, after it. */
bool config_date(const char *text, int32_t *ret_day);

/* 64 hexadecimal digits. */
bool config_sha256(const char *text, uint8_t ret_digest[32]);

/* Names of clients, programs and carriers: letters, digits, "_", "-", "."; they end up in labels of
 * metrics and in scope names. */
bool config_is_name(const char *text);
/* A node's name is part of keys in Redis: a-z, 0-9, "_", "-". */
bool config_is_node_name(const char *text);
/* A sender as it goes to the carrier: 1 to 15 digits, or up to 11 letters, digits, spaces, "-", "_"
 * and ".", with at least one letter, starting and ending with a letter or digit. */
bool config_is_sender(const char *text);
bool config_is_one_way(const char *sender); /* a sender with letters: nobody can answer it */
/* A route: 0 to 15 digits. */
bool config_is_prefix(const char *text);
/* unix:///PATH or redis://HOST:PORT[/DB]. */
bool config_is_redis_url(const char *text);
/* Text for people: UTF-8 without control characters. */
bool config_is_plain(const char *text);

#endif
