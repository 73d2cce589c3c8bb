#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A disk that fails under a running gateway, file by file. An error of what has to be safe ends it with a line that says
what to do, and nothing that was not safe has been answered; one of what can be made again is told, and it goes on. A
full disk, writes that write less and syncs that take long end nothing."""
import errno
import subprocess
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "e2e"))
import harness  # noqa: E402
import wire  # noqa: E402
from harness import say, wait_for  # noqa: E402
from watched import Watched  # noqa: E402

OTP = 1
CONFIG = harness.CONFIG + "limits: {{snapshot_records: 1000}}\n"
NUMBERS = [f"1202555{n:04d}" for n in range(100, 180)]
PERSON, SECRET = "12025550199", "Zanzibar on Tuesday"
NO_SPACE, BROKEN = errno.ENOSPC, errno.EIO


class Codes:
    """What was submitted, and what was told about it."""

    def __init__(self, world):
        self.world, self.count, self.told = world, 0, set()

    def messages(self, count):
        self.count += count
        return [("login", OTP, NUMBERS[(self.count + n) % 80], f"<c{self.count + n}> is your code") for n in range(count)]

    def send(self, count=1):
        self.told |= set(self.world.submit(*self.messages(count)))

    def try_to_send(self):
        """False when there was no answer, or another than that it is accepted."""
        try:
            with self.world.connect() as client:
                client.hello()
                answer = client.call(2, wire.SUBMIT, wire.submit_request(*self.messages(1)))
        except (OSError, TypeError):
            return False
        if answer is None or answer[1] != wire.SUBMIT_REPLY:
            return False
        verdict = wire.parse(answer[2][1][0])
        if 1 in verdict:
            return False
        self.told.add(verdict[2][0])
        return True

    def are_there(self):
        missing = self.told - {e["sequence"] for e in self.world.events() if "accepted" in e}
        assert not missing, f"accepted and not there: {sorted(missing)[:5]}"


def prepare(world, codes, part):
    """After a start the next code takes a key, and another one is made ready: so the file of keys is written."""
    world.fail()
    if part == "text.keys":
        world.gateway.kill()
        world.start_gateway()
    else:
        codes.send(4)


def ends_the_gateway(world, codes, call, part, problem):
    """The first such error: no more is accepted, a clear line, and all that was told is there after the next start."""
    prepare(world, codes, part)
    world.fail(f"{call} {part} {problem} 1")
    wait_for("the gateway ends", lambda: codes.try_to_send() and False or not world.gateway.running(), 20, 0.01)
    line = [line for line in world.gateway.output().splitlines() if "ledger_failed" in line][-1]
    assert world.gateway.child.returncode == 1 and "check the disk" in line, (world.gateway.child.returncode, line)
    world.fail()
    world.start_gateway()
    codes.send()
    codes.are_there()


def fatal(world, codes):
    for call, part, problem in (("fdatasync", ".seg", BROKEN), ("pwrite", ".seg", BROKEN), ("fdatasync", ".seg", NO_SPACE),
                                ("fdatasync", "text.keys", BROKEN), ("pwrite", "text.keys", BROKEN),
                                ("fdatasync", "checkpoints", BROKEN), ("pwrite", "checkpoints", BROKEN),
                                ("open", "checkpoints", BROKEN), ("rename", "checkpoints", BROKEN)):
        ends_the_gateway(world, codes, call, part, problem)
        say(f"{call} of {part}, {errno.errorcode[problem]}: it ends, says so, and all that was accepted is there")


def at_the_end(world, codes):
    """An error of the last sync, when it is told to end."""
    codes.send()
    world.fail(f"fdatasync .seg {BROKEN}", f"fdatasync checkpoints {BROKEN}")
    assert world.gateway.stop() != 0
    assert "ledger_failed" in world.gateway.output().splitlines()[-1], world.gateway.output()[-400:]
    world.fail()
    world.start_gateway()
    codes.are_there()
    say("an error of the last sync while it ends is told, too")


def at_a_start(world, codes):
    """What cannot be opened, written or synced at a start: a sentence that names the file, and no change."""
    for fault in (f"open .seg {BROKEN}", f"fdatasync .seg {BROKEN}", f"fsync ledger {BROKEN}", f"open text.keys {BROKEN}",
                  f"pwrite text.keys {BROKEN}", f"fdatasync text.keys {BROKEN}"):
        world.gateway.kill()
        world.fail(fault)
        world.start_gateway(wait=False)
        wait_for(f"{fault}: it ends", lambda: not world.gateway.running(), 10)
        last = world.gateway.output().splitlines()[-1]
        assert world.gateway.child.returncode == 1 and "why=" in last and "Input/output error" in last, (fault, last)
        world.fail()
        world.start_gateway()
        codes.send()
        codes.are_there()
    say("at a start: each file that fails is named, and the next start has everything")


def a_moment_without_space(world, codes):
    """ENOSPC where nothing is promised yet: it waits, and goes on."""
    for call, part in (("pwrite", ".seg"), ("pwrite", "checkpoints"), ("open", "checkpoints"), ("pwrite", "text.keys")):
        prepare(world, codes, part)
        world.fail(f"{call} {part} {NO_SPACE} 2")
        codes.send(4)
        world.await_checkpoint()
        assert world.gateway.running(), (call, part)
    world.fail()
    codes.are_there()
    say("a moment without space: what was asked waits, and nothing ends")


def short_and_slow(world, codes):
    world.fail("short / 1")
    codes.send(40)
    world.await_checkpoint()
    world.fail("slow / 1000")
    begun = time.monotonic()
    codes.send()
    assert time.monotonic() - begun > 1, "answered before it was safe"
    times = []
    for _ in range(10):
        begun = time.monotonic()
        assert world.http("/healthz")
        times.append(time.monotonic() - begun)
        assert codes.try_to_send()
    middle = sorted(times)[5]  # a busy machine may keep one or two waiting
    assert middle < 0.5, f"/healthz took {times}"
    world.fail()
    codes.are_there()
    say(f"writes that write half; syncs of 300 ms: answers wait for them, the loop does not ({1000 * middle:.0f} ms)")


def what_can_be_made_again(world, codes):
    """Snapshots and erasures, in processes of their own."""
    for fault in (f"pwrite snapshots {BROKEN}", f"pwrite snapshots {NO_SPACE}", f"fdatasync snapshots {BROKEN}",
                  f"rename snapshots {BROKEN}"):
        before = world.gateway.output().count("snapshot_failed")
        world.fail(fault)
        wait_for(fault, lambda: codes.send(80) or world.gateway.output().count("snapshot_failed") > before, 30, 0.1)
    world.fail()
    kept = world.gateway.output().count("event=snapshot ")
    wait_for("a snapshot", lambda: codes.send(80) or world.gateway.output().count("event=snapshot ") > kept, 30, 0.1)
    codes.are_there()
    say("a snapshot that cannot be written is told; the next one is made")
    world.cli("consent", "record", "--program", "news", "--source", "web form", "--evidence", SECRET, "--obtained-at",
              "2026-01-02", "+" + PERSON)
    for call in ("pwrite", "fdatasync"):
        before = world.gateway.output().count("erasure_failed")
        world.fail(f"{call} .seg {BROKEN} 1")  # the counts are a process' own: the one that erases fails, and so may we
        world.cli("erase", "--no-wait", "--request", f"R-{call}", "+" + PERSON, check=False)
        wait_for("the erasure or the gateway fails", lambda: not world.gateway.running() or
                 world.gateway.output().count("erasure_failed") > before)
        world.fail()
        if not world.gateway.running():
            world.start_gateway()

    def is_gone():
        return not any(SECRET.encode() in f.read_bytes() for f in world.data.rglob("*") if f.is_file())
    wait_for("the person is erased", is_gone)
    wait_for("that it is done is recorded, and verify agrees", lambda: subprocess.run(
        [harness.BUILD / "assent", "verify", world.data], stdout=subprocess.DEVNULL, timeout=60).returncode == 0)
    codes.are_there()
    say("an erasure that failed is done again")


def main():
    carrier = ["--subscribers", "none", "--receipt-delay", "30ms"]
    with Watched(rate=2000, config=CONFIG, carrier_options=carrier) as world:
        codes = Codes(world)
        codes.send(20)
        short_and_slow(world, codes)
        a_moment_without_space(world, codes)
        fatal(world, codes)
        at_the_end(world, codes)
        at_a_start(world, codes)
        what_can_be_made_again(world, codes)
        world.gateway.stop()


main()
