#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Five hundred connections that send one octet a second, at the carrier, at the submitters' listener and at
a listener with TLS: memory stays small, the dripping ones are sent away, and honest ones notice nothing.
bench/run --only drip measures it with ten thousand."""
import json
import subprocess
import sys
import time
from pathlib import Path

import harness
import wire
from harness import PATIENCE, say, wait_for

OTP = 1
CONNECTIONS = 500
ROOT = Path(__file__).resolve().parent.parent.parent
CONFIG = harness.CONFIG.replace("http:", """\
  - {{address: "tls://127.0.0.1:PORT", tls: {{cert_file: server.pem, key_file: server.key}}}}
http:""", 1)


def resident(process):
    for line in Path(f"/proc/{process.pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) * 1024
    return 0


class Dripper:
    def __init__(self, port, speak):
        self.child = subprocess.Popen([sys.executable, ROOT / "bench" / "drip.py", str(port), "--connections",
                                       str(CONNECTIONS), "--speak", speak], stdin=subprocess.PIPE,
                                      stdout=subprocess.PIPE, text=True, preexec_fn=harness.die_with_parent)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        out, _ = self.child.communicate(timeout=PATIENCE)
        self.result = json.loads(out)


def honest(world, address, number):
    """A new connection, a message, and the carrier has it."""
    begin = time.monotonic()
    with wire.Client(address) as client:
        client.hello("shop", harness.API_KEY)
        answer = client.call(2, wire.SUBMIT, wire.submit_request(("login", OTP, "12025550150", f"code {number}")))
        assert answer[1] == wire.SUBMIT_REPLY and 1 not in wire.parse(answer[2][1][0]), answer
    wait_for("the carrier has it", lambda: any(p.text == f"code {number}" for p in world.pdus()))
    return time.monotonic() - begin


def beside(world, what, port, speak, server, seconds):
    before, worst = resident(server), 0.0
    with Dripper(port, speak) as dripper:
        end = time.monotonic() + seconds
        number = 0
        while time.monotonic() < end:
            worst = max(worst, honest(world, ("127.0.0.1", world.port), f"{what}-{number}"))
            number += 1
            time.sleep(0.3)
        grown = resident(server) - before
    result = dripper.result
    assert result["most_held"] == CONNECTIONS, result
    assert result["closed_by_server"] >= CONNECTIONS, result  # each met its deadline
    assert grown < 128 << 20, grown  # a sanitizer takes three times as much
    assert worst < PATIENCE
    say(f"{what}: {result['most_held']} held, {result['closed_by_server']} sent away, {grown >> 10} KiB more memory; "
        f"{number} honest ones, the slowest {worst:.2f} s from connect to carrier")


def main():
    with harness.World(config=CONFIG, start=False, carrier_options=("--subscribers", "none")) as world:
        tls_port = harness.free_port()
        world.config_file.write_text(world.config_text.replace("PORT", str(tls_port)))
        subprocess.run([ROOT / "tests" / "certificates", world.folder], check=True, timeout=PATIENCE)
        world.start_redis()
        world.start_carrier()
        world.start_gateway()
        beside(world, "the listener", world.port, "frames", world.gateway, 8)
        beside(world, "the listener with TLS", tls_port, "tls", world.gateway, 11)
        beside(world, "the carrier", world.carrier_port, "smpp", world.carrier, 13)
        assert "event=carrier_lost" not in world.gateway.output()


main()
