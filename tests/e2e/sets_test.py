#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The sets in Redis against the ledger: what a history of imports, opt-outs, consent and replies has left there is
what a check finds in the ledger, what a rebuild makes of it, and what an export gives to another gateway."""
import hashlib
import json
import random
import re
import subprocess

import harness
from harness import say


def snapshot(world):
    """Every key of consent with its members, sorted; and where each gateway stands."""
    keys = [k for k in world.redis_cli("--scan").split() if k.split(":")[0] in ("optout", "optin", "days")]
    commands = "".join(f"{'HGETALL' if key.startswith('days') else 'SMEMBERS'} {key}\nECHO .\n" for key in sorted(keys))
    said = subprocess.run(["redis-cli", "-s", str(world.folder / "redis.sock")], capture_output=True, text=True,
                          input=commands, timeout=60).stdout
    members = [sorted(part.split()) for part in said.split("\n.\n")]
    return dict(zip(sorted(keys), members))


def check(world, code=0, *options):
    result = world.cli("consent", "check", *options, check=False)
    assert result.returncode == code, result
    return result.stdout


def put(world, name, text):
    file = world.folder / name
    file.write_text(text)
    return file


def live(world):
    """What people and files do, at random from one seed."""
    rng = random.Random(7)
    numbers = [f"+1202555{i:04}" for i in range(100, 200)]
    for i in range(6):
        rows = rng.sample(numbers, 30)
        world.cli("consent", "import", "--program", rng.choice(["news", "offers"]), "--kind", "optout",
                  put(world, f"out{i}.csv", "number,source\n" + "".join(f"{n},list {i}\n" for n in rows)))
        rows = rng.sample(numbers, 30)
        world.cli("consent", "import", "--program", "news", "--kind", "optin",
                  put(world, f"in{i}.csv", "number,source,evidence,obtained_at\n" +
                      "".join(f'{n},form,"ticked ""yes"", {i}",2026-01-0{i + 1}\n' for n in rows)))
        for number in rng.sample(numbers, 3):
            world.cli("consent", "optout", "--program", "news", number)
    world.cli("consent", "import", "--kind", "do-not-call", put(world, "dnc.csv", "number\n" + "\n".join(numbers[:20])))
    world.cli("consent", "import", "--kind", "reassigned",
              put(world, "moved.csv", "number,date\n" + "".join(f"{n},2026-02-03\n" for n in numbers[20:30])))


def rebuilds(world):
    before = snapshot(world)
    assert sum(map(len, before.values())) > 200 and " 0 differences" in check(world), before
    world.cli("consent", "rebuild")
    world.wait_ready()
    assert snapshot(world) == before
    say("a rebuild in place, the gateway running, leaves every member as it was")
    world.gateway.stop()
    world.redis_cli("FLUSHALL")
    assert " 0 differences" not in check(world, 1)
    world.cli("consent", "rebuild")
    assert snapshot(world) == before
    world.start_gateway()
    world.wait_ready()
    assert " 0 differences" in check(world)
    say("a rebuild into an empty Redis, the gateway stopped, makes the same sets")


def broken_off(world):
    """As a rebuild that was killed leaves it: the gateway sends nothing, and says what to do."""
    world.redis_cli("SET", "assent:rebuilding", "1")
    world.redis_cli("CLIENT", "KILL", "TYPE", "normal")
    harness.wait_for("the gate is closed", lambda: "being rebuilt" in world.cli("status").stdout)
    world.cli("consent", "rebuild")
    harness.wait_for("the gate is open", lambda: "being rebuilt" not in world.cli("status").stdout)
    say("a rebuild that was broken off holds every send until it has been done")


def differences(world):
    """One member too few, one too many: named, with two digits or whole; a rebuild mends both."""
    before = snapshot(world)
    key = next(k for k in before if k.startswith("optout") and before[k])
    gone = before[key][0]
    world.redis_cli("SREM", key, gone)
    stray_key = next(k for k in before if k.startswith("optin"))
    stray = int(before[stray_key][0]) & ((1 << 50) - 1) | 9999 << 50  # the same number, so the same bucket
    world.redis_cli("SADD", stray_key, stray)
    said = check(world, 1)
    assert "in the ledger, and not in Redis" in said and "in Redis, and in no ledger" in said, said
    assert " 2 differences" in said, said
    assert str(int(gone) & ((1 << 50) - 1)) not in said, said
    assert f"+{int(gone) & ((1 << 50) - 1)}" in check(world, 1, "--numbers")
    world.cli("consent", "rebuild")
    world.wait_ready()
    assert snapshot(world) == before and " 0 differences" in check(world)
    say("a check names what differs, and a rebuild mends it")


def other_node(world):
    """What another gateway has written cannot be made again without its ledger."""
    world.redis_cli("HSET", "assent:applied", "gw9", "5")
    result = world.cli("consent", "rebuild", check=False)
    assert result.returncode == 1 and "gw9" in result.stderr, result
    world.redis_cli("HDEL", "assent:applied", "gw9")
    say("a rebuild without another gateway's ledger is refused, by its name")


def exports(world):
    """Taken over by a gateway that knows nobody."""
    files = {}
    for kind, program in (("optout", "news"), ("optout", "offers"), ("optin", "news"), ("do-not-call", None),
                          ("reassigned", None)):
        options = ["--program", program] if program else []
        files[kind, program] = world.cli("consent", "export", "--kind", kind, *options).stdout
    lines = world.cli("consent", "export", "--json").stdout.splitlines()
    states = [json.loads(line)["state"] for line in lines]
    assert {"opted_out", "single"} == set(states), set(states)
    assert 'ticked ""yes""' in files["optin", "news"], files["optin", "news"][:300]
    mine = snapshot(world)
    with harness.World(rate=500, carrier_options=["--subscribers", "none"]) as other:
        for (kind, program), text in files.items():
            assert text.count("\n") > 5, (kind, program, text)
            options = ["--program", program] if program else []
            other.cli("consent", "import", "--kind", kind, *options, put(other, f"{kind}.csv", text))
        theirs = snapshot(other)
    digest = [hashlib.sha256(json.dumps(one, sort_keys=True).encode()).hexdigest() for one in (mine, theirs)]
    assert digest[0] == digest[1], set(map(str, mine.items())) ^ set(map(str, theirs.items()))
    say(f"an export of {len(lines)} rows, imported elsewhere, makes the same sets")


def main():
    with harness.World(rate=500, carrier_options=["--subscribers", "none"]) as world:
        live(world)
        rebuilds(world)
        broken_off(world)
        differences(world)
        other_node(world)
        exports(world)
        assert re.search(r"\b0 differences", check(world))


main()
