#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A frequency cap over two gateways on one Redis: whatever is asked of both at once, a number gets as many texts as
it may, and after both were killed and started again none more."""
import threading

import harness
from harness import say
from preflight_test import CONFIG, send
from second import Second

NUMBERS = [f"1202555{n:04d}" for n in range(110, 122)]
CAP, ASKED = 2, 4  # of `capped`; texts that each gateway is asked for


def texts(world):
    """How many went to each."""
    got = [pdu.destination for pdu in world.pdus() if pdu.name == "submit_sm"]
    return [got.count(number) for number in NUMBERS]


def ask(world, cli, times):
    for _ in range(times):
        for number in NUMBERS:
            sent = send(world, "capped", number, *cli)
            assert sent.returncode == 0, sent.stderr


def ask_both(world, second, times):
    """At once; then all has its end."""
    threads = [threading.Thread(target=ask, args=(world, cli, times)) for cli in ([], ["-c", second.file])]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for http_port in (None, second.http_port):
        harness.wait_for("nothing is open", lambda port=http_port: open_messages(world, port) == 0)


def open_messages(world, port):
    if port is None:
        return world.metric("assent_open_messages")
    own, world.http_port = world.http_port, port
    try:
        return world.metric("assent_open_messages")
    finally:
        world.http_port = own


def main():
    with harness.World(config=CONFIG, carrier_options=["--subscribers", "none"]) as world:
        second = Second(world)
        world.record_opt_ins("capped", NUMBERS)
        harness.wait_for("the second takes texts", lambda: second.cli("status", check=False).returncode == 0)
        ask_both(world, second, ASKED)
        assert texts(world) == [CAP] * len(NUMBERS), texts(world)
        say(f"two gateways that are asked for {2 * ASKED} texts a number send {CAP}")

        for process in (world.gateway, second.process):
            process.kill()
        world.start_gateway()
        second.start()
        harness.wait_for("the second is back", lambda: second.cli("status", check=False).returncode == 0)
        ask_both(world, second, 1)
        assert texts(world) == [CAP] * len(NUMBERS), texts(world)
        say("killed and started again, they send no more")


if __name__ == "__main__":
    main()
