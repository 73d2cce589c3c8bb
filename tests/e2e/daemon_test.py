#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The daemon's life: a second one on the same data directory is refused; SIGTERM under load drains,
unbinds and ends with 0 within ten seconds, and what was accepted goes on after the next start."""
import signal
import subprocess
import threading
import time

import harness
import wire
from harness import say

MARKETING = 3


def second_is_refused(world):
    before = world.http("/healthz")
    result = subprocess.run([harness.BUILD / "assentd", "-c", world.config_file], capture_output=True,
                            text=True, timeout=harness.PATIENCE)
    assert result.returncode not in (0, -6, -11), result
    assert str(world.data) in result.stderr or "another" in result.stderr, result.stderr
    assert before is not None and world.http("/healthz") is not None
    say("a second assentd on the same data directory is refused")


def feed(world, numbers, accepted, stop):
    """Submits until the gateway says no or goes away."""
    with world.connect() as client:
        client.hello()
        for call in range(2, 100000):
            if stop.is_set():
                return
            batch = [("news", MARKETING, n, f"news {call}") for n in numbers]
            try:
                answer = client.call(call, wire.SUBMIT, wire.submit_request(*batch))
            except OSError:
                return
            if answer is None or answer[1] != wire.SUBMIT_REPLY:
                return
            verdicts = [wire.parse(verdict) for verdict in answer[2][1]]
            accepted += [v[2][0] for v in verdicts if 1 not in v]
            if any(1 in v for v in verdicts):
                return


def drains_under_load(world):
    numbers = [f"1202555{n:04d}" for n in range(100, 200)]
    world.record_opt_ins("news", numbers)
    accepted, stop = [], threading.Event()
    feeder = threading.Thread(target=feed, args=(world, numbers, accepted, stop), daemon=True)
    feeder.start()
    harness.wait_for("2,000 messages are accepted", lambda: len(accepted) >= 2000)
    begin = time.monotonic()
    world.gateway.signal(signal.SIGTERM)
    status = world.gateway.wait(60)
    took = time.monotonic() - begin
    stop.set()
    feeder.join(10)
    assert status == 0, status
    say(f"SIGTERM under load: exit 0 after {took:.1f} s, {len(accepted)} accepted until then")
    unbinds = [p for p in world.pdus() if p.name == "unbind"]
    assert unbinds, "no unbind at the carrier"
    return accepted


def goes_on(world, accepted):
    world.start_gateway()
    with world.connect() as client:
        client.hello()
        for at in range(0, len(accepted), 1000):
            ids = accepted[at:at + 1000]
            answer = client.call(2 + at, wire.QUERY, wire.message(*[(1, i) for i in ids]))
            assert answer[1] == wire.QUERY_REPLY, answer
            assert len(answer[2][1]) == len(ids)
    # What has ended may be forgotten by Query; the ledger has it all.
    known = {e["sequence"] for e in world.events() if "accepted" in e}
    assert set(accepted) <= known, len(set(accepted) - known)
    say("after the next start every accepted message is there")


def main():
    with harness.World(rate=2000) as world:
        second_is_refused(world)
        goes_on(world, drains_under_load(world))


main()
