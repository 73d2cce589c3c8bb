#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Retention by age, through a gateway: it records what goes, reduces it to hashes, also when it is killed meanwhile; every
consent stays and a Redis is made from it again, every proof of what is left holds, and who looks for what is gone is told
so."""
import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import harness
from harness import say, wait_for

MESSAGES = 58_000  # of four records, and an opt-out each fiftieth: three full segments, and a part of the fourth
SEGMENT = 65536
CUT = [first * SEGMENT + 1 for first in range(1, 3)]  # the first one has the ledger's key, which is of today
SEALED = 3  # the gateway ends what has no program any more, which fills the fourth; the two newest are never sealed
RULE = "ledger: {retain: 365d}\n"
VERIFIER = Path(__file__).resolve().parent.parent / "verify.py"


def cuts_of(world):
    """Segments that the ledger's records say are cut, and how many of their records."""
    until = int(world.metric("assent_ledger_durable_sequence")) + 1
    lines = world.cli("watch", "--from", "1", "--until", until, "--kind", "records_cut", "--json").stdout.splitlines()
    events = [json.loads(line)["records_cut"] for line in lines]
    return {int(event["first"]): int(event["records"]) for event in events}


def size_of_old(data):
    return sum((data / "ledger" / f"{first:020}.sealed").stat().st_size for first in CUT)


def verified(world):
    said = world.cli("verify", check=False).stdout
    assert "Nothing was changed" in said, said
    return said


def proofs_hold(world, key, *proofs):
    for at, proof in enumerate(proofs):
        file = world.folder / f"proof-{at}"
        file.write_text(proof)
        said = subprocess.run([sys.executable, VERIFIER, "--key", key, file], capture_output=True, text=True, timeout=60,
                              check=False)
        assert said.returncode == 0 and "holds" in said.stdout, said.stdout


def denied(world):
    """How many opt-outs Redis has."""
    keys = world.redis_cli("--scan", "--pattern", "optout:*").split()
    return sum(int(world.redis_cli("SCARD", key)) for key in keys)


def is_cut(world):
    return sorted(int(f.stem) for f in (world.folder / "data" / "ledger").glob("*.sealed")
                  if f.read_bytes()[15] & 2)  # the head's flag


def prepare(world):
    """An old ledger, sealed, known to Redis, and a snapshot that covers it."""
    data = world.folder / "data"
    subprocess.run([harness.BUILD / "ledger-bench", data, str(MESSAGES), "append", "400"], check=True, timeout=300,
                   stdout=subprocess.PIPE)
    world.start_redis()
    world.start_carrier()
    world.start_gateway()
    wait_for("sealed segments", lambda: len(list((data / "ledger").glob("*.sealed"))) == SEALED, 100)
    opt_outs = denied(world)
    assert opt_outs > 1000
    assert is_cut(world) == []
    world.gateway.stop()
    return opt_outs


def killed_meanwhile(world):
    """The gateway, and with it or without it the process that cuts, killed at any moment."""
    world.config_file.write_text(world.config_text + RULE)
    for after in (0.02, 0.4, 0.8):
        world.start_gateway(wait=False)
        time.sleep(after)
        world.gateway.kill()
        verified(world)
    say("killed before, while and after records are cut: nothing is missing but what is recorded")


def main():
    with harness.World(start=False) as world:
        data = world.folder / "data"
        opt_outs = prepare(world)
        before = size_of_old(data)
        newest = world.newest_checkpoint()
        kept = shutil.copy(newest, world.folder / "kept.note")
        text, stop = 80402, 80406  # records of message 20,000 and of its recipient's opt-out
        number = "+" + str(json.loads(world.cli("trace", "--json", f"#{text}").stdout.splitlines()[0])["personal"]["number"])
        assert "opted_out" in world.cli("prove", stop).stdout
        killed_meanwhile(world)

        world.start_gateway()
        wait_for("the old segments are cut", lambda: is_cut(world) == CUT, 100)
        cuts = cuts_of(world)
        assert sorted(cuts) == CUT and all(SEGMENT * 0.95 < cuts[first] < SEGMENT for first in CUT), cuts
        world.await_checkpoint()
        said = verified(world)
        assert f"records of {len(CUT)} segments, by retention" in said, said
        after = size_of_old(data)
        assert after < before / 5, (before, after)
        say(f"{len(CUT)} segments of {before >> 10} KiB have {after >> 10} KiB of consent and hashes left, and verify")

        watched = world.cli("watch", "--from", text - 1, "--until", stop + 3, "--json").stdout
        assert [json.loads(line)["sequence"] for line in watched.splitlines()] == [stop], watched
        key = world.cli("key", "show").stdout.strip()
        proofs_hold(world, key, world.cli("prove", stop).stdout, world.cli("prove", stop, "--personal").stdout,
                    world.cli("prove", "--from", kept).stdout)
        refused = world.cli("prove", text, check=False)
        assert refused.returncode != 0 and "existed; reduced to its hash by retention" in refused.stderr, refused.stderr
        assert "365d" in refused.stderr, refused.stderr
        say("what is left is proved, from before too; of what is gone it is said that it was there")

        for command in (("trace", f"#{text}"), ("diagnose", f"#{text}"), ("trace", "--is-text", "hello", f"#{text}")):
            told = world.cli(*command, check=False)
            assert told.returncode != 0 and "by retention" in told.stderr, (command, told.stderr)
        told = world.cli("trace", number, check=False)
        assert "consent alone" in told.stderr, told.stderr
        told = world.cli("export", "--number", number)
        assert "consent alone" in told.stderr, told.stderr
        case = world.folder / "case.zip"
        world.cli("export", "--case", number, "-o", case)
        say("trace, diagnose, export and a case say why texts are not there")

        world.gateway.stop()
        for snapshot in (data / "snapshots").glob("*"):
            snapshot.unlink()
        world.redis_cli("FLUSHALL")
        world.start_gateway()
        wait_for("the opt-outs in Redis", lambda: denied(world) == opt_outs, 100)
        say(f"{opt_outs} opt-outs are in an empty Redis again, without a snapshot too")
        world.cli("consent", "rebuild")
        assert denied(world) == opt_outs
        assert world.cli("consent", "check", check=False).returncode == 0
        world.gateway.stop()
        verified(world)
        say("a rebuild finds every one, and a check nothing that differs")


if __name__ == "__main__":
    main()
