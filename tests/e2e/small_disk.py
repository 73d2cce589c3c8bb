# SPDX-License-Identifier: Apache-2.0
"""A disk that is soon full: a small tmpfs, which needs the right to mount one."""
import contextlib
import os
import subprocess
import tempfile
from pathlib import Path

import harness
import wire

OTP = 1
RESOURCE_EXHAUSTED = 8


@contextlib.contextmanager
def mounted():
    """An empty disk of 48 MiB, or None where there is no right to mount it."""
    with tempfile.TemporaryDirectory(prefix="assent-disk-") as folder:
        disk = Path(folder) / "disk"
        disk.mkdir()
        mount = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=48m,mode=700", "assent-test", disk],
                               capture_output=True, text=True)
        if mount.returncode != 0:
            harness.say("no right to mount a tmpfs here: " + mount.stderr.strip())
            yield None
            return
        (disk / "ballast").touch()  # a full disk may have no room for another name
        try:
            yield disk
        finally:
            subprocess.run(["umount", "-l", disk], check=True)


def fill(disk):
    with open(disk / "ballast", "ab", buffering=0) as ballast:
        block = 1 << 16
        while block:
            try:
                ballast.write(b"\0" * block)
            except OSError:
                block //= 16


def free(disk):
    (disk / "ballast").unlink()


def give_back_reserve(disk):
    """For a ledger that is closed: what it holds in reserve, zeros behind the last record of its last file."""
    last = max((disk / "ledger").iterdir())
    used = len(last.read_bytes().rstrip(b"\0")) + 64
    os.truncate(last, min(used, last.stat().st_size))


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
