# SPDX-License-Identifier: Apache-2.0
"""The ways in which Redis can be away or wrong, one row each, and what must hold in each of them.

Redis is reached through a symbolic link, so that a failover is a link to another server's socket."""
import shutil
import signal
import socket
import subprocess
import threading
import time
from pathlib import Path

import harness
from harness import say

MARKETING = 3
RATE = 500
BACKLOG = 1000
READY_S = 5.0  # what is promised; a busy machine gets PATIENCE
NUMBERS = [f"1202555{n:04d}" for n in range(100, 200)]
MEMORY_SLACK = 96 << 20  # sanitizers keep what was freed


def now_us():
    return time.monotonic_ns() // 1000  # the clock of the carrier's log


class Redis:
    """One redis-server of a world, in a folder of its own."""

    def __init__(self, world, name, *options):
        self.world, self.name, self.options = world, name, options
        self.folder = world.folder / name
        self.folder.mkdir(exist_ok=True)
        self.port = harness.free_port()
        self.password = None
        self.process = None

    @property
    def socket(self):
        return self.folder / "sock"

    def start(self, *options, wait=True):
        self.process = self.world.spawn(self.name, [
            "redis-server", "--port", self.port, "--bind", "127.0.0.1", "--unixsocket", self.socket,
            "--dir", self.folder, "--appendonly", "yes", "--appendfsync", "no", "--save", "",
            "--maxmemory-policy", "noeviction", "--set-max-intset-entries", "4096",
            "--enable-protected-configs", "yes", "--enable-debug-command", "yes", *self.options, *options])
        if wait:
            harness.wait_for("Redis answers", lambda: self.say("PING") == "PONG")

    def say(self, *words):
        secret = ["-a", self.password, "--no-auth-warning"] if self.password else []
        return subprocess.run(["redis-cli", "-s", str(self.socket), *secret, *map(str, words)],
                              capture_output=True, text=True, timeout=harness.PATIENCE).stdout.strip()

    def kill(self):
        self.process.kill()

    def use(self):
        """The gateway's next connection leads here."""
        link = self.world.folder / "redis.sock"
        fresh = self.world.folder / "redis.next"
        fresh.symlink_to(self.socket)
        fresh.rename(link)

    def files(self):
        return self.folder / "appendonlydir"

    def disconnect_clients(self):
        self.say("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")


class Nonsense:
    """Answers whatever is asked with octets that no Redis says."""

    def __init__(self, path, answer=b"$-7\r\n*2147483647\r\n\x00\xff HTTP/1.1 200 OK\r\n"):
        self.answer = answer
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(str(path))
        self.listener.listen(8)
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self):
        while True:
            try:
                peer, _ = self.listener.accept()
            except OSError:
                return
            with peer:
                try:
                    while peer.recv(4096):
                        peer.sendall(self.answer)
                except OSError:
                    pass

    def stop(self):
        self.listener.close()


class Trial:
    """One gateway under load with its Redis; what was sent is judged by the carrier's log."""

    def __init__(self, world, redis):
        self.world, self.redis = world, redis
        self.left = {}  # number to the time from which on nothing may go to it
        self.sent_before = 0
        self.batches = 0
        self.kept = None

    def submitted(self):
        return [p for p in self.world.pdus() if p.name == "submit_sm"]

    def opt_out(self):
        number = f"1202556{len(self.left):04d}"
        self.world.cli("consent", "optout", "--program", "news", number)
        self.left[number] = now_us()
        return number

    def load(self, count=BACKLOG):
        """Texts to those who want them and, among them, to all who have left."""
        self.batches += 1
        tag = f"#{self.batches}#"
        numbers = [NUMBERS[i % len(NUMBERS)] for i in range(count)] + list(self.left)
        self.world.submit(*[("news", MARKETING, n, f"Herald {tag} Reply STOP to end") for n in numbers])
        return tag, count

    def nobody_who_left(self):
        for pdu in self.submitted():
            assert pdu.destination not in self.left or pdu.time_us < self.left[pdu.destination], \
                f"sent to one who had left: {pdu}"

    def gate_is(self, value):
        return self.world.metric("assent_gate_open") == value

    def memory(self):
        status = Path(f"/proc/{self.world.gateway.pid}/status").read_text()
        return int(status.split("VmRSS:")[1].split()[0]) << 10

    def full_rate_after(self, tag, since_us):
        """Seconds until the first second in which 90 % of the rate left, or None."""
        times = [p.time_us for p in self.submitted() if tag in p.text and p.time_us >= since_us]
        wanted = int(0.9 * RATE)
        for first, last in zip(times, times[wanted - 1:]):
            if last - first < 1_000_000:
                return (first - since_us) / 1e6
        return None

    def run(self, name, break_it, repair):
        say(f"--- {name}")
        self.opt_out()
        memory = self.memory()
        break_it(self)
        harness.wait_for(f"{name}: the gate closes", lambda: self.gate_is(0), pause=0.02)
        time.sleep(0.2)
        before, closed_us = len(self.submitted()), now_us()
        assert self.world.http("/readyz") is None
        self.opt_out()
        tag, count = self.load()
        time.sleep(0.7)
        why = next((line for line in self.world.cli("status").stdout.splitlines() if "gate" in line.lower()), "")
        assert len(self.submitted()) == before, "something was sent without a check"
        grown = self.memory() - memory
        assert grown < MEMORY_SLACK, f"{grown >> 20} MB more"
        repairing_us = now_us()  # from here on the gate may open
        repair(self)
        repaired_us = now_us()
        harness.wait_for(f"{name}: the gate opens", lambda: self.gate_is(1), pause=0.02)
        opened = (now_us() - repaired_us) / 1e6
        harness.wait_for(f"{name}: what was held is sent",
                         lambda: sum(tag in p.text for p in self.submitted()) >= count)
        time.sleep(0.3)
        assert sum(tag in p.text for p in self.submitted()) == count, "sent twice, or to one who had left"
        assert not any(closed_us < p.time_us < repairing_us for p in self.submitted())
        self.nobody_who_left()
        full = self.full_rate_after(tag, repaired_us)
        said = f"{full:.2f} s" if full is not None else "never (a busy machine?)"
        say(f"{why.strip()}")
        say(f"{name}: open {opened:.2f} s after Redis was right again, full rate after {said}; "
            f"{count} held and sent once, {len(self.left)} opted out and sent nothing")
        assert opened < harness.PATIENCE
        return full


# --- there, and no use

def stop(trial):
    trial.redis.process.signal(signal.SIGSTOP)


def go_on(trial):
    trial.redis.process.signal(signal.SIGCONT)
    harness.wait_for("Redis answers", lambda: trial.redis.say("PING") == "PONG")


def pause(trial):
    trial.redis.say("CLIENT", "PAUSE", 4000, "ALL")


def pause_ends(trial):
    harness.wait_for("the pause ends", lambda: trial.redis.say("PING") == "PONG")


def kill(trial):
    trial.redis.kill()


def start(trial):
    trial.redis.start()


def load_slowly(trial):
    trial.redis.say("DEBUG", "POPULATE", 800, "filler")
    trial.redis.say("BGREWRITEAOF")
    time.sleep(0.5)
    trial.redis.kill()
    trial.redis.start("--key-load-delay", "12000", "--loading-process-events-interval-bytes", "1024", wait=False)


def loaded(trial):
    harness.wait_for("Redis has loaded", lambda: trial.redis.say("PING") == "PONG")


def lock_out(trial):
    trial.redis.say("CONFIG", "SET", "requirepass", "another")
    trial.redis.password = "another"
    trial.redis.disconnect_clients()


def let_in(trial):
    trial.redis.say("CONFIG", "SET", "requirepass", "")
    trial.redis.password = None


def make_replica(trial):
    trial.redis.say("REPLICAOF", "127.0.0.1", "1")


def make_master(trial):
    trial.redis.say("REPLICAOF", "NO", "ONE")


def fill(trial):
    trial.redis.say("CONFIG", "SET", "maxmemory", "1")


def make_room(trial):
    trial.redis.say("CONFIG", "SET", "maxmemory", "0")


def fail_saving(trial):
    gone = trial.redis.folder / "gone"
    gone.mkdir()
    trial.redis.say("CONFIG", "SET", "dir", gone)
    gone.rmdir()
    trial.redis.say("CONFIG", "SET", "save", "3600 1")
    trial.redis.say("BGSAVE")


def save_again(trial):
    trial.redis.say("CONFIG", "SET", "dir", trial.redis.folder)
    trial.redis.say("CONFIG", "SET", "save", "")


def talk_nonsense(trial):
    path = trial.world.folder / "nonsense.sock"
    trial.nonsense = Nonsense(path)
    link = trial.world.folder / "redis.next"
    link.symlink_to(path)
    link.rename(trial.world.folder / "redis.sock")
    trial.redis.disconnect_clients()


def talk_sense(trial):
    trial.nonsense.stop()
    trial.redis.use()


def allow_eviction(trial):
    trial.redis.say("CONFIG", "SET", "maxmemory", "1gb")
    trial.redis.say("CONFIG", "SET", "maxmemory-policy", "allkeys-lru")
    trial.redis.disconnect_clients()


def forbid_eviction(trial):
    trial.redis.say("CONFIG", "SET", "maxmemory-policy", "noeviction")
    trial.redis.say("CONFIG", "SET", "maxmemory", "0")


AWAY = [
    ("down", kill, start),
    ("stopped", stop, go_on),
    ("paused", pause, pause_ends),
    ("LOADING", load_slowly, loaded),
    ("NOAUTH", lock_out, let_in),
    ("READONLY", make_replica, make_master),
    ("OOM", fill, make_room),
    ("MISCONF", fail_saving, save_again),
    ("garbage", talk_nonsense, talk_sense),
    ("may evict", allow_eviction, forbid_eviction),
]


# --- there again, and without what it had

def kill_and_wipe(trial):
    trial.redis.kill()
    shutil.rmtree(trial.redis.files())


def keep_a_copy(trial):
    shutil.copytree(trial.redis.files(), trial.redis.folder / "copy")
    trial.opt_out()
    trial.redis.kill()
    shutil.rmtree(trial.redis.files())
    (trial.redis.folder / "copy").rename(trial.redis.files())


def flush(trial):
    """While it runs: nothing closes the connection but what the gateway finds. It is right again at once, so
    Redis is stopped until the test goes on."""
    trial.redis.say("FLUSHALL")
    trial.redis.process.signal(signal.SIGSTOP)


def fail_over(trial):
    """The replica is behind when the master dies: an opt-out that was acknowledged is not there."""
    replica = Redis(trial.world, f"replica{trial.batches}")
    replica.start("--replicaof", f"127.0.0.1 {trial.redis.port}")
    harness.wait_for("the replica is in step", lambda: "master_link_status:up" in replica.say("INFO", "replication"))
    replica.process.signal(signal.SIGSTOP)
    trial.opt_out()
    trial.redis.kill()
    replica.process.signal(signal.SIGCONT)
    trial.redis = replica


def promote(trial):
    trial.redis.say("REPLICAOF", "NO", "ONE")
    trial.redis.use()


LOST = [
    ("restarted empty", kill_and_wipe, start),
    ("restored from an older copy", keep_a_copy, start),
    ("flushed while it ran", flush, go_on),
    ("failed over with writes lost", fail_over, promote),
]


def run_all(ways, only=None):
    slowest = 0.0
    with harness.World(rate=RATE, start=False, carrier_options=["--subscribers", "none"]) as world:
        redis = Redis(world, "redis0")
        redis.start()
        redis.use()
        world.start_carrier()
        world.start_gateway()
        world.record_opt_ins("news", NUMBERS)
        trial = Trial(world, redis)
        for name, break_it, repair in ways:
            if only in (None, name):
                slowest = max(slowest, trial.run(name, break_it, repair) or harness.PATIENCE)
    say(f"slowest return to the full rate: {slowest:.2f} s; promised are {READY_S:.0f} s on a machine of its own")
