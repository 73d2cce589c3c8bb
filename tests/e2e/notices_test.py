#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Two gateways on one Redis: what is scheduled at one is cancelled when the STOP comes at the other; a STOP that the
carrier delivers to both, since the first does not answer, is confirmed once."""
import json
import signal
import time

import harness
from harness import say
from second import Second

MARKETING = 3
PATIENT = "12025550160"
LEAVERS = [f"1202555{n:04d}" for n in range(170, 200)]
TEXT = "Herald [1] Reply STOP to end"


def ends(second, number):
    lines = second.cli("trace", "--json", number, check=False).stdout.splitlines()
    return [e["ended"] for e in map(json.loads, lines) if "ended" in e]


def scheduled_at_the_other(world, second):
    world.record_opt_ins("news", [PATIENT])
    second.cli("send", "--program", "news", "--class", "marketing", "--at", "+1d", "--to", PATIENT, "--text", TEXT)
    time.sleep(0.5)
    assert not ends(second, PATIENT)
    stopped = time.monotonic()
    world.cli("consent", "optout", "--program", "news", PATIENT)
    harness.wait_for("the other cancels", lambda: ends(second, PATIENT))
    took = time.monotonic() - stopped
    ended = ends(second, PATIENT)
    assert len(ended) == 1 and ended[0]["node"] == "test" and ended[0]["reason"] == "stop_cancelled", ended
    assert "of test)" in second.cli("trace", PATIENT, check=False).stdout
    assert not [e for e in map(json.loads, second.cli("trace", "--json", PATIENT, check=False).stdout.splitlines())
                if "opted_out" in e]
    say(f"a text for tomorrow at the second gateway is cancelled {took:.2f} s after the STOP at the first")


def confirmations(world):
    """For each leaver, how many texts that are not the campaign's."""
    texts = [p for p in world.pdus() if p.name == "submit_sm" and "[1]" not in p.text]
    return {n: sum(p.destination == n for p in texts) for n in LEAVERS}


def opted_out(cli, number):
    lines = cli("trace", "--json", number, check=False).stdout.splitlines()
    return any("opted_out" in json.loads(line) for line in lines)


def delivered_to_both(world, second):
    """The replies come while the first gateway stands still: it reads them only after the carrier has given
    them to the second."""
    world.record_opt_ins("news", LEAVERS)
    world.submit(*[("news", MARKETING, n, TEXT) for n in LEAVERS])
    harness.wait_for("the campaign is out", lambda: sum("[1]" in p.text for p in world.pdus()
                                                         if p.name == "submit_sm") == len(LEAVERS))
    world.gateway.signal(signal.SIGSTOP)
    time.sleep(7)
    world.gateway.signal(signal.SIGCONT)
    harness.wait_for("all are confirmed", lambda: all(confirmations(world).values()))
    time.sleep(2)
    twice = [n for n in LEAVERS if opted_out(world.cli, n) and opted_out(second.cli, n)]
    assert twice, "no STOP came to both"
    counts = confirmations(world)
    assert set(counts.values()) == {1}, counts
    say(f"{len(twice)} STOPs of {len(LEAVERS)} came to both gateways: one confirmation each")


def main():
    with harness.World(start=False) as world:
        people = world.folder / "people"
        people.write_text("".join(f"+{n} stop=1\n" for n in LEAVERS))
        world.start_redis()
        world.start_carrier("--subscribers", people, "--reply-delay", "2s:0s", "--deliver-window", "5",
                            "--deliver-timeout", "1500ms", "--redeliver-after", "200ms")
        world.start_gateway()
        second = Second(world)
        harness.wait_for("the second is live",
                         lambda: world.redis_cli("HGET", "assent:nodes", "second").endswith(" l"))
        time.sleep(1.5)  # the first gateway's look
        scheduled_at_the_other(world, second)
        delivered_to_both(world, second)


main()
