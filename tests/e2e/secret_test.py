#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Texts that are not kept. A code stands in no file in clear, survives kill -9 until it is sent, and then is nowhere:
not in the gateway's memory, not in its files, and its key is gone. A hashed text can be compared and not read. A lost
key ends what waited for it, and assentd says so."""
import array
import json
import os
import re

import harness
import wire
from harness import say

OTP, MARKETING = 1, 3
SPARES = 3
NUMBER = "12025550177"
CONFIG = harness.CONFIG.replace("stop_reach: program", "stop_reach: program\n    texts: hashed")


PAGE = os.sysconf("SC_PAGE_SIZE")
THERE = 3 << 62  # in memory or swapped out
SHADOW = 1 << 40  # octets; only what a sanitizer keeps about memory is that large, and no text is in it


def pages_of(pid, start, end):
    """Runs of pages that have ever been written to, of which there are few in what was only set aside."""
    with open(f"/proc/{pid}/pagemap", "rb", buffering=0) as pagemap:
        entries = array.array("Q")
        entries.frombytes(os.pread(pagemap.fileno(), (end - start) // PAGE * 8, start // PAGE * 8))
    begin = None
    for at, entry in enumerate(list(entries) + [0]):
        if entry & THERE and begin is None:
            begin = at
        elif not entry & THERE and begin is not None:
            yield start + begin * PAGE, (at - begin) * PAGE
            begin = None


def memory_of(pid):
    """Every octet that the process can write to, run by run."""
    with open(f"/proc/{pid}/maps") as maps, open(f"/proc/{pid}/mem", "rb", buffering=0) as memory:
        for line in maps:
            place, rights = line.split()[:2]
            if "w" not in rights or "[v" in line:
                continue
            start, end = (int(part, 16) for part in place.split("-"))
            if end - start >= SHADOW:
                continue
            for run, length in pages_of(pid, start, end):
                memory.seek(run)
                yield memory.read(length)


# Codes here are runs of eight digits: as they are, and in two octets a character.
RUNS = [(re.compile(rb"[0-9]{8,}"), "ascii"), (re.compile(rb"[0-9](?:\0[0-9]){7,}"), "latin-1")]


def among(pieces, codes):
    runs = {run.decode(encoding).replace("\0", "") for piece in pieces for pattern, encoding in RUNS
            for run in pattern.findall(piece)}
    every = " ".join(runs)
    return [code for code in codes if code in every]


def in_memory(world, codes):
    """Which of them are, in any form; None where this test may not look."""
    try:
        return among(memory_of(world.gateway.pid), codes)
    except PermissionError:
        return None


def files(world):
    return [path.read_bytes() for path in world.data.rglob("*") if path.is_file()]


def in_files(world, codes):
    return among(files(world), codes)


def keys(world):
    """Of the file's sectors, those that hold one."""
    octets = (world.data / "text.keys").read_bytes()
    found = {octets[at + 16:at + 48] for at in range(0, len(octets), 512)}
    return found - {bytes(32)}


def sent(world, code):
    return [p for p in world.pdus() if p.name == "submit_sm" and code in p.text]


def ended(world, message):
    return [e for e in world.events() if e["message"] == message and ("ended" in e or 6 in e.get("receipt", {}))]


def text_of(code):
    return f"Your Acme Bank code is {code}"


def a_code_survives_and_then_is_nowhere(world):
    code = "73910442"
    message, = world.submit(("login", OTP, NUMBER, text_of(code)))
    assert not in_files(world, [code]), "a code that waits stands in a file"
    control = in_memory(world, [code])
    assert control is None or control == [code], "this test does not find what is there"
    waiting = keys(world)
    world.gateway.kill()
    assert not in_files(world, [code])
    world.start_carrier()
    world.start_gateway()
    harness.wait_for("the code is sent after kill -9", lambda: sent(world, code))
    assert sent(world, code)[0].text == text_of(code)
    harness.wait_for("its end", lambda: ended(world, message))
    say("a code survived kill -9 and stood in no file")
    return message, waiting, control is not None


def many_codes_leave_nothing(world, may_look):
    codes = [str(20000000 + 7919 * i) for i in range(1, 401)]
    with world.connect() as client:  # stays: what it read must not
        client.hello()
        ids = []
        for at in range(0, 400, 50):
            wanted = [("login", OTP, f"1202555{n:04d}", text_of(codes[n])) for n in range(at, at + 50)]
            answer = client.call(2 + at, wire.SUBMIT, wire.submit_request(*wanted))
            ids += [wire.parse(verdict)[2][0] for verdict in answer[2][1]]
        refused = "90817263"
        client.call(900, wire.SUBMIT, wire.submit_request(("login", OTP, "12", text_of(refused))))
        world.cli("send", "--program", "login", "--class", "otp", "--to", NUMBER, "--text", text_of("55443322"))
        harness.wait_for("every code has its end", lambda: {e["message"] for e in world.events() if "receipt" in e}
                         >= set(ids))
        codes += [refused, "55443322"]
        harness.wait_for("the last one too", lambda: sent(world, "55443322"))
        left = harness.wait_for("memory is looked through", lambda: [in_memory(world, codes)])[0]
        if may_look:
            harness.wait_for("no code is in memory", lambda: in_memory(world, codes) == [], 10, 0.5)
            say(f"after the end of {len(codes)} codes none is in the gateway's memory (at once: {len(left)})")
    assert not in_files(world, codes)
    say("nor in its files")


def a_hashed_text_can_be_compared(world):
    text = "Half price at Acme until 9 pm. Reply STOP to end"
    world.record_opt_ins("news", [NUMBER])
    message, = world.submit(("news", MARKETING, NUMBER, "Herald: " + text))
    harness.wait_for("the news is sent", lambda: sent(world, text))
    assert not any(text[:20].encode() in octets for octets in files(world))
    assert "had this text, by its hash" in world.cli("trace", message, "--is-text", "Herald: " + text).stdout
    other = world.cli("trace", message, "--is-text", text, check=False)
    assert other.returncode == 1 and "did not have this text" in other.stdout, other
    assert "(text not kept, but its hash)" in world.cli("trace", message).stdout
    say("of a hashed text its hash is left, and whoever has the text can compare it")


def nothing_is_shown(world, message):
    assert "(code, not kept)" in world.cli("trace", message).stdout
    record = json.loads(world.cli("trace", "--json", message).stdout.splitlines()[0])
    assert record["personal"]["text"] == "(code, not kept)" and "encrypted_text" not in record["personal"], record
    assert "nothing was kept" in world.cli("trace", message, "--is-text", "x", check=False).stderr
    target = world.folder / "all.csv"
    world.cli("export", "--format", "csv", "-o", target)
    assert "(code, not kept)" in target.read_text()


def keys_go(world, before):
    world.gateway.stop()
    assert len(before) > SPARES and len(before & keys(world)) <= SPARES, "a key is there that no text needs"
    world.start_gateway()
    harness.wait_for("what was spare is gone too", lambda: not before & keys(world), 5)
    assert not any(key in octets for octets in files(world) for key in before)
    say("the keys of what was sent are gone from the file")


def a_lost_key_is_told(world):
    world.carrier.stop()
    message, = world.submit(("login", OTP, NUMBER, text_of("44556677")))
    world.gateway.kill()
    (world.data / "text.keys").unlink()
    world.start_carrier()
    world.start_gateway()
    harness.wait_for("its end", lambda: ended(world, message))
    assert "texts_lost messages=1" in world.gateway.output(), world.gateway.output()
    assert "text lost" in world.cli("trace", message).stdout, world.cli("trace", message).stdout
    assert not sent(world, "44556677")
    say("without its key nothing is sent, and both the log and the ledger say why")


def main():
    with harness.World(config=CONFIG, start=False) as world:
        world.start_redis()
        world.start_gateway(wait=False)
        harness.wait_for("it answers", lambda: world.http("/healthz"))
        harness.wait_for("the consent store is there", lambda: world.metric("assent_gate_open") == 1)
        message, waiting, may_look = a_code_survives_and_then_is_nowhere(world)
        if not may_look:
            say("this user may not look into the gateway's memory")
        many_codes_leave_nothing(world, may_look)
        a_hashed_text_can_be_compared(world)
        nothing_is_shown(world, message)
        keys_go(world, waiting | keys(world))
        a_lost_key_is_told(world)


main()
