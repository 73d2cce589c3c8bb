#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""assent consent import: every kind, a verdict a row, hostile files, and going on where it stopped after the
command or the gateway was killed: each row is recorded once, and none is missing."""
import csv
import hashlib
import struct
import subprocess
import time

import harness
import wire
from harness import say

IMPORT, IMPORT_REPLY = 22, 60  # of Frame.body
OPT_OUTS = 2  # ImportKind

HOLD, DO_NOT_CALL, REASSIGNED = 1, 2, 3


def number_members(world, family):
    """(scope, number) of every member."""
    keys = world.redis_cli("--scan", "--pattern", family + ":*").split()
    said = subprocess.run(["redis-cli", "-s", str(world.folder / "redis.sock")], capture_output=True, text=True,
                          input="".join(f"SMEMBERS {key}\n" for key in keys), timeout=60).stdout
    return {(int(member) >> 50, int(member) & ((1 << 50) - 1)) for member in said.split()}


def put(world, name, text):
    file = world.folder / name
    if isinstance(text, bytes):
        file.write_bytes(text)
    else:
        file.write_text(text)
    return file


def rejected(file):
    with open(file.with_suffix(".rejected.csv"), newline="", errors="replace") as lines:
        return list(csv.DictReader(lines))


def imported(world, kind, file, *options, code=0):
    result = world.cli("consent", "import", "--kind", kind, *options, file, check=False)
    assert result.returncode == code, (kind, result)
    return result


def kinds(world):
    """Registers go under scopes of their own, opt-outs under those of the program."""
    plain = put(world, "plain.csv", "number\n+12025550141\n12025550142\n")
    imported(world, "optout", plain, "--program", "news")
    imported(world, "do-not-call", put(world, "dnc.csv", "phone\n+12025550143\n"), "--copied-at", "2026-01-02")
    imported(world, "litigators", put(world, "suits.csv", "number,source\n+12025550144,court\n"))
    dated = put(world, "moved.csv", "number,date\n+12025550145,2026-02-03\n+12025550146,\n")
    imported(world, "reassigned", dated, code=1)
    assert [(r["line"], r["column"]) for r in rejected(dated)] == [("3", "obtained_at")], rejected(dated)
    imported(world, "deactivated", put(world, "gone.csv", "number,date\n+12025550147,2026-02-04\n"))
    opt_outs = number_members(world, "optout")
    by_number = {number: scope for scope, number in opt_outs}
    assert by_number[12025550143] == DO_NOT_CALL and by_number[12025550144] == HOLD, opt_outs
    assert by_number[12025550145] == REASSIGNED and by_number[12025550147] == REASSIGNED, opt_outs
    assert by_number[12025550141] > 15 and 12025550146 not in by_number, opt_outs
    days = [world.redis_cli("HGETALL", key).split() for key in world.redis_cli("--scan", "--pattern", "days:*").split()]
    assert sorted(int(day) for _, day in days) == [20487, 20488], days
    again = put(world, "again.csv", "number,source,evidence,obtained_at\n+12025550145,form,ticked,2026-02-10\n")
    imported(world, "optin", again, "--program", "news")
    days = [world.redis_cli("HGETALL", key).split() for key in world.redis_cli("--scan", "--pattern", "days:*").split()]
    assert 20494 in {int(day) for pairs in days for day in pairs[1::2]}, days
    say("every kind stands under its scope, reassigned numbers with their day, and so does a consent from then on")


def new_owner(world):
    """Who has a reassigned number now may be asked; who has recorded nothing by evidence may not be recorded."""
    world.cli("consent", "request", "--program", "offers", "--source", "form", "--evidence", "ticked", "+12025550147")
    harness.wait_for("the question", lambda: any(p.name == "submit_sm" and p.destination == "12025550147"
                                                 for p in world.pdus()))
    whole = ["consent", "record", "--program", "news", "--source", "paper", "--evidence", "scan 7", "+12025550148"]
    for without in ("--source", "--evidence"):
        at = whole.index(without)
        result = world.cli(*whole[:at], *whole[at + 2:], "--obtained-at", "2026-01-02", check=False)
        assert result.returncode == 2 and "needed" in result.stderr, result
    result = world.cli(*whole, check=False)
    assert result.returncode == 2 and "--obtained-at is needed" in result.stderr, result
    assert 12025550148 not in {number for _, number in number_members(world, "optin")}
    world.cli(*whole, "--obtained-at", "2026-01-02")
    assert 12025550148 in {number for _, number in number_members(world, "optin")}
    say("a new owner may be asked; consent without source, evidence or its day is not recorded")


def who_may(world):
    """A file gives no double opt-in, and registers are the operator's."""
    one = put(world, "one.csv", "number,source,evidence,obtained_at\n+12025550151,form,ticked,2026-01-02\n")
    result = imported(world, "optin", one, "--program", "offers", code=1)
    assert "double opt-in" in result.stderr, result
    key = put(world, "key", harness.API_KEY)
    for kind, options in (("litigators", []), ("optout", ["--everything"])):
        result = subprocess.run([str(harness.BUILD / "assent"), "-s", f"tcp://127.0.0.1:{world.port}", "--client",
                                 "shop", "--key-file", str(key), "consent", "import", "--kind", kind, *options,
                                 str(one)], capture_output=True, text=True, timeout=20)
        assert result.returncode == 1 and "operator" in result.stderr, result
    before = number_members(world, "optin")
    imported(world, "optin", one, "--program", "news", "--dry-run")
    assert number_members(world, "optin") == before
    imported(world, "optin", one, "--program", "news")
    assert {number for _, number in number_members(world, "optin") - before} == {12025550151}
    say("a file gives no double opt-in; registers are the operator's; a dry run records nothing")


def never_lifts(world):
    """Consent in a file comes behind an opt-out: it stays refused."""
    both = put(world, "both.csv", "number,source,evidence,obtained_at\n+12025550141,form,ticked,2026-01-02\n")
    imported(world, "optin", both, "--program", "news")
    shown = world.cli("consent", "show", "+12025550141").stdout
    assert "opted_out" in shown, shown
    say("an import lifts no opt-out")


def hostile(world):
    """What people and their programs make of CSV."""
    long_text = "x" * 70_000
    rows = (b"\xef\xbb\xbfNumber;Source\r\n"
            b"+12025550161;ok\r\n"                       # line 2
            b"\r\n"
            b"\"+12025550162\";\"two\r\nlines\"\r\n"      # lines 4 and 5
            b"12 02;x\r\n"                                # line 6: no number
            b"+12025550163;a\0b\r\n"                      # line 7
            b"+12025550164;" + long_text.encode() + b"\r\n"
            b"+12025550165;a;b;c\r\n"                     # line 9: more cells than columns
            b"+12025550166;\xff\xfe\r\n"                  # line 10: not UTF-8
            b"+12025550167;" + b"y" * 129 + b"\r\n"       # line 11: a source too long
            b"+12025550168")                              # no end of line
    file = put(world, "hostile.csv", rows)
    imported(world, "optout", file, "--program", "news", code=1)
    wrong = [(r["line"], r["column"]) for r in rejected(file)]
    assert wrong == [("6", "number"), ("7", ""), ("8", ""), ("9", ""), ("10", "source"), ("11", "source")], wrong
    there = {number for _, number in number_members(world, "optout")}
    assert {12025550161, 12025550162, 12025550168} <= there and not {12025550163, 12025550164} & there, there
    result = imported(world, "optout", put(world, "none.csv", "telephone\n+12025550169\n"), "--program", "news", code=1)
    assert "no column `number`" in result.stderr, result
    say("quotes, ends of lines, a mark, NULs, long and wrong rows: each told with its line and column")


def recorded_rows(world):
    """Of every import: the rows of its records, in their order."""
    rows = {}
    for event in world.events():
        body = event.get("opted_out", {})
        if 20 in body:  # OptedOut.import and its row
            rows.setdefault(body[20][0], []).append(body[21][0])
    return rows


def stopped(world):
    """Killed in the middle, the command twice and the gateway once; then to the end."""
    count = 150_000
    lines = [f"+1303{5_000_000 + i}\n" if i % 1000 else "nobody\n" for i in range(count)]
    file = put(world, "many.csv", "number\n" + "".join(lines))
    command = [str(harness.BUILD / "assent"), "-c", str(world.config_file), "consent", "import", "--program", "news",
               "--kind", "optout", "--resume", str(file)]
    for victim in ("command", "gateway", "command"):
        with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE) as child:
            time.sleep(0.15)
            if victim == "gateway":
                world.gateway.kill()
            else:
                child.kill()
            child.wait()
        if victim == "gateway":
            world.start_gateway()
    imported(world, "optout", file, "--program", "news", "--resume", code=1)
    assert len(rejected(file)) == count // 1000, len(rejected(file))
    wanted = [row for row in range(2, count + 2) if (row - 2) % 1000]
    mine = [rows for rows in recorded_rows(world).values() if len(rows) > 1000]
    assert len(mine) == 1 and sorted(mine[0]) == wanted, [(len(rows), rows[:3]) for rows in mine]
    there = {number for _, number in number_members_of(world, 13035000001, 13035000999)}
    assert len(there) == 999, len(there)
    again = imported(world, "optout", file, "--program", "news", "--resume", code=1)
    assert "recorded 0" in " ".join(again.stdout.split()), again
    say(f"{count:,} rows, the command killed twice and the gateway once: each is recorded once")


def late_rows(world):
    """What a killed command had on its way comes after its successor has asked where to go on."""
    sha256 = hashlib.sha256(b"late rows").digest()
    rows = [12025550180 + i for i in range(8)]

    def begin(client):
        client.hello()
        answer = client.call(2, IMPORT, wire.message((2, OPT_OUTS), (3, "news"), (5, "late.csv"), (6, sha256), (8, 1)))
        assert answer[1] == IMPORT_REPLY and 1 not in answer[2], answer
        return answer[2][3][0], answer[2][4][0]

    def send(client, identity, first, numbers):
        packed = b"".join(struct.pack("<Q", number) for number in numbers)
        answer = client.call(3, IMPORT, wire.message((1, identity), (10, first), (11, packed)))
        assert answer[1] == IMPORT_REPLY and 1 not in answer[2], answer
        return answer[2][4][0]

    with world.connect() as killed, world.connect() as successor:
        identity, first = begin(killed)
        assert begin(successor) == (identity, first)
        assert send(killed, identity, first, rows[:5]) == first + 5
        assert send(successor, identity, first, rows[:3]) == first + 5
        assert send(successor, identity, first + 3, rows[3:]) == first + 8
        assert send(killed, identity, first + 5, rows[5:7]) == first + 8
    assert recorded_rows(world)[identity] == list(range(first, first + 8)), recorded_rows(world)[identity]
    say("rows that come late, from a command that was killed, are no fault of its successor")


def sorted_rows(world):
    """Rows that come sorted are counted as they come, so none may be left out, passed over or told apart."""
    numbers, rows = [12025550190 + i for i in range(6)], [7, 2, 5, 3, 6, 4]

    def call(client, *fields):
        answer = client.call(4, IMPORT, wire.message(*fields))
        assert answer[1] == IMPORT_REPLY, answer
        return answer[2]

    def begin(client, window):
        sha256 = hashlib.sha256(b"sorted %d" % window).digest()
        return call(client, (2, OPT_OUTS), (3, "news"), (5, "sorted.csv"), (6, sha256), (8, 1), (14, window))

    def send(client, identity, place, count, more=()):
        packed = b"".join(struct.pack("<Q", number) for number in numbers[place - 1:place - 1 + count])
        return call(client, (1, identity), (10, place), (11, packed), *more)

    def of_file(place, count):
        return [(15, bytes(rows[place - 1:place - 1 + count]))]

    with world.connect() as client:
        client.hello()
        assert begin(client, 262145)[1] == [3], "a window that nobody could keep"
        begun = begin(client, 262144)
        identity = begun[3][0]
        assert begun[4] == [1] and begun[7] == [262144], begun
        assert send(client, identity, 1, 3, of_file(1, 3))[4] == [4]
        for place, count, more in ((5, 2, of_file(5, 2)), (4, 3, ()), (4, 3, of_file(4, 2)), (0, 3, of_file(4, 3)),
                                   (4, 3, [*of_file(4, 3), (12, b""), (12, b""), (12, b"")])):
            refused = send(client, identity, place, count, more)
            assert refused[1] == [3] and b"order" in refused[2][0], (place, refused)
        assert begin(client, 262144)[4] == [4]
        assert send(client, identity, 2, 5, of_file(2, 5))[4] == [7]
        in_order = begin(client, 0)[3][0]
        assert send(client, in_order, 2, 3, of_file(2, 3))[1] == [3], "rows where the file's order counts"
    assert recorded_rows(world)[identity] == rows, recorded_rows(world)[identity]
    say("rows that come sorted are gone on with by their count, and stand under their place in the file")


def number_members_of(world, first, last):
    return {(scope, number) for scope, number in number_members(world, "optout") if first <= number <= last}


def main():
    with harness.World(rate=500, carrier_options=["--subscribers", "none"]) as world:
        kinds(world)
        new_owner(world)
        who_may(world)
        never_lifts(world)
        hostile(world)
        late_rows(world)
        sorted_rows(world)
        stopped(world)


main()
