#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A gateway seals what is full of its ledger by itself; what the tools tell of it is the same octets before and after,
also when the one that seals is killed at any moment."""
import os
import shutil
import subprocess
import time

import harness
from harness import say, wait_for

MESSAGES = 85_000  # of four records: five full segments
SEALED = ["00000000000000000001", "00000000000000065537", "00000000000000131073", "00000000000000196609"]


def tool(world, *arguments, check=True):
    return subprocess.run([os.path.join(harness.BUILD, arguments[0]), *map(str, arguments[1:])],
                          capture_output=True, text=True, check=check, timeout=120)


def told(world, data, number):
    trace = tool(world, "assent", "trace", "--data", data, number)
    assert "delivered" in trace.stdout
    return (trace.stdout, tool(world, "assent", "trace", "--data", data, "--json", "#70002").stdout,
            tool(world, "assent", "export", "--data", data, "--number", number).stdout)


def sealed_in(folder):
    return sorted(file.stem for file in folder.glob("*.sealed"))


def killed_anywhere(world, data, folder):
    """The one that seals, killed after a random while: nothing is lost, and the next one goes on."""
    for after_ms in (1, 4, 9, 16, 25, 36, 49, 64):
        child = subprocess.Popen([os.path.join(harness.BUILD, "assentd"), "--seal", str(data)], stderr=subprocess.DEVNULL)
        time.sleep(after_ms / 1000)
        child.kill()
        child.wait()
        numbers = {file.stem for pattern in ("*.seg", "*.sealed") for file in folder.glob(pattern)}
        assert len(numbers) == 6, numbers
    say("the one that seals is killed: each segment is there in one form or in both")


def main():
    with harness.World(start=False) as world:
        data = world.folder / "data"
        folder = data / "ledger"
        words = tool(world, "ledger-bench", data, MESSAGES, "append").stdout.split()
        number = "+" + words[words.index("number") + 1]
        before = told(world, data, number)
        raw = sum(file.stat().st_size for file in sorted(folder.glob("*.seg"))[:4])
        killed_anywhere(world, data, folder)
        assert told(world, data, number) == before
        shutil.copytree(data, world.folder / "copy")
        tool(world, "assentd", "--seal", world.folder / "copy")
        assert sealed_in(world.folder / "copy" / "ledger") == SEALED
        sealed = sum(file.stat().st_size for file in (world.folder / "copy" / "ledger").glob("*.sealed"))
        assert sealed < raw / 5, (sealed, raw)
        assert told(world, world.folder / "copy", number) == before
        say(f"{raw >> 10} KiB are {sealed >> 10} sealed; trace and export tell the same")
        world.start_redis()
        world.start_carrier()
        world.start_gateway()
        wait_for("sealed segments", lambda: set(SEALED) <= set(sealed_in(folder))
                 and not any((folder / (name + ".seg")).exists() for name in SEALED))
        say("a gateway seals by itself")
        verified = world.cli("verify")
        assert "Nothing was changed" in verified.stdout, verified.stdout
        world.gateway.stop()
        world.start_gateway()
        world.gateway.stop()
        assert "Nothing was changed" in world.cli("verify").stdout
        say("it starts again on sealed segments, and they verify")


if __name__ == "__main__":
    main()
