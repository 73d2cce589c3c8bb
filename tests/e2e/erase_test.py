#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A person is erased on request while the gateway runs: nothing of number, text, reference or evidence is left in any
file, in Redis or in the log; every proof stays valid; the opt-out goes on to deny until START; kill -9 half-way."""
import json
import subprocess
import sys
import time
from pathlib import Path

import harness
from handset import Handset
from harness import say, wait_for

JUDGE = Path(__file__).resolve().parent.parent / "verify.py"
TRANSACTIONAL = 2
PERSON, OTHER, FREE = "12025550147", "12025550148", "12025550149"
SECRET, EVIDENCE, REFERENCE = "Zanzibar on Tuesday", "signed the pink form", "pink-4711"


def varint(value):
    out = bytearray()
    while value > 0x7f:
        out.append(value & 0x7f | 0x80)
        value >>= 7
    return bytes(out + bytes([value]))


def traces(number):
    """In how many ways a person may stand in a file."""
    return [number.encode(), varint(int(number)), int(number).to_bytes(8, "little"), int(number).to_bytes(8, "big"),
            SECRET.encode(), EVIDENCE.encode(), REFERENCE.encode()]


def found(world, number):
    """Where anything of the person is left."""
    octets = traces(number)
    files = [f for f in world.data.rglob("*") if f.is_file()]
    files += [world.gateway.log]
    places = [str(f) for f in files for trace in octets if trace in f.read_bytes()]
    world.redis_cli("save")
    dump = (world.folder / "dump.rdb").read_bytes()
    places += ["Redis" for trace in octets if trace in dump]
    keys = world.redis_cli("keys", "*")
    return places + ["a key" for line in keys.splitlines() if number in line]


def members(world, number):
    """What the sets hold under a number."""
    out = []
    for key in world.redis_cli("keys", "opt*").split():
        out += [int(m) for m in world.redis_cli("smembers", key).split() if int(m) & ((1 << 50) - 1) == int(number)]
    return out


def erase(world, number, request):
    result = world.cli("erase", "--request", request, "+" + number)
    assert "erasure recorded" in result.stdout and "erased: " in result.stdout, result
    return int(result.stdout.split("record #")[1].split(")")[0])


def live(world, handset):
    """The person agrees, is written to, and leaves; one text more waits for tomorrow."""
    obtained = "2026-01-02"
    for number in (PERSON, OTHER):
        world.cli("consent", "record", "--program", "news", "--source", "web form", "--evidence", EVIDENCE,
                  "--obtained-at", obtained, "+" + number)
        world.cli("send", "--program", "news", "--to", "+" + number, "--text", SECRET + " Reply STOP to end", "--reference",
                  REFERENCE + number)
    handset.gets(PERSON, SECRET)
    world.cli("send", "--program", "login", "--class", "transactional", "--at", "+1d", "--to", PERSON, "--text", SECRET)
    handset.says("acme", PERSON, "12025550102", "STOP")
    handset.gets(PERSON, "unsubscribed")
    world.cli("consent", "optout", "--program", "login", "--source", "call", PERSON)


def refusals(world):
    for arguments, why in ((("--request", "r1", "+1"), "E.164"), (("--request", f"r{PERSON}", PERSON), "request"),
                           (("--request", "", PERSON), "request")):
        result = world.cli("erase", *arguments, check=False)
        assert result.returncode == 1 and why in result.stderr, result
    world.cli("consent", "optout", "--hold", "--evidence", "letter", "+12025550146")
    result = world.cli("erase", "--request", "r1", "+12025550146", check=False)
    assert result.returncode == 1 and "hold" in result.stderr, result
    say("refused: a bad number, a request that names it, a hold")


def is_denied(world, handset, number):
    before = len(handset.got(number))
    identity = world.submit(("login", TRANSACTIONAL, "+" + number, "Your parcel is here"))[0]
    wait_for("its end", lambda: "OPTED_OUT" in world.cli("query", "--json", identity).stdout or
             "suppressed" in world.cli("query", str(identity)).stdout)
    assert len(handset.got(number)) == before
    return True


def is_sent(world, handset, number, words):
    world.submit(("login", TRANSACTIONAL, "+" + number, words))
    return handset.gets(number, words)


def the_record_holds(world, sequence):
    """Verify accepts what was destroyed; the erased message tells by which request."""
    wait_for("a checkpoint of both ends", lambda: world.metric("assent_ledger_checkpoint_sequence") >=
             world.metric("assent_ledger_durable_sequence"))  # verify leaves out what ends meanwhile
    report = world.cli("verify").stdout
    assert "Nothing was changed" in report and "by 2 erasures" in report, report
    message = next(e["sequence"] for e in world.events() if "accepted" in e)
    story = world.cli("trace", f"#{message}").stdout
    assert "existed, unaltered" in story and "destroyed by request GDPR-2026/17" in story, story
    assert SECRET not in story and PERSON not in story
    wait_for("a checkpoint", lambda: world.metric("assent_ledger_checkpoint_sequence") >= sequence)
    proof = world.folder / "proof.json"
    proof.write_text(world.cli("prove", str(message)).stdout)
    key = world.cli("key", "show").stdout.strip()
    judged = subprocess.run([sys.executable, str(JUDGE), "--key", key, str(proof)], capture_output=True, text=True,
                            timeout=60, check=False)
    assert judged.returncode == 0 and f"record {message} is in the ledger" in judged.stdout, judged
    assert "destroyed at " in judged.stdout and "by request GDPR-2026/17" in judged.stdout, judged
    assert json.loads(proof.read_text())["destroyed"]["erasure"] == sequence
    asked = world.cli("trace", "--is-text", SECRET, f"#{message}", check=False)
    assert "by request GDPR-2026/17" in asked.stderr, asked
    told = [json.loads(line) for line in world.cli("export", "--format", "jsonl").stdout.splitlines()]
    row = next(row for row in told if row["sequence"] == message)
    assert "destroyed at " in row["details"]["destroyed"], row
    assert f"by request GDPR-2026/17 (erasure #{sequence})" in row["details"]["destroyed"], row
    assert not [row for row in told if row["kind"] == "erased_records" and "destroyed" in row["details"]], told
    why = world.cli("diagnose", f"#{message}").stdout
    assert "destroyed at " in why and f"by request GDPR-2026/17 (erasure #{sequence})" in why, why
    why = json.loads(world.cli("diagnose", "--json", f"#{message}").stdout)
    assert why["destroyed"]["request"] == "GDPR-2026/17" and why["destroyed"]["wall_ms"] > 0, why
    say("verify and tests/verify.py: every record existed, unaltered; trace, export and diagnose tell by which "
        "request it was destroyed")


def kept_with_time(world):
    """The fingerprint came back with the erasure's time: no START of before, from another gateway, lifts it."""
    rows = world.cli("export", "--kind", "erased_records", "--format", "jsonl").stdout.splitlines()
    erased = next(row["erased_wall_ms"] for row in (json.loads(line)["details"] for line in rows) if "kept_opt_out" in row)
    times = [score for key in world.redis_cli("--scan", "--pattern", "stops:*").split()
             for score in world.redis_cli("zrange", key, "0", "-1", "withscores").split()[1::2]]
    return str(erased) in times


def killed_half_way(world, handset):
    """kill -9 at several moments of an erasure: the next start brings it to its end."""
    for n in range(4):
        world.cli("consent", "record", "--program", "news", "--source", "web form", "--evidence", EVIDENCE,
                  "--obtained-at", "2026-01-02", "+" + FREE)
        world.cli("send", "--program", "news", "--to", "+" + FREE, "--text", f"{SECRET} {n} Reply STOP to end")
        handset.gets(FREE, f"{SECRET} {n}")
        before = world.metric("assent_ledger_sequence")
        world.cli("erase", "--no-wait", "--request", f"GDPR-{n}", "+" + FREE)
        time.sleep(n * 0.02)
        world.gateway.kill()
        world.start_gateway()
        wait_for("the erasure's end", lambda: [e for e in world.events(int(before)) if "erasure_done" in e])
        rest = found(world, FREE)
        assert not rest, (n, rest)
    assert "Nothing was changed" in world.cli("verify").stdout
    say("kill -9 at four moments: nothing is left after the next start")


def an_older_copy_is_named(world):
    """A file of before the erasure in the place of today's: verify says which records are there again."""
    world.cli("consent", "record", "--program", "news", "--source", "web form", "--evidence", EVIDENCE,
              "--obtained-at", "2026-01-02", "+" + FREE)
    segment = next((world.data / "ledger").glob("*.seg"))
    before = segment.read_bytes()
    size = len(before.rstrip(b"\0"))
    erase(world, FREE, "GDPR-9")
    world.gateway.stop()
    now = segment.read_bytes()
    segment.write_bytes(before[:size] + now[size:])
    report = world.cli("verify", check=False)
    assert report.returncode == 1 and "an older copy came back" in report.stdout + report.stderr, report
    segment.write_bytes(now)
    assert "Nothing was changed" in world.cli("verify").stdout
    say("an older copy that came back is named")


def main():
    with harness.World(start=False) as world:
        world.start_redis()
        handset = Handset(world.carrier_port)
        world.start_gateway()
        live(world, handset)
        assert found(world, PERSON) and members(world, PERSON)
        refusals(world)
        sequence = erase(world, PERSON, "GDPR-2026/17")
        assert not members(world, PERSON)
        say(f"erased by record {sequence}")
        other = world.cli("trace", "+" + OTHER).stdout
        assert SECRET in other
        erase(world, OTHER, "GDPR-2026/18")
        rest = found(world, PERSON) + found(world, OTHER)
        assert not rest, rest
        assert "Nothing was changed" in world.cli("verify").stdout  # whether a checkpoint covers the erasure yet or not
        say("nothing of either is left in files, Redis or the log")
        the_record_holds(world, sequence)
        assert is_denied(world, handset, PERSON)
        assert is_sent(world, handset, OTHER, "for the other")
        world.gateway.stop()
        world.start_gateway()
        assert is_denied(world, handset, PERSON)
        world.redis_cli("flushall")
        wait_for("the gate to open again", lambda: "open" in world.cli("status", "--once").stdout)
        assert is_denied(world, handset, PERSON)
        assert kept_with_time(world)
        say("the opt-out of the first goes on to deny: after a restart, and after Redis lost everything")
        checked = world.cli("consent", "check", check=False)
        assert checked.returncode == 0, checked
        world.cli("consent", "rebuild")
        wait_for("the gate to open again", lambda: world.metric("assent_gate_open") == 1)
        assert is_denied(world, handset, PERSON)
        say("and after a rebuild from the ledger")
        handset.says("acme", PERSON, "12025550101", "START")
        assert is_sent(world, handset, PERSON, "and we are back")
        checked = world.cli("consent", "check", check=False)
        assert checked.returncode == 0, checked
        world.cli("consent", "rebuild")
        wait_for("the gate to open again", lambda: world.metric("assent_gate_open") == 1)
        assert is_sent(world, handset, PERSON, "and here we stay")
        say("START lifts it, for good")
        killed_half_way(world, handset)
        an_older_copy_is_named(world)


if __name__ == "__main__":
    main()
