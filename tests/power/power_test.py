#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""usage: power_test.py short|long [SEED]

Two lives of a gateway, while shim.c keeps a journal of all that writes to its disk. The first: a first start, consent,
campaigns, codes, STOPs, receipts, checkpoints, a snapshot, kill -9, an erasure, a new key, an end. The second, on three
nearly full segments: the next one, sealing, an erasure in what is sealed. Then the power goes at every write (of the
second life, at every third, others each time), and what may be left on the disk then (disk.py) is opened as a gateway
opens it:

  - all that any submitter or carrier had been answered, and the intent of each submit_sm that had left, is there;
  - what is there is the beginning of the ledger as it was written, and `assent verify` has no complaint;
  - a text that is still to be sent has its key; no snapshot knows more than the ledger;
  - of whoever had been told to be erased nothing is in any file.

Some of these disks then get a real gateway, Redis and carrier: what may have left does not go out again, what waited
does, and who had said STOP gets nothing. short: a sample of the first life alone.
"""
import os
import random
import re
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "e2e"))
import disk  # noqa: E402
import facts  # noqa: E402
import handset  # noqa: E402
import harness  # noqa: E402
from harness import say, wait_for  # noqa: E402
from watched import Watched  # noqa: E402

OTP, MARKETING = 1, 3
NUMBERS = [f"1202555{n:04d}" for n in range(100, 180)]
PERSON, SECRET = "12025550199", "Zanzibar on Tuesday"
CONFIG = harness.CONFIG + "limits: {{snapshot_records: 1000}}\n"
CARRIER = ["--stop-share", "40%", "--help-share", "0%", "--receipt-delay", "30ms", "--reply-delay", "20ms:20ms"]
WORKERS = os.cpu_count()
SEGMENT = 65536
MANY_WRITES = 12  # to one file, one behind the other: of more than that a sample will do


# --- a life


class Life:
    """Its submitters' side: marks of texts, and the messages that they became."""

    def __init__(self, world, prefix=""):
        self.world, self.prefix, self.marks = world, prefix, {}

    def send(self, kind, numbers, together=8):
        program = "news" if kind == MARKETING else "login"
        for at in range(0, len(numbers), together):
            marks = [f"{self.prefix}{'m' if kind == MARKETING else 'c'}{len(self.marks) + i}"
                     for i in range(len(numbers[at:at + together]))]
            words = "Herald for you. STOP ends" if kind == MARKETING else "is your code 73910442"
            ids = self.world.submit(*((program, kind, number, f"<{mark}> {words}", mark)
                                      for mark, number in zip(marks, numbers[at:at + together])))
            self.marks.update(zip(marks, ids))

    def settle(self):
        names = ("assent_waiting_messages", "assent_awaiting_receipt", 'assent_carrier_window_used{carrier="alpha"}')
        wait_for("quiet", lambda: (now := self.world.metrics()) and not any(now[name] for name in names))


def live(world):
    life = Life(world)
    world.record_opt_ins("news", NUMBERS[:40])
    life.send(MARKETING, NUMBERS[:40])
    life.send(OTP, NUMBERS[40:52])
    life.settle()
    world.await_checkpoint()
    life.send(OTP, NUMBERS[:8])
    world.gateway.kill()
    world.start_gateway()
    life.send(MARKETING, NUMBERS[:40], together=40)
    while not list((world.data / "snapshots").glob("*.snap")):
        life.send(OTP, NUMBERS, together=40)
        life.settle()
    life.settle()
    return life


def erase(world, number, secret):
    world.cli("consent", "record", "--program", "news", "--source", "web form", "--evidence", secret, "--obtained-at",
              "2026-01-02", "+" + number)
    world.cli("erase", "--request", "R-17", "+" + number)


def rotate(world):
    result = subprocess.run([str(harness.BUILD / "assent"), "-c", str(world.config_file), "key", "rotate"],
                            env={**os.environ, **world.environment()}, capture_output=True, text=True, timeout=30)
    assert result.returncode == 0, result


def end_of(world, life, keep, events, told_at, number, secret):
    """Ends the gateway; gives what the judge needs. `events`: those before the erasure."""
    journal = world.folder / "journal"
    log = world.pdus()
    world.gateway.stop()
    shutil.copytree(world.data, keep / "whole")
    entries = disk.read_journal(journal)
    judged = list(facts.answers(entries, str(world.folder / "assent.sock")))
    judged += facts.Carrier(events, log, life.marks).facts(entries[:told_at], world.carrier_port)
    say(f"{len(entries)} entries in the journal; {len(judged)} answers and submit_sm rest on its records")
    return Judge(entries, sorted(judged), list(texts_sent(entries, world.carrier_port)), told_at, facts.needs_key(events),
                 world.data.resolve(), keep, (number, secret))


def whole_life(keep):
    (keep / "base").mkdir()
    with Watched(rate=2000, config=CONFIG, carrier_options=CARRIER) as world:
        life = live(world)
        events = world.events()
        erase(world, PERSON, SECRET)
        told_at = len(disk.read_journal(world.folder / "journal"))
        world.gateway.stop()
        rotate(world)
        world.start_gateway()
        life.send(OTP, NUMBERS[8:12])
        return end_of(world, life, keep, events, told_at, PERSON, SECRET)


def many_records(keep):
    """Three segments, the last one nearly full, and the next."""
    bench = subprocess.run([harness.BUILD / "ledger-bench", keep / "base", str(3 * SEGMENT // 4 - 40), "append"],
                           capture_output=True, text=True, check=True, timeout=60).stdout.split()
    number = bench[bench.index("number") + 1]
    with Watched(rate=2000, config=CONFIG, carrier_options=CARRIER, start=False) as world:
        shutil.copytree(keep / "base", world.data, dirs_exist_ok=True)
        world.start_redis()
        world.start_carrier()
        world.start_gateway()
        life, first = Life(world), int(world.metric("assent_ledger_sequence"))
        life.send(OTP, NUMBERS)
        wait_for("sealed segments", lambda: len(list((world.data / "ledger").glob("*.sealed"))) == 2 and
                 not (world.data / "ledger" / f"{SEGMENT + 1:020}.seg").exists())
        life.settle()
        events = world.events(first)
        erase(world, number, SECRET)
        told_at = len(disk.read_journal(world.folder / "journal"))
        return end_of(world, life, keep, events, told_at, number, SECRET)


# --- the judge


class Judge:
    def __init__(self, entries, judged, sent, told_at, keys, root, keep, person):
        self.entries, self.judged, self.sent, self.told_at, self.root = entries, judged, sent, told_at, root
        self.keys, self.key_gone = keys
        self.base, self.whole = keep / "base", keep / "whole"
        self.offset = 0  # which of the points a sample begins with
        number, secret = person
        self.traces = [secret.encode(), number.encode(), int(number).to_bytes(8, "little")]

    def cuts(self, every):
        """(index, is_before_a_sync): right before each sync ends, with all that was told since the last one; and
        behind everything else that changes the disk."""
        row, points = [None, 0], []
        for index, entry in enumerate(self.entries):
            row = [entry.a, row[1] + 1 if row[0] == entry.a else 0] if entry.kind == "W" else row
            if entry.kind == "E":
                points.append((index, True))
                row = [None, 0]
            elif entry.kind in "ATMRU" or entry.kind == "O" and entry.b & disk.O_CREAT or \
                    entry.kind == "W" and (row[1] < MANY_WRITES or row[1] % MANY_WRITES == 0):
                points.append((index + 1, False))
        return points[self.offset % every::every]

    def judge(self, index, folder, said, what):
        """`said`: the line of power-recover about a disk of when the first `index` entries had come."""
        words = said.split(" ")
        assert words[0] == "ok", f"{what}: {said}"
        records, snapshot = int(words[1]), int(words[2])
        there = {int(key) for key in words[3].split(",") if key}
        for fact in self.judged:
            if fact.index >= index:
                break
            assert fact.sequence <= records, f"{what}: {fact}, and the ledger ends with {records}"
        for message, key in self.keys.items():
            if message <= records and self.key_gone.get(message, records + 1) > records:
                assert key in there, f"{what}: message {message} is to be sent and has lost key {key}"
        assert snapshot <= records + 1, f"{what}: snapshot {snapshot}, {records} records"
        if index > self.told_at:
            for path in folder.rglob("*"):
                octets = path.read_bytes() if path.is_file() else b""
                left = [trace for trace in self.traces if trace in octets]
                assert not left, f"{what}: {left} is in {path.name} after the erasure"


def recover(judge, batch):
    """Each of `batch` is (index, folder, what)."""
    result = subprocess.run([harness.BUILD / "power-recover", judge.whole, *(folder for _, folder, _ in batch)],
                            capture_output=True, text=True, timeout=240, errors="replace")
    lines = result.stdout.splitlines()
    assert result.returncode in (0, 1) and len(lines) == len(batch), \
        f"{batch[len(lines)][2]}: ended with {result.returncode}: {result.stderr[-2000:]}"
    for (index, folder, what), line in zip(batch, lines):
        judge.judge(index, folder, line, what)
        shutil.rmtree(folder)


def judge_share(judge, points, share, seed, room):
    """One worker's cuts. Nothing of what is not safe is left right before a sync; else some of it, in turn."""
    state, batch = disk.Disk(judge.root, judge.base), []
    mine = points[share::WORKERS]
    for turn, (index, is_before_a_sync) in enumerate(mine):
        while state.index < index:
            state.step(judge.entries[state.index])
        way = "nothing" if is_before_a_sync else disk.WAYS[1 + turn % 3]
        folder = room / f"{index}-{way}"
        state.put(folder, way, seed + index)
        batch.append((index, folder, f"power lost behind entry {index} ({way}, seed {seed})"))
        if len(batch) >= 8 or turn + 1 == len(mine):
            recover(judge, batch)
            batch = []


def in_workers(work):
    """Runs work(share) in each of the workers; all must end well."""
    children = []
    for share in range(WORKERS):
        child = os.fork()
        if child == 0:
            try:
                work(share)
                os._exit(0)
            except BaseException as fault:  # noqa: B036
                print(f"  {type(fault).__name__}: {fault}", flush=True)
                os._exit(1)
        children.append(child)
    codes = [os.waitpid(child, 0)[1] for child in children]
    assert not any(codes), "a disk did not pass"


def judge_all(judge, every, seed, room):
    judge.offset = seed
    points, began = judge.cuts(every), time.monotonic()
    in_workers(lambda share: judge_share(judge, points, share, seed, room))
    say(f"the power went at {len(points)} points: each time all that had been answered was there "
        f"({time.monotonic() - began:.0f} s)")


def judge_sees(judge, room):
    """Had the disk lied about every sync of a segment, the judge would say so."""
    segments = {entry.a for entry in judge.entries if entry.kind == "O" and ".seg" in entry.path()}
    honest, judge.entries = judge.entries, [
        entry._replace(kind="-") if entry.kind in "SE" and entry.a in segments else entry for entry in judge.entries]
    state, folder = disk.Disk(judge.root, judge.base), room / "lied"
    for entry in judge.entries:
        state.step(entry)
    state.put(folder, "nothing", 0)
    try:
        recover(judge, [(len(judge.entries), folder, "a disk that lied")])
    except AssertionError as fault:
        say(f"had the disk lied, this would have been seen: {fault}")
    else:
        raise AssertionError("a disk that lied about its syncs was not noticed")
    judge.entries = honest


# --- real gateways


def texts_sent(entries, port):
    """(index, number, text) of each submit_sm."""
    for index, _, octets in facts.pdus(entries, port):
        if int.from_bytes(octets[4:8], "big") == facts.SUBMIT_SM:
            text = handset.read_submit("", octets[16:])
            yield index, text.number, text.text


def mark_of(text):
    found = re.match(r"<(\w+)>", text)
    return found and found.group(1)


def start_on(judge, index, way, seed, room):
    """A gateway on the disk of a power loss, with a Redis that lost everything too."""
    state = disk.Disk(judge.root, judge.base)
    for entry in judge.entries[:index]:
        state.step(entry)
    folder = room / "started"
    state.put(folder, way, seed + index)
    before = {mark_of(text): number for at, number, text in judge.sent if at < index}
    stopped = {fact.what.split()[2] for fact in judge.judged if fact.what.startswith("STOP") and fact.index < index}
    told = {fact.sequence for fact in judge.judged if fact.what.endswith("accepted") and fact.index < index}
    with harness.World(rate=2000, config=CONFIG, carrier_options=["--subscribers", "none"], data=folder) as world:
        life = Life(world, "after")
        wait_for("what waited has gone", lambda: (now := world.metrics()) and not now["assent_waiting_messages"] and
                 not now['assent_carrier_window_used{carrier="alpha"}'])
        events = world.events()
        accepted = {e["sequence"] for e in events if "accepted" in e}
        assert told <= accepted, f"not there: {sorted(told - accepted)[:5]}"
        begun = {e["message"] for e in events if "attempt" in e or "ended" in e}
        assert accepted <= begun, f"neither sent nor ended: {sorted(accepted - begun)[:5]}"
        asked = sorted(stopped)[:20] + ["12025550198"]
        world.record_opt_ins("news", asked[-1:])
        life.send(MARKETING, asked)
        wait_for("who said no STOP gets the next", lambda: [p for p in world.pdus() if p.destination == asked[-1]])
        sent = [p for p in world.pdus() if p.name == "submit_sm"]
        again = [p for p in sent if mark_of(p.text) in before and mark_of(p.text) not in life.marks]
        assert not again, f"sent again: {again[:3]}"
        late = [p for p in sent if p.destination in stopped and mark_of(p.text) and "Herald" in p.text]
        assert not late, f"sent after a STOP: {late[:3]}"
    shutil.rmtree(folder)
    return len(stopped)


def start_some(judge, starts, seed, room):
    rng = random.Random(seed)
    points = [point for point, _ in judge.cuts(1)]
    for n in range(starts):
        index, way = rng.choice(points), disk.WAYS[n % len(disk.WAYS)]
        stopped = start_on(judge, index, way, seed, room)
        say(f"a gateway started on the disk of entry {index} ({way}): nothing twice, nothing to {stopped} who had left")


def main():
    is_long = sys.argv[1] == "long"
    seed = int(sys.argv[2]) if len(sys.argv) > 2 else random.randrange(1 << 30)
    say(f"seed {seed}")
    place = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
    for life, every, starts in ((whole_life, 1, 8), (many_records, 3, 0)) if is_long else ((whole_life, 6, 1),):
        with tempfile.TemporaryDirectory(prefix="assent-power-", dir=place) as room:
            judge = life(Path(room))
            judge_sees(judge, Path(room))
            judge_all(judge, every, seed, Path(room))
            start_some(judge, starts, seed, Path(room))


main()
