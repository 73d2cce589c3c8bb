#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Redis is emptied under full load, again and again, and no connection breaks: nothing goes to those who have
opted out, at no moment, and everything else is sent once, when the sets are back. Judged by the carrier's log."""
import random
import threading
import time

import harness
from harness import say

TRANSACTIONAL = 2
FLUSHES = 8
GONE = [f"1202555{n:04d}" for n in range(100, 150)]
HERE = [f"1202555{n:04d}" for n in range(150, 200)]


def load(world, stop, sent):
    """Half of the texts are for those who have left. They need no opt-in: nothing but the opt-out denies them."""
    while not stop.is_set():
        numbers = [random.choice(GONE if i % 2 else HERE) for i in range(500)]
        world.submit(*[("login", TRANSACTIONAL, number, "Your order is on its way") for number in numbers])
        sent.append(sum(number in HERE for number in numbers))
        time.sleep(0.05)


def main():
    rng = random.Random(11)
    with harness.World(rate=5000, window=500, carrier_options=["--subscribers", "none"]) as world:
        leavers = world.folder / "leavers.csv"
        leavers.write_text("number\n" + "".join(f"+{number}\n" for number in GONE))
        world.cli("consent", "import", "--program", "login", "--kind", "optout", leavers)
        stop, sent = threading.Event(), []
        loader = threading.Thread(target=load, args=(world, stop, sent))
        loader.start()
        try:
            for _ in range(FLUSHES):
                time.sleep(0.3 + rng.random())
                assert world.redis_cli("FLUSHALL") == "OK"
        finally:
            stop.set()
            loader.join()

        def written():
            return [pdu.destination for pdu in world.pdus() if pdu.name == "submit_sm"]
        harness.wait_for("everything is sent", lambda: len(written()) >= sum(sent))
        time.sleep(0.3)
        wrong = [number for number in written() if number not in HERE]
        assert not wrong, f"{len(wrong)} texts to those who had opted out"
        assert len(written()) == sum(sent), (len(written()), sum(sent))
        lost = world.metric("assent_store_lost_total")
        assert lost >= FLUSHES - 2, lost  # two may come so close that one connection finds both
        said = world.cli("consent", "check").stdout
        assert " 0 differences" in said, said
        say(f"{FLUSHES} times FLUSHALL under load, found {lost:.0f} times: {sum(sent)} texts sent once, "
            f"{len(sent) * 500 - sum(sent)} to those who had left not at all")


main()
