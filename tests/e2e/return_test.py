#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""People who leave and come back: START after the confirmation of a STOP, and STOPALL, which ends
every program of every brand."""
import harness
from harness import say

TRANSACTIONAL, MARKETING = 2, 3
STAYS, LEAVES, RETURNS, LEAVES_ALL = (f"1202555010{n}" for n in range(4))
SUBSCRIBERS = f"+{LEAVES} stop=1\n+{RETURNS} stop=1 start=1\n+{LEAVES_ALL} stopall=1\n"
EVERYBODY = [STAYS, LEAVES, RETURNS, LEAVES_ALL]


def reached(world, mark):
    harness.wait_for("all is quiet", lambda: world.metric("assent_open_messages") == 0)
    return {p.destination for p in world.pdus() if p.name == "submit_sm" and mark in p.text}


def main():
    with harness.World(start=False) as world:
        people = world.folder / "people.txt"
        people.write_text(SUBSCRIBERS)
        world.carrier_options += ["--subscribers", people, "--reply-delay", "50ms"]
        world.start_redis()
        world.start_carrier()
        world.start_gateway()
        world.record_opt_ins("news", EVERYBODY)
        world.submit(*[("news", MARKETING, n, "[first] Reply STOP to end") for n in EVERYBODY])
        harness.wait_for("three left", lambda: world.metric("assent_opt_outs_total") == 3)
        harness.wait_for("one came back", lambda: world.metric("assent_opt_ins_again_total") == 1)
        assert reached(world, "[first]") == set(EVERYBODY)
        say("three said STOP or STOPALL, and one of them START when it was confirmed")
        world.submit(*[("news", MARKETING, n, "[second] Reply STOP to end") for n in EVERYBODY])
        assert reached(world, "[second]") == {STAYS, RETURNS}
        world.submit(*[("login", TRANSACTIONAL, n, "[order] is on its way") for n in EVERYBODY])
        assert reached(world, "[order]") == {STAYS, LEAVES, RETURNS}
        say("START brings the next campaign; after STOPALL nothing comes, not even from another brand")
        report = world.carrier_report()
        assert report["subscribers"]["stopall"] == 1 and report["subscribers"]["start"] == 1, report
        assert report["stops"]["answered"] == 3 and report["stops"]["confirmations"] == 3, report["stops"]
        assert report["stops"]["after_stop"] == 0, report["stops"]


main()
