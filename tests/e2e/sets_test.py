#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The sets in Redis against the ledger: what a history of imports, opt-outs, consent and replies has left there is
what a check finds in the ledger, what a rebuild makes of it, and what an export gives to another gateway."""
import hashlib
import json
import random
import re
import subprocess
import time

import harness
from harness import say


DATED = [f"+1202555{i:04}" for i in range(201, 206)]
NUMBER = (1 << 50) - 1
SETS = ("optout", "optin", "days")
EVERYTHING = SETS + ("stops",)
CONFIG = harness.CONFIG.replace("    opt_in: single\n", "    opt_in: single\n    consent_max_age: 3000d\n")


def snapshot(world, families=EVERYTHING):
    """Every key of consent with its members, days and times of opt-outs, sorted."""
    readers = {"optout": "SMEMBERS {}", "optin": "SMEMBERS {}", "days": "HGETALL {}",
               "stops": "ZRANGE {} 0 -1 WITHSCORES"}
    keys = [k for k in world.redis_cli("--scan").split() if k.split(":")[0] in families]
    commands = "".join(f"{readers[key.split(':')[0]].format(key)}\nECHO .\n" for key in sorted(keys))
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
    world.cli("consent", "import", "--program", "news", "--kind", "optout",
              put(world, "dated.csv", "number,source,obtained_at\n" +
                  "".join(f"{n},letter,2025-03-0{i + 1}\n" for i, n in enumerate(DATED))))
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


def sides(world):
    """Days and times of opt-outs: changed, lacking and too many. Each is named, and mended by a rebuild."""
    before = snapshot(world)
    assert any(key.startswith("days") for key in before) and any(key.startswith("stops") for key in before)
    week = int(next(key for key in before if key.startswith("stops")).rsplit(":", 1)[1])
    days = [k for k in before if k.startswith("days")]
    stops = [k for k in before if k.startswith("stops")]
    assert len(days) > 1 and len(stops) > 1, (days, stops)
    field, other = world.redis_cli("HKEYS", days[0]).split()[0], world.redis_cli("HKEYS", days[1]).split()[0]
    world.redis_cli("HSET", days[0], field, "20001")  # another day than was given
    world.redis_cli("HDEL", days[1], other)
    stray = int(field) & ((1 << 50) - 1) | 9999 << 50
    world.redis_cli("HSET", days[0], stray, "20002")
    number = world.redis_cli("ZRANGE", stops[0], "0", "0")
    second = world.redis_cli("ZRANGE", stops[1], "0", "0")
    world.redis_cli("ZINCRBY", stops[0], "7", number)
    world.redis_cli("ZREM", stops[1], second)
    nobody = 12025559000 | 9999 << 50
    world.redis_cli("ZADD", f"stops:{{{bucket_of(nobody & NUMBER)}}}:{week}", str(int(time.time() * 1000)), nobody)
    said = check(world, 1, "--numbers")
    lines = [line for line in said.splitlines() if line.startswith(("day of", "time of"))]
    assert len(lines) == 6 and " 6 differences" in said, said
    for pattern in (rf"day of \+{int(field) & ((1 << 50) - 1)} in \S+: \S+ in the ledger, 2024-10-05 in Redis",
                    rf"day of \+{int(other) & ((1 << 50) - 1)} in \S+: \S+ in the ledger, and not in Redis",
                    r"day of \+\d+ in a scope without a name: 2024-10-06 in Redis, and in no ledger",
                    rf"time of the opt-out of \+{int(number) & NUMBER} in .+: .+ in the ledger, .+ in Redis",
                    rf"time of the opt-out of \+{int(second) & NUMBER} in .+: .+ in the ledger, and not in Redis",
                    r"time of the opt-out of \+12025559000 in a scope without a name: .+ in Redis, and in no ledger"):
        assert re.search(pattern, said), (pattern, said)
    assert "12025559000" not in check(world, 1)
    world.cli("consent", "rebuild")
    world.wait_ready()
    assert snapshot(world) == before and " 0 differences" in check(world)
    say("a check names days and times that differ, and a rebuild mends them")


def bucket_of(number):
    """As consent/store_command.h: a hash of 64 bits, and its low bits."""
    return mixed(number) & (65536 - 1)


def mixed(x):
    for _ in range(2):
        x = (x ^ (x >> 32)) * 0xd6e8feb86659fd93 & (1 << 64) - 1
    return x ^ (x >> 32)


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
    for i, number in enumerate(DATED):
        assert re.search(rf"^\{number},letter,,2025-03-0{i + 1}", files["optout", "news"], re.M), files["optout", "news"][:900]
    assert 'ticked ""yes""' in files["optin", "news"], files["optin", "news"][:300]
    mine = snapshot(world, SETS)
    with harness.World(rate=500, config=CONFIG, carrier_options=["--subscribers", "none"]) as other:
        for (kind, program), text in files.items():
            assert text.count("\n") > 5, (kind, program, text)
            options = ["--program", program] if program else []
            other.cli("consent", "import", "--kind", kind, *options, put(other, f"{kind}.csv", text))
        theirs = snapshot(other, SETS)
    digest = [hashlib.sha256(json.dumps(one, sort_keys=True).encode()).hexdigest() for one in (mine, theirs)]
    assert digest[0] == digest[1], set(map(str, mine.items())) ^ set(map(str, theirs.items()))
    say(f"an export of {len(lines)} rows, imported elsewhere, makes the same sets")


def main():
    with harness.World(rate=500, config=CONFIG, carrier_options=["--subscribers", "none"]) as world:
        live(world)
        rebuilds(world)
        broken_off(world)
        differences(world)
        sides(world)
        other_node(world)
        exports(world)
        assert re.search(r"\b0 differences", check(world))


main()
