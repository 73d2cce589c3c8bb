#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Redis goes away: nothing is sent, the reason is visible, opt-outs are still taken; when it is back
sending goes on, and the opt-outs are in Redis before anything that they forbid could leave. A Redis
that comes back empty is caught up from the ledger first."""
import time

import harness
from harness import say

MARKETING = 3
NUMBERS = [f"1202555{n:04d}" for n in range(100, 160)]


def submitted(world):
    return [p for p in world.pdus() if p.name == "submit_sm"]


def to_number(pdus, number):
    return [p for p in pdus if p.destination == number]


def away_and_back(world, lose_data):
    before = len(submitted(world))
    leaver = NUMBERS[1 if lose_data else 0]
    world.redis.kill()
    time.sleep(0.3)
    ids = world.submit(*[("news", MARKETING, n, f"while away {lose_data}") for n in NUMBERS])
    say(f"Redis is away: {len(ids)} messages accepted all the same")
    world.cli("consent", "optout", "--program", "news", leaver)
    time.sleep(1.5)
    assert len(submitted(world)) == before, "something was sent without a check"
    assert world.http("/readyz") is None
    assert world.metric("assent_gate_open") == 0
    say("nothing was sent; /readyz and the metrics say why; an opt-out was taken")
    if lose_data:
        for file in world.folder.glob("appendonlydir/*"):
            file.unlink()
    world.start_redis()
    world.wait_ready()
    harness.wait_for("the held messages are sent", lambda: len(submitted(world)) >= before + len(NUMBERS) - (
        2 if lose_data else 1))
    time.sleep(0.5)
    late = submitted(world)[before:]
    assert not to_number(late, leaver), "sent to a number that opted out while Redis was away"
    assert len(late) == len(NUMBERS) - (2 if lose_data else 1), len(late)
    shown = world.cli("consent", "show", leaver).stdout
    assert "news" in shown, shown
    say("Redis is back" + (" and empty" if lose_data else "") + ": the rest was sent, the opt-out holds")


def main():
    with harness.World(rate=500) as world:
        world.record_opt_ins("news", NUMBERS)
        world.submit(*[("news", MARKETING, n, "before") for n in NUMBERS])
        harness.wait_for("the first batch is sent", lambda: len(submitted(world)) == len(NUMBERS))
        away_and_back(world, lose_data=False)
        away_and_back(world, lose_data=True)


main()
