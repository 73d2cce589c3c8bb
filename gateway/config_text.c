/* SPDX-License-Identifier: Apache-2.0 */
#include "gateway/config_text.h"

#include <stdio.h>
#include <string.h>

#include "consent/calendar.h"
#include "proto/base/limits.h"
#include "smpp/address.h"

struct unit {
    const char *name;
    uint64_t factor;
};

static const struct unit time_units[] = {
    {"ms", 1}, {"s", 1000}, {"m", 60 * 1000}, {"h", 3600 * 1000}, {"d", 24 * 3600 * 1000},
    {NULL, 0},
};
static const struct unit size_units[] = {
    {"", 1}, {"KiB", 1u << 10}, {"MiB", 1u << 20}, {"GiB", 1u << 30}, {NULL, 0},
};

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_lower(char c)
{
    return c >= 'a' && c <= 'z';
}

static bool is_letter(char c)
{
    return is_lower(c) || (c >= 'A' && c <= 'Z');
}

/* Digits from *at on; moves *at behind them. */
static bool take_integer(const char **at, uint64_t *ret_value)
{
    const char *p = *at;
    uint64_t value = 0;
    if (!is_digit(*p))
        return false;
    for (; is_digit(*p) || (*p == '_' && is_digit(p[1])); p++) {
        if (*p == '_')
            continue;
        if (value > (UINT64_MAX - 9) / 10)
            return false;
        value = value * 10 + (uint64_t)(*p - '0');
    }
    *at = p;
    *ret_value = value;
    return true;
}

static bool with_unit(const char *text, const struct unit *units, uint64_t *ret_value)
{
    uint64_t value;
    if (!take_integer(&text, &value))
        return false;
    for (; units->name != NULL; units++) {
        if (strcmp(text, units->name) != 0)
            continue;
        if (value > UINT64_MAX / units->factor)
            return false;
        *ret_value = value * units->factor;
        return true;
    }
    return false;
}

bool config_duration(const char *text, uint64_t *ret_ms)
{
    return with_unit(text, time_units, ret_ms);
}

bool config_size(const char *text, uint64_t *ret_octets)
{
    return with_unit(text, size_units, ret_octets);
}

bool config_integer(const char *text, uint64_t *ret_value)
{
    uint64_t value;
    if (!take_integer(&text, &value) || *text != '\0')
        return false;
    *ret_value = value;
    return true;
}

bool config_status(const char *text, uint64_t *ret_status)
{
    uint64_t value = 0;
    size_t digits = 0;
    if (strncmp(text, "0x", 2) != 0)
        return config_integer(text, ret_status);
    for (text += 2; text[digits] != '\0'; digits++) {
        char c = text[digits];
        if (digits == 8 || (!is_digit(c) && !(is_letter(c) && (c | 0x20) <= 'f')))
            return false;
        value = value << 4 | (uint64_t)(is_digit(c) ? c - '0' : (c | 0x20) - 'a' + 10);
    }
    if (digits > 0)
        *ret_status = value;
    return digits > 0;
}

void config_status_text(uint64_t status, char *out, size_t size)
{
    snprintf(out, size, "0x%02llx", (unsigned long long)status);
}

/* The largest unit that divides the value. */
static void with_unit_text(uint64_t value, const struct unit *units, char *out, size_t size)
{
    const struct unit *best = units;
    for (; units->name != NULL; units++) {
        if (value % units->factor == 0 && value >= units->factor)
            best = units;
    }
    snprintf(out, size, "%llu%s", (unsigned long long)(value / best->factor), best->name);
}

void config_duration_text(uint64_t ms, char *out, size_t size)
{
    with_unit_text(ms, time_units, out, size);
}

void config_size_text(uint64_t octets, char *out, size_t size)
{
    with_unit_text(octets, size_units, out, size);
}

static int hex_value(char c)
{
    if (is_digit(c))
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return -1;
}

static unsigned digits_value(const char *text, size_t count)
{
    unsigned value = 0;
    for (size_t i = 0; i < count; i++)
        value = value * 10 + (unsigned)(text[i] - '0');
    return value;
}

bool config_date(const char *text, int32_t *ret_day)
{
    if (strlen(text) != 10 || text[4] != '-' || text[7] != '-')
        return false;
    for (int i = 0; i < 10; i++)
        if (i != 4 && i != 7 && !is_digit(text[i]))
            return false;
    int year = (int)digits_value(text, 4), real_year;
    unsigned month = digits_value(text + 5, 2), date = digits_value(text + 8, 2);
    unsigned real_month, real_date;
    int32_t day = calendar_day(year, month, date);
    if (month < 1 || month > 12 || day <= 0)
        return false;
    calendar_date(day, &real_year, &real_month, &real_date);
    if (real_year != year || real_month != month || real_date != date)
        return false; /* as the 31st of June */
    *ret_day = day;
    return true;
}

bool config_sha256(const char *text, uint8_t ret_digest[32])
{
    uint8_t digest[32];
    if (strlen(text) != 2 * sizeof digest)
        return false;
    for (size_t i = 0; i < sizeof digest; i++) {
        int high = hex_value(text[2 * i]), low = hex_value(text[2 * i + 1]);
        if (high < 0 || low < 0)
            return false;
        digest[i] = (uint8_t)(high << 4 | low);
    }
    memcpy(ret_digest, digest, sizeof digest);
    return true;
}

bool config_is_name(const char *text)
{
    if (*text == '\0' || strlen(text) > NAME_OCTETS_MAX)
        return false;
    for (; *text != '\0'; text++) {
        if (!is_letter(*text) && !is_digit(*text) && strchr("_-.", *text) == NULL)
            return false;
    }
    return true;
}

bool config_is_node_name(const char *text)
{
    if (!config_is_name(text))
        return false;
    for (; *text != '\0'; text++) {
        if (!is_lower(*text) && !is_digit(*text) && strchr("_-", *text) == NULL)
            return false;
    }
    return true;
}

static bool all_digits(const char *text)
{
    return strspn(text, "0123456789") == strlen(text);
}

bool config_is_sender(const char *text)
{
    size_t length = strlen(text);
    if (length == 0 || all_digits(text))
        return length > 0 && length <= 15;
    bool letter = false;
    for (size_t i = 0; i < length; i++) {
        bool inner = i > 0 && i + 1 < length && strchr(" -_.", text[i]) != NULL;
        if (!is_letter(text[i]) && !is_digit(text[i]) && !inner)
            return false;
        letter = letter || is_letter(text[i]);
    }
    return letter && length <= 11;
}

bool config_is_one_way(const char *sender)
{
    return !all_digits(sender);
}

bool config_is_prefix(const char *text)
{
    return all_digits(text) && strlen(text) <= NUMBER_DIGITS_MAX;
}

/* What smpp/address.h calls tcp://HOST:PORT is redis://HOST:PORT here, with a database behind it. */
bool config_is_redis_url(const char *text)
{
    static const char scheme[] = "redis://";
    struct address address;
    const char *why;
    if (strncmp(text, scheme, strlen(scheme)) != 0)
        return address_parse(text, &address, &why) && address.kind == ADDRESS_UNIX;
    const char *host = text + strlen(scheme);
    const char *slash = strchr(host, '/');
    size_t length = slash ? (size_t)(slash - host) : strlen(host);
    char tcp[ADDRESS_HOST_MAX + 16];
    if (length > ADDRESS_HOST_MAX ||
        (slash && (slash[1] == '\0' || !all_digits(slash + 1) || strlen(slash + 1) > 5)))
        return false;
    snprintf(tcp, sizeof tcp, "tcp://%.*s", (int)length, host);
    return address_parse(tcp, &address, &why) && address.host[0] != '\0';
}

bool config_is_plain(const char *text)
{
    for (const unsigned char *p = (const unsigned char *)text; *p != '\0'; p++) {
        if (*p < 0x20 || *p == 0x7f)
            return false;
    }
    return true;
}
