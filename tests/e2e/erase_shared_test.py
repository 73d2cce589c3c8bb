#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A person is erased by one call at all gateways on a Redis; one that was away does it when it is back; and an older
copy of a data_dir that comes back does it again by itself, before anything is sent; what an older copy of Redis has of
somebody goes too. The opt-out goes on to deny."""
import json
import shutil

import harness
from erase_test import EVIDENCE, PERSON, SECRET, TRANSACTIONAL, erase, members, traces
from harness import say, wait_for
from second import Second

LATE = "12025550131"  # erased while the second gateway is away


def remembers(world, data, number):
    """Files of a gateway that hold anything of the person, and whether Redis does."""
    files = [f for f in data.rglob("*") if f.is_file()]
    places = [str(f) for f in files for trace in traces(number)[:4] if trace in f.read_bytes()]
    return places + members(world, number)


def erasures(gateway):
    """Requests that a gateway has brought to their end."""
    rows = gateway.cli("export", "--kind", "erasure_done", "--format", "jsonl").stdout.splitlines()
    return [json.loads(row)["details"]["request"] for row in rows]


def live(world, gateway, number):
    """At one gateway: a consent, a text, and an opt-out."""
    gateway.cli("consent", "record", "--program", "news", "--source", "web form", "--evidence", EVIDENCE,
                "--obtained-at", "2026-01-02", "+" + number)
    gateway.cli("send", "--wait", "--program", "news", "--to", "+" + number, "--text", SECRET + " Reply STOP to end")
    gateway.cli("send", "--program", "login", "--class", "transactional", "--at", "+1d", "--to", number, "--text", SECRET)


def is_denied(world, number):
    identity = world.submit(("login", TRANSACTIONAL, "+" + number, "Your parcel is here"))[0]
    wait_for("its end", lambda: '"suppressed"' in world.cli("query", "--json", identity).stdout)
    return True


def one_call(world, second):
    for gateway in (world, second):
        live(world, gateway, PERSON)
        live(world, gateway, LATE)
    second.cli("consent", "optout", "--program", "login", "--source", "call", PERSON)
    assert remembers(world, world.data, PERSON) and remembers(world, world.folder / "data2", PERSON)
    assert members(world, PERSON) and members(world, LATE)
    world.gateway.stop()
    shutil.copytree(world.data, world.folder / "copy")
    shutil.copytree(world.folder / "appendonlydir", world.folder / "redis-copy")
    world.start_gateway()
    erase(world, PERSON, "R-17")
    wait_for("the second gateway's erasure", lambda: "R-17" in erasures(second))
    for data in (world.data, world.folder / "data2"):
        left = remembers(world, data, PERSON)
        assert not left, left
    assert is_denied(world, PERSON)
    assert "Nothing was changed" in second.cli("verify").stdout
    say("one call: the person is erased at both gateways, the waiting text is cancelled, the opt-out denies")


def who_was_away(world, second):
    second.process.stop()
    erase(world, LATE, "R-18")
    second.start()
    wait_for("the second gateway's erasure", lambda: "R-18" in erasures(second))
    assert not remembers(world, world.folder / "data2", LATE)
    say("a gateway that was away erases when it is back")


def an_older_copy(world):
    world.gateway.stop()
    shutil.rmtree(world.data)
    shutil.copytree(world.folder / "copy", world.data)
    assert remembers(world, world.data, PERSON) and remembers(world, world.data, LATE)
    world.start_gateway(wait=False)
    wait_for("it erases again", lambda: set(erasures(world)) == {"R-17", "R-18"})
    assert world.metric("assent_gate_open") == 0 and "old copy" in world.cli("status", "--once").stdout
    for number in (PERSON, LATE):
        left = remembers(world, world.data, number)
        assert not left, left
    say("an older copy came back: it sends nothing, and has erased both again")
    world.gateway.stop()
    world.config_file.write_text(world.config_file.read_text().replace("node: test", "node: restored"))
    world.start_gateway()
    left = remembers(world, world.data, PERSON) + remembers(world, world.data, LATE)
    assert not left, left
    assert is_denied(world, PERSON)
    assert "Nothing was changed" in world.cli("verify").stdout
    say("under a new name it goes on; the opt-out denies")


def an_older_redis(world, second):
    """From before both erasures: no gateway knows their numbers, and what it has under them goes."""
    world.redis.stop()
    shutil.rmtree(world.folder / "appendonlydir")
    shutil.copytree(world.folder / "redis-copy", world.folder / "appendonlydir")
    world.start_redis()
    wait_for("both gates open", lambda: all("gate     open" in gateway.cli("status", "--once").stdout
                                            for gateway in (world, second)))
    assert not members(world, PERSON) and not members(world, LATE), members(world, LATE)
    assert is_denied(world, PERSON)
    assert world.cli("consent", "check", check=False).returncode == 0
    say("an older Redis came back: what it had of the erased is gone, and the opt-out denies")


def what_nobody_wrote(world):
    """Found by a check, and gone with a rebuild."""
    bucket = world.redis_cli("zrange", "assent:erased", 0, 0).split()[2]
    world.redis_cli("sadd", f"optin:{{{bucket}}}", int(PERSON))
    assert members(world, PERSON)
    assert world.cli("consent", "check", check=False).returncode != 0
    world.cli("consent", "rebuild", world.folder / "data2")
    wait_for("the gate opens", lambda: world.metric("assent_gate_open") == 1)
    assert not members(world, PERSON)
    assert is_denied(world, PERSON)
    say("what nobody wrote goes with a rebuild; the opt-out denies")


def main():
    with harness.World(start=False, carrier_options=["--subscribers", "none"]) as world:
        world.start_redis()
        world.start_carrier()
        world.start_gateway()
        second = Second(world, "acme2")
        wait_for("the second is live", lambda: world.redis_cli("HGET", "assent:nodes", "second").endswith(" l"))
        one_call(world, second)
        who_was_away(world, second)
        an_older_redis(world, second)
        what_nobody_wrote(world)
        an_older_copy(world)


if __name__ == "__main__":
    main()
