# SPDX-License-Identifier: Apache-2.0
"""Starts a private world for one test: Redis, a simulated carrier and assentd in one temporary folder.

Everything listens on Unix sockets or on loopback, is ended by pid when the `with` block is left (also
on SIGTERM, and by the kernel should this process be killed), and the folder goes with it unless
ASSENT_KEEP is set. Only the standard library is used.
"""
import ctypes
import hashlib
import json
import os
import random
import re
import shutil
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path

import carrier_log
import dissector
import wire

BUILD = Path(os.environ.get("ASSENT_BUILD", "build")).resolve()
SKIP = 77  # ctest's SKIP_RETURN_CODE

# A sanitized build on a busy machine is slow; waits are long, and end as soon as what is awaited is there.
PATIENCE = 30.0


def skip(why):
    print(f"SKIPPED: {why}")
    sys.exit(SKIP)


def missing(what):
    """What tests/run installs is not there: in CI that is a fault of tests/run, else a reason to skip."""
    if os.environ.get("CI"):
        sys.exit(f"FAILED: {what}: not installed, though tests/run should have done so")
    skip(f"{what}: not installed; tests/run does that")


def say(text):
    print(f"  {text}", flush=True)


def wait_for(what, condition, seconds=PATIENCE, pause=0.05):
    """Polls until `condition()` is true, and gives what it gave; an AssertionError names `what`."""
    end = time.monotonic() + seconds
    while True:
        result = condition()
        if result:
            return result
        if time.monotonic() > end:
            raise AssertionError(f"waited {seconds} s in vain: {what}")
        time.sleep(pause)


def free_port():
    """Below the ports that the kernel gives to outgoing connections: one of those could take it meanwhile, or
    even be a connection to itself."""
    while True:
        port = random.randrange(20_000, 32_000)
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
                return port
            except OSError:
                continue


def can_connect(port):
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
        return True
    except OSError:
        return False


def die_with_parent():
    ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG


def like_another_machine():
    """For the carrier: it notes when PDUs come, so it must not wait for a processor behind others."""
    die_with_parent()
    try:
        os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(1))
    except OSError:
        pass  # that takes a right; without it a busy machine blurs the times


class Process:
    """A child with its output in a file; stopped by pid."""

    def __init__(self, name, arguments, folder, before=die_with_parent):
        self.name = name
        self.log = Path(folder) / f"{name}.log"
        with open(self.log, "ab") as out:
            self.child = subprocess.Popen([str(a) for a in arguments], stdin=subprocess.DEVNULL,
                                          stdout=out, stderr=subprocess.STDOUT, cwd=folder,
                                          preexec_fn=before)

    @property
    def pid(self):
        return self.child.pid

    def running(self):
        return self.child.poll() is None

    def output(self):
        return self.log.read_text(errors="replace")

    def kill(self):
        self.child.kill()
        self.child.wait()

    def signal(self, number):
        self.child.send_signal(number)

    def wait(self, seconds=PATIENCE):
        return self.child.wait(timeout=seconds)

    def stop(self, seconds=15):
        """SIGTERM, then SIGKILL; gives the exit status (negative: the signal)."""
        if self.running():
            self.child.terminate()
            try:
                self.child.wait(timeout=seconds)
            except subprocess.TimeoutExpired:
                self.kill()
        return self.child.returncode


CONFIG = """\
node: test
data_dir: {data}
redis: {{url: "unix://{folder}/redis.sock"}}
listeners:
  - {{address: "unix://{folder}/assent.sock"}}
  - {{address: "tcp://127.0.0.1:{port}"}}
http: {{address: "tcp://127.0.0.1:{http}"}}
clients:
  - {{name: shop, key_sha256: "{key}", programs: [offers, news, login]}}
# Carriers here lie and refuse, and people leave in crowds.
reputation: {{filtered: {{alarm: off, pause: off}}, unknown: {{alarm: off, pause: off}}, opt_outs: {{alarm: off, pause: off}}, complaints: {{alarm: off, pause: off}}}}
programs:
  - name: offers
    brand: Acme
    classes: [marketing]
    senders: ["12025550100"]
    opt_in: double
    stop_reach: brand
    quiet_hours: off
  - name: news
    brand: Herald
    classes: [marketing]
    senders: ["12025550102"]
    opt_in: single
    stop_reach: program
    quiet_hours: off
  - {{name: login, brand: Acme Bank, classes: [otp, transactional], senders: ["12025550101"]}}
carriers:
  - name: alpha
    address: "tcp://127.0.0.1:{carrier}"
    system_id: acme
    password_file: alpha.secret
    bind: transceiver
    sessions: {sessions}
    window: {window}
    rate: {rate}
    routes: [""]
"""

API_KEY = "a key for tests"


class World:
    def __init__(self, rate=500, window=100, sessions=1, carrier_options=(), data=None,
                 config=CONFIG, start=True):
        assert (BUILD / "assentd").exists(), f"no assentd in {BUILD}; set ASSENT_BUILD to a build folder"
        self.folder = Path(tempfile.mkdtemp(prefix="assent-test-"))
        self.children = []
        self.carrier_options = list(carrier_options)
        self.captures = []  # of what each carrier saw
        self.carrier_lies = "--fault" in self.carrier_options
        self.rate = rate
        self.http_port = free_port()
        self.port = free_port()
        self.carrier_port = free_port()  # kept over restarts of the carrier
        self.data = Path(data) if data else self.folder / "data"
        self.data.mkdir(exist_ok=True)
        self.config_file = self.folder / "assent.yaml"
        self.config_text = config.format(folder=self.folder, data=self.data, http=self.http_port,
                                         port=self.port, carrier=self.carrier_port, rate=rate,
                                         window=window, sessions=sessions,
                                         key=hashlib.sha256(API_KEY.encode()).hexdigest())
        self.config_file.write_text(self.config_text)
        secret = self.folder / "alpha.secret"
        secret.write_text("pass1234\n")
        secret.chmod(0o600)
        self.redis = self.carrier = self.gateway = None
        self.start_now = start

    def __enter__(self):
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
        try:
            if self.start_now:
                self.start_redis()
                self.start_carrier()
                self.start_gateway()
        except BaseException:
            self.__exit__(*sys.exc_info())
            raise
        return self

    def __exit__(self, kind, value, trace):
        if kind is not None and kind is not SystemExit:
            self.print_logs()
        for child in reversed(self.children):
            child.stop()
        reports = [c.name for c in self.children if "Sanitizer" in c.output() or "runtime error:" in c.output()]
        if reports and kind is None:
            self.print_logs()
        faults = self.dissected() if kind is None else []
        if os.environ.get("ASSENT_KEEP"):
            say(f"kept: {self.folder}")
        else:
            shutil.rmtree(self.folder, ignore_errors=True)
        assert not reports or kind is not None, f"a sanitizer complains in {reports}"
        assert not faults, "Wireshark's dissector complains: " + "\n".join(faults[:20])

    def dissected(self):
        """What Wireshark's dissector finds wrong in all that went over the wire between gateway and carrier."""
        if not self.captures or not dissector.available():
            return []
        capture = dissector.join(self.captures, self.folder / "all.pcap")
        faults, count = dissector.judge(capture, carrier_lies=self.carrier_lies)
        seen = sum(pdu.incoming for pdu in carrier_log.read(self.folder / "pdus.log"))  # by the last carrier
        if len(self.captures) == 1 and self.carrier.child.returncode == 0 and not self.carrier_lies:
            assert count == seen, f"Wireshark's dissector finds {count} PDUs where the carrier saw {seen}"
        return faults

    def print_logs(self):
        for log in sorted(self.folder.glob("*.log")):
            lines = log.read_text(errors="replace").splitlines()
            say(f"--- last lines of {log.name}")
            for line in lines[-60:]:
                say(line[:300])

    def spawn(self, name, arguments, before=die_with_parent):
        child = Process(name, arguments, self.folder, before)
        self.children.append(child)
        return child

    # --- Redis

    def start_redis(self):
        self.redis = self.spawn("redis", [
            "redis-server", "--port", "0", "--unixsocket", self.folder / "redis.sock",
            "--dir", self.folder, "--appendonly", "yes", "--appendfsync", "no", "--save", "",
            "--maxmemory-policy", "noeviction", "--set-max-intset-entries", "4096"])
        wait_for("Redis answers", lambda: self.redis_cli("PING") == "PONG")

    def redis_cli(self, *arguments):
        return subprocess.run(["redis-cli", "-s", str(self.folder / "redis.sock"), *map(str, arguments)],
                              capture_output=True, text=True, timeout=PATIENCE).stdout.strip()

    # --- the carrier

    def start_carrier(self, *options):
        """smsc-sim; `options` come after those given when the world was made."""
        self.carrier_lies = self.carrier_lies or "--fault" in options
        self.captures.append(self.folder / f"carrier-{len(self.captures)}.pcap")
        self.carrier = self.spawn("carrier", [
            BUILD / "smsc-sim", "--listen", f"tcp://127.0.0.1:{self.carrier_port}", "--log",
            self.folder / "pdus.log", "--pcap", self.captures[-1], "--report", self.folder / "carrier.json",
            *self.carrier_options, *options], like_another_machine)
        wait_for("the carrier listens", lambda: can_connect(self.carrier_port))

    def carrier_so_far(self):
        """What the running carrier counts; behind it the log has all of that."""
        report = self.folder / "carrier.json"
        report.unlink(missing_ok=True)
        self.carrier.signal(signal.SIGUSR1)
        wait_for("the carrier's report", report.exists)
        return json.loads(report.read_text())

    def pdus(self):
        """The carrier's log so far."""
        time.sleep(0.1)  # for what is under way to it
        if self.carrier is not None and self.carrier.running():
            self.carrier_so_far()
        return carrier_log.read(self.folder / "pdus.log")

    def carrier_report(self):
        """Stops the carrier and gives its report."""
        self.carrier.stop()
        return json.loads((self.folder / "carrier.json").read_text())

    # --- the gateway

    def start_gateway(self, wait=True):
        self.gateway = self.spawn("assentd", [BUILD / "assentd", "-c", self.config_file])
        if wait:
            self.wait_ready()

    def wait_ready(self):
        def ready():
            if not self.gateway.running():
                said = self.gateway.output().splitlines()[-3:]
                raise AssertionError(f"assentd ended with {self.gateway.child.returncode}: {said}")
            return self.http("/readyz") is not None
        wait_for("/readyz says ready", ready)

    def http(self, path):
        """The body, or None when there is no 200."""
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.http_port}{path}", timeout=10) as answer:
                return answer.read().decode()
        except OSError:
            return None

    def metrics(self):
        """{"name{labels}": value}"""
        lines = [line for line in (self.http("/metrics") or "").splitlines() if line and line[0] != "#"]
        return {name: float(value) for name, value in (line.rsplit(" ", 1) for line in lines)}

    def metric(self, name, label=""):
        """The sum over the series of `name` whose labels hold `label`."""
        return sum(value for key, value in self.metrics().items()
                   if key.split("{")[0] == name and label in key)

    def newest_checkpoint(self):
        return max((self.folder / "data" / "checkpoints").glob("*.note"))

    def await_checkpoint(self):
        """Until all records that are written now have one."""
        records = self.metric("assent_ledger_sequence")
        wait_for("a checkpoint of everything", lambda: int(self.newest_checkpoint().stem) >= records)

    def cli(self, *arguments, check=True, seconds=PATIENCE, **options):
        result = subprocess.run([str(BUILD / "assent"), "-c", str(self.config_file), *map(str, arguments)],
                                capture_output=True, text=True, timeout=seconds, **options)
        assert not check or result.returncode == 0, (arguments, result.returncode, result.stdout, result.stderr)
        return result

    def connect(self):
        return wire.Client(str(self.folder / "assent.sock"))

    def connect_tcp(self):
        return wire.Client(("127.0.0.1", self.port))

    def submit(self, *messages):
        """The ids, in order; every message must be accepted."""
        with self.connect() as client:
            client.hello()
            ids = []
            for at in range(0, len(messages), 1000):
                answer = client.call(2 + at, wire.SUBMIT, wire.submit_request(*messages[at:at + 1000]))
                verdicts = [wire.parse(verdict) for verdict in answer[2][1]]
                assert all(1 not in v for v in verdicts), verdicts[:3]
                ids += [v[2][0] for v in verdicts]
            return ids

    def record_opt_ins(self, program, numbers):
        """Express consent with evidence, for programs that need no second step; 100 calls in flight."""
        obtained = int(time.time() * 1000) - 1000
        with self.connect() as client:
            client.hello()
            for at in range(0, len(numbers), 100):
                for call, number in enumerate(numbers[at:at + 100], 2):
                    client.send(wire.frame(call, wire.RECORD_OPT_IN, wire.message(
                        (1, program), (2, number), (3, "web form"), (4, "ticked the box"), (5, obtained))))
                for number in numbers[at:at + 100]:
                    answer = client.receive()
                    assert answer[1] == wire.CONSENT_REPLY and 1 not in answer[2], (number, answer)

    def events(self, start=1):
        """The ledger's records from `start` up to now: [{"sequence": n, "message": id, "accepted": {...}}]."""
        with self.connect() as client:
            client.hello()
            next_sequence = client.call(2, wire.STATUS)[2][4][0]
            client.send(wire.frame(3, wire.WATCH, wire.message((1, start), (2, 1), (3, next_sequence))))
            return list(wire.events(client))
