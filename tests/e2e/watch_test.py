#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Watch: from a position, resumed after a disconnect with nothing lost or twice, and a reader who does
not read harms nobody."""
import json
import re
import time

import harness
import wire
from harness import say

OTP = 1
GROWTH_MAX = 60e6  # octets that ten readers who do not read and 10,000 messages may take


def watch(client, start, until=0):
    client.hello()
    client.send(wire.frame(2, wire.WATCH, wire.message((1, start), (2, 1), (3, until))))


def resumes(world):
    """Reads with a new connection every few events while messages are being sent."""
    ids, seen, at = [], [], 1
    for round_number in range(12):
        ids += world.submit(*[("login", OTP, "12025550133", f"code {round_number} {n}") for n in range(20)])
        with world.connect() as client:
            watch(client, at)
            for event in wire.events(client):
                seen.append(event)
                at = event["sequence"] + 1
                if len(seen) % 37 == 0:
                    break
    harness.wait_for("every message has ended", lambda: world.metric("assent_open_messages") == 0)
    with world.connect() as client:
        client.hello()
        end = client.call(2, wire.STATUS)[2][4][0]
    with world.connect() as client:
        watch(client, at, end)
        seen += wire.events(client)
    sequences = [e["sequence"] for e in seen]
    assert sequences == sorted(set(sequences)), "an event came twice or out of order"
    assert sequences == list(range(1, end)), (len(sequences), end)
    accepted = [e["sequence"] for e in seen if "accepted" in e]
    assert accepted == ids, (len(accepted), len(ids))
    say(f"{len(seen)} events over 13 connections: none lost, none twice")


def filters(world):
    """What assent watch shows of two kinds, beside what the export has of them."""
    words = ("--from", "1", "--until", str(int(world.metric("assent_ledger_durable_sequence"))), "--json")
    some = [json.loads(line) for line in world.cli("watch", *words, "--program", "login", "--kind",
                                                    "accepted,sent").stdout.splitlines()]
    every = [json.loads(line) for line in world.cli("watch", *words).stdout.splitlines()]
    assert [e["sequence"] for e in some] == [e["sequence"] for e in every if e["kind"] in ("accepted", "sent")] != []
    refused = world.cli("watch", "--kind", "nonsense", check=False)
    assert refused.returncode == 1 and "a kind is named that no event has" in refused.stderr, refused
    say(f"{len(some)} of {len(every)} events by two kinds of one program")


def sanitizer_share(pid):
    """What a sanitizer's own memory makes of a process's: 1 without one."""
    with open(f"/proc/{pid}/maps") as maps:
        found = re.search("lib([at])san", maps.read())
    return {"a": 3, "t": 5}[found[1]] if found else 1


def sleepy_reader(world):
    """Ten readers ask for everything and then do not read; others must not notice."""
    sleepers = []
    for _ in range(10):
        client = wire.Client(str(world.folder / "assent.sock"))
        watch(client, 1)
        sleepers.append(client)
    before = world.metrics()["process_resident_memory_bytes"]
    slowest = 0
    with world.connect() as client:
        client.hello()
        for call in range(2, 202):
            begin = time.monotonic()
            answer = client.call(call, wire.SUBMIT, wire.submit_request(*[("login", OTP, "12025550134", "c" * 150)] * 50))
            assert answer[1] == wire.SUBMIT_REPLY, answer
            slowest = max(slowest, time.monotonic() - begin)
    harness.wait_for("every message has ended", lambda: world.metric("assent_open_messages") == 0, 60)
    grown = world.metrics()["process_resident_memory_bytes"] - before
    assert slowest < harness.PATIENCE, slowest
    assert grown < GROWTH_MAX * sanitizer_share(world.gateway.pid), grown
    for client in sleepers:
        client.socket.close()
    assert world.gateway.running()
    say(f"10,000 messages beside ten sleepy readers: slowest call {slowest * 1000:.0f} ms, "
        f"{grown / 1e6:.0f} MB more memory")


def main():
    with harness.World(rate=20000, window=1000) as world:
        resumes(world)
        filters(world)
        sleepy_reader(world)


main()
