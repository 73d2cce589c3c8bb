#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Reputation: a carrier that filters half of a campaign pauses its sender there, and nobody else; the pause is told,
outlives a kill, is released by an operator with a reason, and nothing of what waited is lost. Then its people say
STOP, and that pauses it again."""
import json
import time

import harness
from harness import say

OTP, MARKETING = 1, 3
NEWS = "12025550102"
PEOPLE = [f"1202555{n:04}" for n in range(1000, 1200)]
LEAVERS = [f"1202555{n:04}" for n in range(2000, 2100)]
SOMEBODY = "12025550119"
SETTINGS = """\
    statuses: {{0x401: filtered}}
    reputation: {{texts: 20, filtered: {{alarm: 10%, pause: 20%}}, opt_outs: {{alarm: 20%, pause: 30%}}}}
    routes: [""]
"""


def sent(world, source=NEWS, tag=""):
    return [p for p in world.pdus() if p.name == "submit_sm" and p.source == source and tag in p.text]


def stands_still(world):
    """What is written of its marketing by now is all that is written."""
    time.sleep(0.3)
    before = len(sent(world, tag="[news]"))
    time.sleep(1.5)
    assert len(sent(world, tag="[news]")) == before, "marketing of a paused sender was written"
    return before


def recorded(world, kind):
    lines = world.cli("export", "--kind", kind, "--format", "jsonl").stdout.splitlines()
    return [json.loads(line) for line in lines]


def listed(world):
    lines = world.cli("reputation", "--json", "--sender", NEWS).stdout.splitlines()
    assert len(lines) == 1, lines
    return json.loads(lines[0])


def paused_by_the_filter(world):
    world.record_opt_ins("news", PEOPLE)
    world.submit(*[("news", MARKETING, n, "[news] Herald. Reply STOP to end") for n in PEOPLE])
    harness.wait_for("it is paused", lambda: world.metric("assent_reputation_pauses_total") == 1)
    written = stands_still(world)
    assert 20 <= written < 150, written
    world.submit(("login", OTP, SOMEBODY, "[code] 483920"))
    harness.wait_for("the code is sent", lambda: sent(world, "12025550101", "[code]"))
    say(f"paused after {written} of {len(PEOPLE)} texts; a code of another sender still goes out")
    assert len(recorded(world, "reputation_paused")) == 1
    assert 1 <= len(recorded(world, "reputation_alarm")) <= 2


def told_everywhere(world):
    row = listed(world)
    assert row["paused_wall_ms"] > 0 and row["paused_by"]["rate"] == "rate_filtered", row
    assert row["paused_by"]["share"] >= 200000 and row["paused_by"]["texts"] >= 20, row
    table = world.cli("reputation").stdout
    assert "PAUSED since" in table and NEWS in table and "alpha" in table, table
    status = world.cli("status").stdout
    assert f"marketing of {NEWS} at alpha is PAUSED" in status and "sender_reputation" in status, status
    assert json.loads(world.cli("status", "--json").stdout)["paused_senders"][0]["sender"] == NEWS
    label = f'sender="{NEWS}",carrier="alpha"'
    assert world.metric("assent_reputation_paused", label) == 1
    assert world.metric("assent_reputation_paused_senders") == 1
    assert world.metric("assent_reputation_share", label + ',window="hour",rate="filtered"') >= 0.2
    words = world.cli("watch", "--from", "1", "--until", str(row["paused"] + 1), "--kind",
                      "reputation_paused").stdout
    assert f"marketing of sender {NEWS} at carrier alpha is paused until an operator releases it" in words, words
    message = [e["sequence"] for e in recorded(world, "accepted") if e["number"].lstrip("+") == PEOPLE[-1]][-1]
    cause = json.loads(world.cli("diagnose", f"#{message}", "--json").stdout)
    assert cause["cause"] == "sender_paused" and cause["paused"] == row["paused"], cause
    assert f"sender {NEWS} at carrier alpha since" in world.cli("diagnose", f"#{message}").stdout
    dry = ("send", "--program", "news", "--to", f"+{PEOPLE[0]}", "--text", "[news] Herald. Reply STOP to end", "--dry-run")
    foreseen = json.loads(world.cli(*dry, "--json").stdout)
    assert (foreseen["foresight"], foreseen["gate"]) == ("waits", "reputation"), foreseen
    assert "its sender is paused at its carrier" in world.cli(*dry).stdout
    say("list, status, metrics and the record's words name sender, carrier, rate and limit:")
    print(table, end="")


def outlives_a_kill(world):
    before = listed(world)
    world.gateway.kill()
    world.start_gateway()
    after = listed(world)
    assert after["paused"] == before["paused"] and after["windows"] == before["windows"], (before, after)
    stands_still(world)
    say("killed and started again: paused as before, and counted the same")


def release_needs_a_reason(world):
    words = ("reputation", "release", "--sender", NEWS, "--carrier", "alpha", "--who", "mara")
    assert world.cli(*words, check=False).returncode == 2
    other = world.cli("reputation", "release", "--sender", "12025550101", "--carrier", "alpha", "--why", "x",
                      check=False)
    assert other.returncode == 1 and "is not paused at this carrier" in other.stderr, other.stderr
    nowhere = world.cli("reputation", "release", "--sender", NEWS, "--carrier", "omega", "--why", "x", check=False)
    assert nowhere.returncode == 1 and "carrier: unknown" in nowhere.stderr, nowhere.stderr
    before = {p.destination for p in sent(world, tag="[news]")}
    world.carrier.stop()
    world.start_carrier("--subscribers", "none")  # with a log of its own
    harness.wait_for("the gateway is bound again", lambda: world.metric("assent_carrier_sessions_bound") == 1)
    released = world.cli(*words, "--why", "the carrier had our text on a list by mistake").stdout
    assert "goes on, counted anew" in released, released
    again = world.cli(*words, "--why", "once more", check=False)
    assert again.returncode == 1, again
    record = recorded(world, "reputation_released")
    assert len(record) == 1 and "mara" in json.dumps(record) and "by mistake" in json.dumps(record), record
    return before


def nothing_is_lost(world, before):
    harness.wait_for("all is sent", lambda: world.metric("assent_open_messages") == 0)
    after = {p.destination for p in sent(world, tag="[news]")}
    assert before | after == set(PEOPLE) and not before & after, (len(before), len(after))
    assert not listed(world).get("paused_by")
    assert len(recorded(world, "reputation_paused")) == 1
    say("released with who and why; all that waited was sent, and what was counted before did not pause again")


def paused_by_its_people(world):
    stops = world.folder / "leavers"
    stops.write_text("".join(f"+{n} stop=1\n" for n in LEAVERS))
    world.carrier.stop()
    world.start_carrier("--subscribers", stops, "--reply-delay", "20ms")
    harness.wait_for("the gateway is bound again", lambda: world.metric("assent_carrier_sessions_bound") == 1)
    people = LEAVERS + [f"1202555{n:04}" for n in range(3000, 3300)]
    world.record_opt_ins("news", people)
    world.submit(*[("news", MARKETING, n, "[more] Herald. Reply STOP to end") for n in people])
    harness.wait_for("it is paused again", lambda: world.metric("assent_reputation_pauses_total") == 1)
    row = listed(world)
    assert row["paused_by"]["rate"] == "rate_opt_outs", row
    say(f"STOPs of {row['paused_by']['count']} of {row['paused_by']['texts']} paused it again")


def main():
    config = harness.CONFIG.replace('    routes: [""]\n', SETTINGS)
    with harness.World(start=False, rate=50, window=10, config=config) as world:
        world.start_redis()
        world.start_carrier("--subscribers", "none", "--fault", "vendor-status:0x401:50%")
        world.start_gateway()
        paused_by_the_filter(world)
        told_everywhere(world)
        outlives_a_kill(world)
        before = release_needs_a_reason(world)
        nothing_is_lost(world, before)
        paused_by_its_people(world)


main()
