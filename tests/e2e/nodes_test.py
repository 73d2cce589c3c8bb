#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Two gateways on one Redis: an opt-out at one denies at the other; a Redis that comes back empty is trusted by
neither before both have written what they know; a gateway that is gone is waited for until an operator says
so; one that ended in good order and lost nothing is not."""
import shutil
import signal
import time

import harness
import redis_ways
from harness import say
from second import Second

MARKETING = 3
NAMES_MAX = 32  # NODES_LOOK_MAX
STAYS = [f"1202555{n:04d}" for n in range(110, 130)]


def submitted(world, tag):
    return [p for p in world.pdus() if p.name == "submit_sm" and tag in p.text]


def send(world, tag, leavers):
    world.submit(*[("news", MARKETING, n, f"Herald {tag} Reply STOP to end") for n in STAYS + leavers])


def all_but(world, tag, leavers):
    harness.wait_for(f"{tag} is sent", lambda: len(submitted(world, tag)) >= len(STAYS))
    time.sleep(0.5)
    got = [p.destination for p in submitted(world, tag)]
    assert sorted(got) == sorted(STAYS) and not set(got) & set(leavers), got


def gate(world, value):
    return world.metric("assent_gate_open") == value


def empty(redis):
    redis.kill()
    shutil.rmtree(redis.files())
    redis.start()


def one_denies_at_the_other(world, second):
    leaver = "12025550201"
    world.record_opt_ins("news", [leaver])
    second.cli("consent", "optout", "--program", "news", leaver)
    send(world, "[1]", [leaver])
    all_but(world, "[1]", [leaver])
    say("an opt-out at the second gateway denies at the first")
    return leaver


def both_are_waited_for(world, second, redis, leaver):
    second.process.signal(signal.SIGSTOP)
    empty(redis)
    harness.wait_for("the gate is shut and says for whom",
                     lambda: "opt-outs of second may be missing" in world.cli("status").stdout)
    send(world, "[2]", [leaver])
    time.sleep(3)
    assert gate(world, 0) and not submitted(world, "[2]")
    second.process.signal(signal.SIGCONT)
    back = time.monotonic()
    harness.wait_for("the gate opens", lambda: gate(world, 1), pause=0.02)
    say(f"Redis came back empty: nothing was sent until the second gateway was back, then at once "
        f"({time.monotonic() - back:.2f} s)")
    all_but(world, "[2]", [leaver])


def who_is_gone_is_forgotten(world, second, redis):
    second.process.kill()
    empty(redis)
    harness.wait_for("the gate is shut and says for whom",
                     lambda: "opt-outs of second may be missing" in world.cli("status").stdout)
    send(world, "[3]", [])
    time.sleep(6)
    assert gate(world, 0) and not submitted(world, "[3]")
    assert world.cli("consent", "forget-node", "nobody", check=False).returncode != 0
    assert world.cli("consent", "forget-node", "test", check=False).returncode != 0
    world.cli("consent", "forget-node", "second")
    harness.wait_for("the gate opens", lambda: gate(world, 1))
    all_but(world, "[3]", [])
    say("a gateway that was killed is waited for until an operator forgets it")


def who_ended_well_is_not_waited_for(world, second, redis):
    second.start()
    harness.wait_for("the second is back", lambda: redis.say("HGET", "assent:nodes", "second").endswith(" l"))
    time.sleep(1.5)
    assert second.process.stop() == 0
    assert redis.say("HGET", "assent:nodes", "second").endswith(" o")
    time.sleep(1.5)  # the first gateway's look
    redis.kill()
    redis.start()
    harness.wait_for("the gate opens", lambda: gate(world, 1))
    send(world, "[4]", [])
    all_but(world, "[4]", [])
    say("one that ended in good order, and whose writes are all there, is not")


def a_rebuild_does_without_who_is_forgotten(world, second, redis):
    """Which has written into Redis, and whose data_dir may be lost with it."""
    second.start()
    harness.wait_for("the second is back", lambda: gate(world, 1))
    second.process.kill()
    asked = world.cli("consent", "rebuild", check=False)
    assert asked.returncode != 0 and "second has written into this Redis too" in asked.stderr, asked.stderr
    harness.wait_for("it is still for long enough to be forgotten",
                     lambda: world.cli("consent", "forget-node", "second", check=False).returncode == 0)
    harness.wait_for("Redis says so", lambda: redis.say("HGET", "assent:nodes", "second").endswith(" g"))
    world.gateway.stop()
    rebuilt = world.cli("consent", "rebuild")
    say(f"who is forgotten is not asked for by a rebuild: {rebuilt.stdout.splitlines()[-1]}")
    others = [f"other{i}" for i in range(NAMES_MAX + 1 - int(redis.say("HLEN", "assent:applied")))]
    redis.say("HSET", "assent:applied", *(word for name in others for word in (name, "1 x")))
    asked = world.cli("consent", "rebuild", check=False)
    assert asked.returncode != 0 and "more gateways have written into Redis than can be" in asked.stderr, asked.stderr
    redis.say("HDEL", "assent:applied", others[0])
    asked = world.cli("consent", "rebuild", check=False)
    assert asked.returncode != 0 and "other1" in asked.stderr, asked.stderr
    say(f"{NAMES_MAX} names in Redis are looked at, and one more is refused")


def main():
    with harness.World(start=False, carrier_options=["--subscribers", "none"]) as world:
        redis = redis_ways.Redis(world, "redis0")
        redis.start()
        redis.use()
        world.start_carrier()
        world.start_gateway()
        second = Second(world)
        harness.wait_for("the second is live", lambda: redis.say("HGET", "assent:nodes", "second").endswith(" l"))
        world.record_opt_ins("news", STAYS)
        leaver = one_denies_at_the_other(world, second)
        both_are_waited_for(world, second, redis, leaver)
        who_is_gone_is_forgotten(world, second, redis)
        who_ended_well_is_not_waited_for(world, second, redis)
        a_rebuild_does_without_who_is_forgotten(world, second, redis)


main()
