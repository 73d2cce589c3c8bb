#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""`assent send --dry-run` against a real Redis: it changes nothing in ledger, Redis and counters, and what it
foretells is what then happens: opted out, no opt-in, quiet hours, frequency cap, hold, Redis away."""
import hashlib
import json
import time

import harness
from harness import say
from quiet_test import pick
from reload_test import load

PROGRAMS = """\
  - name: capped
    brand: Herald
    classes: [marketing]
    senders: ["12025550103"]
    opt_in: single
    stop_reach: program
    quiet_hours: off
    frequency_cap: {{count: 2, window: 1h}}
  - name: nightly
    brand: Herald
    classes: [marketing]
    senders: ["12025550104"]
    opt_in: single
    stop_reach: program
"""
CONFIG = harness.CONFIG.replace("carriers:\n", PROGRAMS + "carriers:\n").replace(
    "login]}}", "login, capped, nightly]}}") + 'quiet_hours_default: "9-20"\n'

GOOD, OUT, NEVER, HELD, FULL, ASLEEP = (f"1212555010{i}" for i in range(1, 7))
TEXT = "Herald: hello. Reply STOP to end"
REFUSED = {"opt_out": "opted_out", "opt_in": "no_opt_in", "hold": "global_hold", "frequency": "frequency_cap"}


def redis_state(world):
    """The number of keys, and a digest of them all but the gateways' own signs of life."""
    read = {"set": ["SMEMBERS"], "hash": ["HGETALL"], "string": ["GET"], "zset": ["ZRANGE"],
            "stream": ["XLEN"]}
    digest = hashlib.sha256()
    for key in sorted(world.redis_cli("--scan").split()):
        if key == "assent:nodes":
            continue
        kind = world.redis_cli("TYPE", key)
        more = ["0", "-1", "WITHSCORES"] if kind == "zset" else []
        value = sorted(world.redis_cli(*read[kind], key, *more).split("\n"))
        digest.update(repr((key, value)).encode())
    return world.redis_cli("DBSIZE"), digest.hexdigest()


def counters(world):
    names = ("_accepted", "_ended", "_sent", "_submit", "_consent_checks", "_open_messages", "_ledger_sequence",
             "_opt_", "_scheduled", "_quiet", "_otp_to_wire", "_to_wire")
    return {name: value for name, value in world.metrics().items()
            if any(name.startswith("assent" + part) for part in names)}


def send(world, program, number, *options):
    return world.cli("send", "--program", program, "--to", number, "--text", TEXT, "--json", *options, check=False)


def foretold(world, program, number, *options):
    result = send(world, program, number, "--dry-run", *options)
    dry = json.loads(result.stdout)
    assert (result.returncode == 0) == (dry["foresight"] in ("sent", "waits")), (result.returncode, dry)
    return dry


def next_sequence(world):
    return int(json.loads(world.cli("status", "--json").stdout)["next_sequence"])


def happens(world, program, number, *options):
    """"sent", "held", or the reason for which it ended."""
    start = next_sequence(world)
    accepted = json.loads(send(world, program, number, *options).stdout)

    def fate():
        lines = world.cli("watch", "--from", start, "--until", next_sequence(world), "--json").stdout.splitlines()
        for event in map(json.loads, lines):
            if event["kind"] in ("sent", "held", "ended") and str(event.get("message")) == str(accepted["id"]):
                return event["ended"]["reason"] if event["kind"] == "ended" else event["kind"]
        return None
    return harness.wait_for("what becomes of it", fate)


def main():
    night = pick(allowed=False)
    cases = [("news", GOOD, [], "sent"), ("news", OUT, [], "opt_out"), ("news", NEVER, [], "opt_in"),
             ("news", HELD, [], "hold"), ("capped", FULL, [], "frequency"),
             ("nightly", ASLEEP, ["--time-zone", night], "quiet_hours")]
    with harness.World(config=CONFIG) as world:
        world.record_opt_ins("news", [GOOD, OUT, HELD])
        world.record_opt_ins("capped", [FULL])
        world.record_opt_ins("nightly", [ASLEEP])
        world.cli("consent", "optout", "--program", "news", "--source", "letter", OUT)
        rows = world.folder / "litigators.csv"
        rows.write_text(f"number\n{HELD}\n")
        world.cli("consent", "import", "--kind", "litigators", rows)
        for _ in range(2):
            assert happens(world, "capped", FULL) == "sent"

        harness.wait_for("all has come to rest", lambda: world.metric("assent_open_messages") == 0)
        ledger = next_sequence(world)
        before = redis_state(world), counters(world)
        dry = {}
        for program, number, options, gate in cases:
            dry[gate] = foretold(world, program, number, *options)
        summary = csv(world)
        assert (redis_state(world), counters(world)) == before, (before, redis_state(world), counters(world))
        assert next_sequence(world) == ledger
        say("a dry run leaves ledger, Redis and counters as they were")

        for program, number, options, gate in cases:
            told = dry[gate]
            assert told.get("gate", "sent") == gate, told
            by_name = {g["name"]: g for g in told["gates"]}
            fate = happens(world, program, number, *options)
            if gate == "quiet_hours":
                assert told["foresight"] == "waits" and fate == "held", (told, fate)
                assert int(told["not_before_wall_ms"]) > time.time() * 1000, told
            elif gate == "sent":
                assert told["foresight"] == "sent" and fate == "sent", (told, fate)
            else:
                assert told["foresight"] == "refused" and fate == REFUSED[gate], (told, fate)
                assert by_name[gate]["answer"] == "refused" and by_name[gate]["why"], told
        room = int(dry["frequency"]["not_before_wall_ms"]) - time.time() * 1000
        assert 3500e3 < room < 3600e3, room
        say("what it foretells is what happens, and the cap says when there is room")

        table = world.cli("send", "--program", "news", "--to", OUT, "--text", TEXT, "--dry-run", check=False)
        assert "would be refused: opt_out, opted out of the program" in table.stdout, table
        assert {row["gate"]: row["rows"] for row in summary} == {"": 1, "opt_out": 1, "opt_in": 1, "hold": 1}, summary

        content(world)
        world.redis.stop()
        harness.wait_for("the gate is shut", lambda: world.metric("assent_gate_open") == 0)
        told = foretold(world, "news", GOOD)
        assert told["foresight"] == "not_known", told
        assert {g["answer"] for g in told["gates"] if g["name"] in ("opt_out", "opt_in", "hold")} == {"not known"}
        say("without Redis it says that it does not know")


def content(world):
    """The brand is put before a text that does not name it, and a link of a shortener is refused, as in earnest."""
    def send_text(text, *options):
        return world.cli("send", "--program", "news", "--to", GOOD, "--text", text, *options, check=False)

    dry = json.loads(send_text("20% off", "--dry-run", "--json").stdout)
    assert dry["brand_prefix"] == "Herald: " and dry["parts"] == 1, dry
    assert {g["name"]: g["answer"] for g in dry["gates"]}["content"] == "passed", dry
    assert "before it" not in send_text(TEXT, "--dry-run").stdout
    assert 'the text gets "Herald: " before it' in send_text("20% off", "--dry-run").stdout
    accepted = json.loads(send_text("20% off", "--json").stdout)
    harness.wait_for("the text with its brand", lambda: any(
        p.name == "submit_sm" and p.text == "Herald: 20% off\\nReply STOP to unsubscribe" for p in world.pdus()))
    harness.wait_for("its gates", lambda: "content" in next(
        (line for line in world.cli("trace", str(accepted["id"])).stdout.splitlines() if "gates passed" in line), ""))
    for options in (["--dry-run"], []):
        result = send_text("Herald: https://bit.ly/x. Reply STOP to end", *options)
        assert result.returncode == 1 and "link of a public shortener" in result.stderr, result
    say("what is put into a text and what is refused in it is foretold")

    link = "Herald: https://bit.ly/later. Reply STOP to end"
    load(world, world.config_text.replace("brand: Herald\n", "brand: Herald\n    link_shorteners: allow\n"))
    waits = json.loads(send_text(link, "--at", "+3s", "--json").stdout)
    load(world, world.config_text)
    harness.wait_for("its end", lambda: "content refused" in world.cli("trace", str(waits["id"])).stdout)
    assert not any("later" in p.text for p in world.pdus() if p.name == "submit_sm")
    say("a text that waits is looked at again after another configuration")


def csv(world):
    rows = world.folder / "rows.csv"
    rows.write_text("number\n" + "".join(f"{n}\n" for n in (GOOD, OUT, NEVER, HELD)))
    people = world.cli("send", "--program", "news", "--csv", rows, "--template", TEXT, "--dry-run", check=False)
    assert people.returncode == 1 and "FIRST ROW" in people.stdout and "would go out" in people.stdout, people
    lines = world.cli("send", "--program", "news", "--csv", rows, "--template", TEXT, "--dry-run", "--json",
                      check=False).stdout.splitlines()
    return json.loads(lines[-1])["summary"]


if __name__ == "__main__":
    main()
