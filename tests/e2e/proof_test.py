#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The record that cannot be bent, as an outsider meets it: assent verify, prove and key over the ledger of a gateway
that ran, and tests/verify.py, which has none of our code, as the judge of the proofs."""
import json
import shutil
import subprocess
import sys
from pathlib import Path

import harness
from harness import say, wait_for

JUDGE = Path(__file__).resolve().parent.parent / "verify.py"
MARKETING = 3
OPTED_IN = [f"+1202555{n:04}" for n in range(100, 130)]


def judge(world, key, proof, name="proof.json"):
    """What tests/verify.py says of a proof: exit code, line."""
    file = world.folder / name
    file.write_text(proof if isinstance(proof, str) else json.dumps(proof))
    result = subprocess.run([sys.executable, str(JUDGE), "--key", key, str(file)], capture_output=True, text=True,
                            timeout=60, check=False)
    return result.returncode, result.stdout


def verify(world, *options, code=0):
    result = world.cli("verify", *options, check=False)
    assert result.returncode == code, result
    return result.stdout


def send_some(world, count):
    world.submit(*(("news", MARKETING, number, f"Herald: news {i}. Reply STOP to end")
                   for i, number in enumerate(OPTED_IN[:count])))


def a_witness_keeps_what_was_signed(world):
    kept = world.folder / "witness"
    wait_for("the witness to have the newest checkpoint",
             lambda: world.metric("assent_ledger_witnessed_sequence") >= world.metric("assent_ledger_sequence") and
             kept.exists() and world.newest_checkpoint().read_text() in kept.read_text())
    assert "Nothing was changed" in verify(world, "--checkpoints", str(kept))
    # One that is away is told of, and holds up nothing.
    world.config_file.write_text(world.config_text.replace(f'file: "{kept}"', 'command: "exit 3"'))
    world.gateway.signal(1)
    wait_for("the new configuration", lambda: "exit code 3" in world.gateway.output() or send_some(world, 1))
    assert world.metric("assent_ledger_witness_failures_total") >= 1
    world.config_file.write_text(world.config_text)
    world.gateway.signal(1)
    say("a witness has each checkpoint, and may be away")


def a_running_gateway_is_verified(world, key):
    report = verify(world)
    assert "Nothing was changed" in report and key in report, report
    assert "Nothing was changed" in verify(world, "--key", key)
    say("verify: nothing wrong while the gateway runs")


def records_are_proven(world, key):
    size = int(world.newest_checkpoint().stem)
    for sequence in sorted({1, 2, size // 2, size - 1, size}):
        proof = json.loads(world.cli("prove", str(sequence)).stdout)
        code, line = judge(world, key, proof)
        assert code == 0 and f"record {sequence} is in the ledger" in line, line
    proof = next(p for p in (json.loads(world.cli("prove", "--personal", str(n)).stdout) for n in range(1, size))
                 if "personal" in p)
    assert judge(world, key, proof)[0] == 0 and "with this personal part" in judge(world, key, proof)[1]
    for member, wrong in (("entry", proof["entry"][:-8] + "AAAAAAA="), ("leaf_index", proof["leaf_index"] + 1),
                          ("nodes", proof["nodes"][:-1]), ("personal", proof["salt"]),
                          ("checkpoint", proof["checkpoint"].replace("assent/", "Assent/"))):
        code, line = judge(world, key, {**proof, member: wrong})
        assert code == 1 and "DOES NOT HOLD" in line, (member, line)
    result = world.cli("prove", "999999", check=False)
    assert result.returncode == 1 and "covers records 1 to" in result.stderr, result
    say("prove: five records hold for an outsider, and none that was changed")


def growth_is_proven(world, key):
    old = world.folder / "old.note"
    shutil.copy(world.newest_checkpoint(), old)
    send_some(world, 20)
    world.await_checkpoint()
    proof = json.loads(world.cli("prove", "--from", str(old)).stdout)
    code, line = judge(world, key, proof)
    assert code == 0 and "begins with" in line, line
    assert judge(world, key, {**proof, "nodes": proof["nodes"][1:]})[0] == 1
    assert "Nothing was changed" in verify(world, "--checkpoints", str(old))
    say("prove --from: the ledger has only grown")


def a_new_key_takes_over(world, old_key):
    refused = world.cli("key", "rotate", check=False)
    assert refused.returncode == 1 and "in use by process" in refused.stderr, refused
    world.gateway.stop()
    new_key = world.cli("key", "rotate").stdout.strip()
    assert new_key != old_key and world.cli("key", "show").stdout.strip() == new_key
    assert "BEGIN PUBLIC KEY" in world.cli("key", "show", "--pem").stdout
    world.start_gateway()
    send_some(world, 3)
    world.await_checkpoint()
    for key in (old_key, new_key):
        assert "Nothing was changed" in verify(world, "--key", key)
    assert judge(world, new_key, world.cli("prove", "1").stdout)[0] == 0
    assert judge(world, old_key, world.cli("prove", "1").stdout)[0] == 1
    say("key rotate: who knew the old key trusts the new one")
    return new_key


def what_was_bent_is_found(world, key):
    world.gateway.stop()
    segment = next((world.folder / "data" / "ledger").glob("*.seg"))
    sound = segment.read_bytes()
    length = len(sound.rstrip(b"\0"))
    for at in (100, length // 2, length - 10):
        segment.write_bytes(sound[:at] + bytes([sound[at] ^ 4]) + sound[at + 1:])
        assert "WRONG" in verify(world, code=1)
    segment.write_bytes(sound[:length - 600])
    assert "were cut off" in verify(world, code=1)
    world.start_gateway(wait=False)
    assert world.gateway.wait() == 1
    assert "its checkpoint covers" in world.gateway.output(), world.gateway.output()
    segment.write_bytes(sound)
    wrong = key[:-4] + ("AAAA" if key[-4:] != "AAAA" else "BBBB")
    assert world.cli("verify", "--key", wrong, check=False).returncode == 2
    assert "Nothing was changed" in verify(world)
    say("a changed octet and a cut end are found; a gateway does not start on a cut ledger")


def main():
    with harness.World(config=harness.CONFIG + 'witness: {{file: "{folder}/witness"}}\n') as world:
        world.record_opt_ins("news", OPTED_IN)
        send_some(world, 10)
        world.await_checkpoint()
        key = world.cli("key", "show").stdout.strip()
        a_witness_keeps_what_was_signed(world)
        a_running_gateway_is_verified(world, key)
        records_are_proven(world, key)
        growth_is_proven(world, key)
        key = a_new_key_takes_over(world, key)
        what_was_bent_is_found(world, key)


if __name__ == "__main__":
    main()
