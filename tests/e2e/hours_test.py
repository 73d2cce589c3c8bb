#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Quiet hours against an independent judge: Python's zoneinfo, and the rules written down once more.

For every rule, every area code and calling code, and zones of all kinds: the stretches of allowed time
that `assent consent hours` gives are compared at every local hour of whole years (and a minute before),
and at every quarter of an hour of the days on which a clock is changed."""
import datetime
import functools
import os
import pathlib
import re
import subprocess
import sys
import zoneinfo

UTC = datetime.timezone.utc
HOUR = datetime.timedelta(hours=1)
MINUTE = datetime.timedelta(minutes=1)
DATA = pathlib.Path(__file__).resolve().parents[2] / "consent" / "data"
WEEK, ALL = range(5), range(7)

# place: [(from day, until day, {weekday: (from, until) in minutes}, holidays excluded)]
ALWAYS = (datetime.date.min, datetime.date.max)


def days(which, begin, end):
    return {day: (int(begin * 60), int(end * 60)) for day in which}


def since(*date):
    return (datetime.date(*date), datetime.date.max)


RULES = {
    "US": [(*ALWAYS, days(ALL, 8, 21), False)],
    "US-TX": [(*since(2025, 9, 1), days(range(6), 9, 21) | days([6], 12, 21), False)],
    "US-RI": [(*ALWAYS, days(WEEK, 9, 18) | days([5, 6], 10, 17), False)],
    "US-CT": [(*since(2023, 10, 1), days(ALL, 9, 20), False)],
    "US-OR": [(*since(2026, 1, 1), days(ALL, 8, 20), False)],
    "FR": [
        (datetime.date.min, datetime.date(2026, 4, 1), days(range(6), 8, 22), True),
        (*since(2026, 3, 1), days(ALL, 8, 21.5), False),
    ],
    "AE": [(*ALWAYS, days(ALL, 7, 21), False)],
    "SA": [(*ALWAYS, days(ALL, 7, 22), False)],
    "IN": [(*ALWAYS, days(ALL, 10, 21), False)],
}
for state in "FL OK MD MS NJ".split():
    RULES[f"US-{state}"] = [(*ALWAYS, days(ALL, 8, 20), False)]
FALLBACK = [(*ALWAYS, days(ALL, 9, 20), False)]


@functools.cache
def easter(year):
    """The tables of Meeus, not the way the gateway does it."""
    a, b, c = year % 19, year // 100, year % 100
    d, e, g = b // 4, b % 4, (8 * b + 13) // 25
    h = (19 * a + b - d - g + 15) % 30
    m = (a + 11 * h) // 319
    r = (2 * e + 2 * (c // 4) - c % 4 - h + m + 32) % 7
    n, p = divmod(h - m + r + 90, 25), (h - m + r + 19)
    return datetime.date(year, n[0], (p + n[0]) % 32)


@functools.cache
def french_holiday(day):
    if (day.month, day.day) in {(1, 1), (5, 1), (5, 8), (7, 14), (8, 15), (11, 1), (11, 11), (12, 25), (12, 26)}:
        return True
    return (day - easter(day.year)).days in {-2, 1, 39, 50}


@functools.cache
def zone(name):
    return zoneinfo.ZoneInfo(name)


def laws_of(place):
    found = list(RULES.get(place[:2], []))
    if "-" in place:
        found += RULES.get(place, [])
    return found or FALLBACK


def law_allows(law, local):
    begin, end, hours, no_holidays = law
    day = local.date()
    if not begin <= day < end:
        return True
    if no_holidays and french_holiday(day):
        return False
    window = hours.get(day.weekday())
    return window is not None and window[0] <= local.hour * 60 + local.minute < window[1]


def allows(places, zones, at):
    clocks = [at.astimezone(zone(name)) for name in zones]
    return all(law_allows(law, local) for place in places for law in laws_of(place) for local in clocks)


def country_zones():
    found = {}
    for line in open("/usr/share/zoneinfo/zone.tab", encoding="ascii"):
        if not line.startswith("#"):
            country, _, name = line.split("\t")[:3]
            found.setdefault(country, []).append(name.strip())
    found["XK"] = found["RS"]
    return found


def subjects():
    """number: (places, zones) for every area code and calling code"""
    of_country, found = country_zones(), {}
    text = (DATA / "area_codes.inc").read_text(encoding="utf-8")
    for place, rest in re.findall(r'AREA\("([A-Z-]+)",(.*?)\)\n', text, re.S):
        parts = [part for part in re.findall(r'"([^"]*)"', rest)]
        zones = "".join(part for part in parts if "/" in part).split() or of_country[place[:2]]
        for code in "".join(part for part in parts if part and "/" not in part).split():
            found[f"1{code}5550100"] = ([place], zones)
    text = (DATA / "calling_codes.inc").read_text(encoding="utf-8")
    for code, countries in re.findall(r'CALLING\("(\d+)", "([A-Z ]+)"\)', text):
        countries = countries.split()
        digits = "8" if code in ("599", "672") else "0"  # not a longer code of the table
        found[code + digits * (11 - len(code))] = (countries, [z for c in countries for z in of_country[c]])
    return found


def spans(assent, numbers, begin, end, *options):
    """number: sorted list of (from, until) that the command gives"""
    stamp = "%Y-%m-%dT%H:%M:%SZ"
    out = subprocess.run(
        [assent, "consent", "hours", "--default", "9-20", "--at", begin.strftime(stamp), "--until", end.strftime(stamp)]
        + [*options, *numbers],
        check=True, stdout=subprocess.PIPE, text=True, timeout=300,
    ).stdout
    found = {number: [] for number in numbers}
    for line in out.splitlines():
        number, *times = line[1:].split("  ")
        found[number].append([datetime.datetime.fromisoformat(t).replace(tzinfo=UTC) for t in times])
    return found


def moments(begin, end, zones):
    """Around every hour, and closer on days that are not 24 hours long somewhere."""
    at = begin
    while at < end:
        changed = any(
            (at - 24 * HOUR).astimezone(zone(z)).utcoffset() != (at + 24 * HOUR).astimezone(zone(z)).utcoffset()
            for z in zones
        )
        for minute in (0, 15, 30, 45) if changed else (0, 30):
            yield at + minute * MINUTE
            yield at + minute * MINUTE - MINUTE
        at += HOUR


def compare(found, places, zones, begin, end, what):
    stretches, index, asked = found, 0, 0
    for at in sorted(set(moments(begin, end, zones))):
        if at < begin:
            continue
        while index < len(stretches) and stretches[index][1] <= at:
            index += 1
        given = index < len(stretches) and stretches[index][0] <= at
        assert given == allows(places, zones, at), f"{what} at {at:%F %T}: {given}"
        asked += 1
    return asked


def whole_years(assent):
    """Rules and kinds of zones, 2025 to 2028: the change of law in France, a leap day."""
    begin, end = datetime.datetime(2025, 1, 1, tzinfo=UTC), datetime.datetime(2028, 4, 1, tzinfo=UTC)
    every = subjects()
    chosen = ["12145550100", "14015550100", "12035550100", "18505550100", "15415550100", "13055550100"]
    chosen += [n for n in every if n.startswith(("33", "971", "966", "91"))]
    found = spans(assent, chosen, begin, end)
    asked = sum(compare(found[n], *every[n], begin, end, f"+{n}") for n in chosen)
    odd = ["Australia/Lord_Howe", "Pacific/Chatham", "Asia/Kathmandu", "America/St_Johns", "Africa/Casablanca",
           "America/Santiago", "Africa/Cairo", "America/Mexico_City", "Pacific/Apia", "Asia/Gaza"]
    end = datetime.datetime(2026, 12, 31, tzinfo=UTC)
    for name in odd:
        found = spans(assent, ["447700900123"], begin, end, "--time-zone", name)["447700900123"]
        asked += compare(found, ["GB"], [name], begin, end, name)
    return asked


def every_code(assent):
    """Every area code and calling code: the weeks in which clocks are changed, north and south."""
    every, asked = subjects(), 0
    for month, day in ((3, 6), (10, 23)):
        begin = datetime.datetime(2027, month, day, tzinfo=UTC)
        end = begin + datetime.timedelta(days=3 if month == 3 else 2)
        found = spans(assent, list(every), begin, end)
        judged = {}
        for number, (places, zones) in every.items():
            key = (*places, *sorted(zones))
            if key not in judged:
                judged[key] = (number, found[number])
                asked += compare(found[number], places, zones, begin, end, f"+{number}")
            assert judged[key][1] == found[number], f"+{number} is not as +{judged[key][0]}"
    return asked, len(every)


def main():
    build = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else os.environ.get("ASSENT_BUILD", "build"))
    assent = str(build / "assent")
    print(f"whole years: {whole_years(assent)} moments", flush=True)
    asked, numbers = every_code(assent)
    print(f"{numbers} codes: {asked} moments")


if __name__ == "__main__":
    main()
