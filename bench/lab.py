# SPDX-License-Identifier: Apache-2.0
"""What every measurement needs: a folder on a real disk, processes that end with it, and their clocks.

Everything listens on Unix sockets or on loopback. Children are ended by pid when the `with` block is
left, and by the kernel should this process be killed. Only the standard library is used.
"""
import ctypes
import json
import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path

TICKS = os.sysconf("SC_CLK_TCK")
MEMORY_FILE_SYSTEMS = ("tmpfs", "ramfs")
FIRST_NUMBER = 15550000000  # made up; assent-bench counts up from here
OTP_NUMBER = 15560000000


class Failed(Exception):
    """A measurement that could not be made; the others go on."""


def say(text):
    print(f"  {text}", flush=True)


def thousands(value):
    return f"{value:,.0f}"


def median(values):
    ordered = sorted(values)
    middle = len(ordered) // 2
    return ordered[middle] if len(ordered) % 2 else (ordered[middle - 1] + ordered[middle]) / 2


def quantile(values, q):
    """Nearest rank of sorted `values`."""
    return values[min(len(values) - 1, int(q * len(values)))] if values else None


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


def wait_for(what, condition, seconds=30, pause=0.05):
    end = time.monotonic() + seconds
    while not (result := condition()):
        if time.monotonic() > end:
            raise Failed(f"waited {seconds} s in vain: {what}")
        time.sleep(pause)
    return result


def file_system(path):
    return subprocess.run(["stat", "-f", "-c", "%T", str(path)], capture_output=True,
                          text=True).stdout.strip()


def real_disk(*candidates):
    """The first folder that is not kept in memory: an fsync there would cost nothing."""
    for candidate in candidates:
        if candidate and os.path.isdir(candidate) and file_system(candidate) not in MEMORY_FILE_SYSTEMS:
            return candidate
    raise SystemExit(f"bench/run: none of {candidates} is on a real disk; set TMPDIR to one that is")


def busy_share(seconds=1.0):
    """How much of the processors others use now: 0 to 1."""
    def read():
        fields = [int(f) for f in Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:9]]
        return sum(fields), fields[3] + fields[4]
    total, idle = read()
    time.sleep(seconds)
    total_after, idle_after = read()
    return 1 - (idle_after - idle) / max(1, total_after - total)


class Stolen:
    """The share of this machine's processor time that its host gave to other machines, from now on: what
    no program here can help, and what the tails of latencies show first."""

    def __init__(self):
        self.begin = self.read()

    @staticmethod
    def read():
        fields = [int(f) for f in Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:9]]
        return sum(fields), fields[7]

    def share(self):
        total, stolen = self.read()
        return (stolen - self.begin[1]) / max(1, total - self.begin[0])


def die_with_parent():
    ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG


class Process:
    def __init__(self, name, arguments, folder):
        self.name = name
        self.log = folder / f"{name}.log"
        with open(self.log, "ab") as out:
            self.child = subprocess.Popen([str(a) for a in arguments], stdin=subprocess.DEVNULL, stdout=out,
                                          stderr=subprocess.STDOUT, cwd=folder, preexec_fn=die_with_parent)
        self.pid = self.child.pid

    def running(self):
        return self.child.poll() is None

    def cpu(self):
        """Seconds of processor, user and system, all threads."""
        fields = Path(f"/proc/{self.pid}/stat").read_text().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / TICKS

    def resident(self):
        """Octets of memory in use."""
        for line in Path(f"/proc/{self.pid}/status").read_text().splitlines():
            if line.startswith("VmRSS:"):
                return int(line.split()[1]) * 1024
        raise Failed(f"{self.name} has ended")

    def stop(self, seconds=15):
        if self.running():
            self.child.terminate()
            try:
                self.child.wait(seconds)
            except subprocess.TimeoutExpired:
                self.kill()

    def kill(self):
        self.child.kill()
        self.child.wait()

    def last_words(self):
        lines = self.log.read_text(errors="replace").splitlines()
        return "\n".join(f"    {self.name}: {line}" for line in lines[-5:])


CONFIGURATION = """\
node: bench
data_dir: {folder}/data
redis: {{url: "unix://{folder}/redis.sock"}}
listeners: [{{address: "unix://{folder}/assent.sock"}}, {{address: "tcp://127.0.0.1:{port}"}}]
http: {{address: "tcp://127.0.0.1:{http}"}}
programs:
  - {{name: offers, brand: Acme, classes: [marketing], senders: ["12025550100"], opt_in: single,
      quiet_hours: off}}
  - {{name: login, brand: Acme Bank, classes: [otp], senders: ["12025550101"], stop_reach: program}}
clients:
  - {{name: shop, uid: {uid}, programs: [offers, login]}}
carriers:
"""
CARRIER = """\
  - {{name: {name}, address: "tcp://127.0.0.1:{carrier}", system_id: {name}, sessions: {sessions},
      window: {window}, rate: {rate}, routes: [""]}}
"""
CARRIERS = ("alpha", "beta", "gamma", "delta")  # share the numbers by weight


class Lab:
    """One temporary folder with a carrier, a Redis and maybe a gateway in it."""

    def __init__(self, build, quick):
        self.build = build
        self.quick = quick
        disk = real_disk(os.environ.get("TMPDIR"), "/tmp", "/var/tmp", str(build))
        self.folder = Path(tempfile.mkdtemp(prefix="assent-bench-", dir=disk))
        self.children = []
        self.redis = self.carrier = self.gateway = None

    def __enter__(self):
        return self

    def __exit__(self, kind, value, trace):
        if kind is Failed:
            for child in self.children:
                if child.log.stat().st_size > 0:
                    print(child.last_words(), file=sys.stderr)
        for child in reversed(self.children):
            child.stop()
        shutil.rmtree(self.folder, ignore_errors=True)

    def spawn(self, name, *arguments):
        child = Process(name, arguments, self.folder)
        self.children.append(child)
        return child

    # --- Redis and the carrier

    def start_redis(self):
        deployed = Path(__file__).resolve().parent.parent / "deploy/redis.conf"
        self.redis = self.spawn("redis", "redis-server", deployed, "--unixsocket", self.folder / "redis.sock",
                                "--dir", self.folder)
        wait_for("Redis answers", lambda: subprocess.run(
            ["redis-cli", "-s", str(self.folder / "redis.sock"), "ping"], capture_output=True).returncode == 0)

    def start_carrier(self, *options):
        port_file = self.folder / "carrier.port"
        self.carrier = self.spawn("carrier", self.build / "smsc-sim", "--listen", "tcp://127.0.0.1:0",
                                  "--port-file", port_file, "--report", self.folder / "carrier.json", *options)
        self.carrier_port = int(wait_for("the carrier listens",
                                         lambda: port_file.exists() and port_file.read_text().strip()))

    def report(self):
        """What the carrier has seen so far."""
        path = self.folder / "carrier.json"
        path.unlink(missing_ok=True)
        self.carrier.child.send_signal(signal.SIGUSR1)
        wait_for("the carrier's report", path.exists)
        return json.loads(path.read_text())

    # --- the gateway

    def start_gateway(self, rate=1_000_000, window=1000, sessions=2, carriers=1):
        secret_mask = os.umask(0o077)
        (self.folder / "data").mkdir(exist_ok=True)
        self.http_port = free_port()
        self.port = free_port()
        text = CONFIGURATION.format(folder=self.folder, http=self.http_port, uid=os.getuid(), port=self.port)
        for name in CARRIERS[:carriers]:
            text += CARRIER.format(name=name, carrier=self.carrier_port, rate=rate, window=window,
                                   sessions=sessions)
        (self.folder / "assent.yaml").write_text(text)
        os.umask(secret_mask)
        self.run_gateway()

    def run_gateway(self, seconds=30):
        """Gives the seconds from start to ready."""
        begin = time.monotonic()
        self.gateway = self.spawn("assentd", self.build / "assentd", "-c", self.folder / "assent.yaml")

        def ready():
            if not self.gateway.running():
                raise Failed("assentd has ended")
            return self.http("/readyz") is not None
        wait_for("assentd is ready", ready, seconds, pause=0.005)
        return time.monotonic() - begin

    def http(self, path):
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.http_port}{path}", timeout=10) as answer:
                return answer.read().decode()
        except OSError:
            return None

    def metrics(self):
        lines = [line for line in (self.http("/metrics") or "").splitlines() if line and line[0] != "#"]
        return {name: float(value) for name, value in (line.rsplit(" ", 1) for line in lines)}

    def metric(self, name, label=""):
        return sum(value for key, value in self.metrics().items()
                   if key.split("{")[0] == name and label in key)

    def histogram_us(self, name, quantiles):
        """Quantiles in microseconds, linear inside the bucket that holds them."""
        buckets = []
        for key, value in self.metrics().items():
            if key.startswith(name + "_bucket{"):
                edge = key.split('le="')[1].split('"')[0]
                buckets.append((float("inf") if edge == "+Inf" else float(edge) * 1e6, value))
        buckets.sort()
        if not buckets or buckets[-1][1] == 0:
            return None
        return {label: round(_inside(buckets, q * buckets[-1][1])) for label, q in quantiles.items()}

    # --- submitters

    def submitter(self, *options, seconds=300):
        """A running assent-bench; finish() gives its JSON."""
        return Submitter(self, [str(o) for o in options], seconds)

    def submit(self, *options, seconds=300):
        return self.submitter(*options, seconds=seconds).finish()

    def record_opt_ins(self, count):
        """Those that came while the gate was closed for a moment, as on a busy disk, are refused: once more, all."""
        say(f"recording {thousands(count)} opt-ins")
        for _ in range(3):
            result = self.submit("--task", "opt-in", "--messages", count, "--calls", 256, "--connections", 4)
            if not result["refused"]:
                return result
        raise Failed(f"{result['refused']} opt-ins were refused: {result['codes']}")


def _inside(buckets, rank):
    below_edge, below_count = 0.0, 0.0
    for edge, count in buckets:
        if count >= rank:
            if edge == float("inf"):
                return below_edge
            return below_edge + (edge - below_edge) * (rank - below_count) / max(1, count - below_count)
        below_edge, below_count = edge, count
    return below_edge


class Dripper:
    """bench/drip.py while the `with` block lasts; `result` is its JSON then."""

    def __init__(self, port, connections, speak):
        self.child = subprocess.Popen(
            [sys.executable, Path(__file__).parent / "drip.py", str(port), "--connections", str(connections), "--speak",
             speak], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, preexec_fn=die_with_parent)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        out, _ = self.child.communicate(timeout=30)
        if self.child.returncode != 0:
            raise Failed("the dripping connections ended early")
        self.result = json.loads(out)


class Submitter:
    def __init__(self, lab, options, seconds):
        self.seconds = seconds
        self.child = subprocess.Popen(
            [lab.build / "assent-bench", "--connect", f"unix://{lab.folder}/assent.sock", "--client", "shop",
             "--progress", *options], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True,
            preexec_fn=die_with_parent)

    def finish(self):
        try:
            out, _ = self.child.communicate(timeout=self.seconds)
        except subprocess.TimeoutExpired:
            self.child.kill()
            self.child.wait()
            raise Failed(f"assent-bench was not done after {self.seconds} s") from None
        if self.child.returncode != 0:
            raise Failed("assent-bench failed")
        return json.loads(out)


class Clocks:
    """Processor time of some processes, from now on."""

    def __init__(self, **processes):
        self.processes = processes
        self.begin = {name: process.cpu() for name, process in processes.items()}

    def microseconds_each(self, messages):
        return {name: round((process.cpu() - self.begin[name]) * 1e6 / messages, 2)
                for name, process in self.processes.items()}
