#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A full disk: submissions are refused with RESOURCE_EXHAUSTED, a STOP is still effective, and when
space returns everything goes on. The disk is a small tmpfs, which needs the right to mount one."""
import subprocess
import tempfile
import time
from pathlib import Path

import harness
import wire
from harness import say

OTP, MARKETING = 1, 3
RESOURCE_EXHAUSTED = 8
LEAVER, STAYER = "12025550140", "12025550141"


def fill(path):
    with open(path, "ab", buffering=0) as ballast:
        block = 1 << 16
        while block:
            try:
                ballast.write(b"\0" * block)
            except OSError:
                block //= 16


def refused(world):
    """Submits until the gateway has no room; gives the verdict's words."""
    with world.connect() as client:
        client.hello()
        for call in range(2, 3000):
            batch = [("login", OTP, "12025550142", f"code {call} " + "x" * 100)] * 100
            answer = client.call(call, wire.SUBMIT, wire.submit_request(*batch))
            if answer[1] == wire.FAILURE:
                assert answer[2][1][0] == RESOURCE_EXHAUSTED, answer
                return answer[2][2][0].decode()
            verdicts = [wire.parse(verdict) for verdict in answer[2][1]]
            for verdict in verdicts:
                if 1 in verdict:
                    assert verdict[1][0] == RESOURCE_EXHAUSTED, verdict
                    return verdict[3][0].decode()
    raise AssertionError("never refused")


def run(disk):
    subscribers = disk.parent / "subscribers"
    subscribers.write_text(f"+{LEAVER} stop=1\n")
    options = ["--subscribers", subscribers, "--reply-delay", "3s"]
    ballast = disk / "ballast"
    ballast.touch()  # a full disk may have no room for another name
    with harness.World(rate=5000, data=disk, carrier_options=options) as world:
        world.record_opt_ins("news", [LEAVER, STAYER])
        world.submit(("news", MARKETING, LEAVER, "First news. Reply STOP to end"))
        harness.wait_for("the news is sent", lambda: any(p.destination == LEAVER for p in world.pdus()))
        fill(ballast)
        words = refused(world)
        say(f"full disk: submissions are refused: {words}")
        harness.wait_for("the STOP has come", lambda: any(p.text.upper().startswith("STOP")
                                                          for p in world.pdus() if p.name == "deliver_sm"))
        time.sleep(2)
        assert world.gateway.running(), "a full disk ended the gateway"
        ballast.unlink()

        def accepted_again():
            with world.connect() as client:
                client.hello()
                answer = client.call(2, wire.SUBMIT, wire.submit_request(
                    ("news", MARKETING, LEAVER, "Second news. Reply STOP to end"),
                    ("news", MARKETING, STAYER, "Second news. Reply STOP to end")))
                return answer[1] == wire.SUBMIT_REPLY and all(1 not in wire.parse(v) for v in answer[2][1])
        harness.wait_for("space returns and submissions are taken", accepted_again, 60, 0.5)
        harness.wait_for("the other one gets the news", lambda: any(
            p.destination == STAYER and p.text.startswith("Second") for p in world.pdus()))
        harness.wait_for("the STOP is answered", lambda: any(
            p.name == "deliver_sm_resp" and p.status == 0 for p in world.pdus()), 90)
        time.sleep(1)
        late = [p for p in world.pdus() if p.destination == LEAVER and p.text.startswith("Second")]
        assert not late, "a STOP that came on a full disk was not effective"
        shown = world.cli("consent", "show", LEAVER).stdout
        assert "news" in shown, shown
        say("space returned: sending goes on, and the STOP that came meanwhile holds")
        world.gateway.stop()
        world.start_gateway()
        say("and the ledger opens again")


def main():
    with tempfile.TemporaryDirectory(prefix="assent-disk-") as folder:
        disk = Path(folder) / "disk"
        disk.mkdir()
        mount = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=48m,mode=700", "assent-test", disk],
                               capture_output=True, text=True)
        if mount.returncode != 0:
            harness.skip("no right to mount a tmpfs here: " + mount.stderr.strip())
        try:
            run(disk)
        finally:
            subprocess.run(["umount", "-l", disk], check=True)


main()
