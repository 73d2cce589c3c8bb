#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The registry of senders end to end: what is registered goes out and the ledger says which gates it passed;
what is not is refused with what to do; a registration that is taken away while a text waits stops it; a list of
numbers that may not originate stops all of a sender's; bad lists change nothing."""
import datetime
import json
import subprocess

import harness
from harness import BUILD, say, wait_for
from reload_test import load

TODAY = datetime.datetime.now(datetime.timezone.utc).date()


def day(ahead):
    return (TODAY + datetime.timedelta(days=ahead)).isoformat()


REGISTRY = f"""\
senders:
  - number: "12025550100"
    registrations: [{{{{country: US, classes: [marketing], expires: {day(-1)}}}}}]
  - number: "12025550101"
    registrations:
      - {{{{country: US, classes: [otp, transactional], id: C123, expires: {day(20)}}}}}
  - number: "12025550102"
    registrations: [{{{{country: US, classes: [marketing]}}}}]
"""
CONFIG = harness.CONFIG + REGISTRY
TEXT = "Herald: hello. Reply STOP to end"


def send(world, program, number, text, *options):
    result = world.cli("send", "--program", program, "--to", number, "--text", text, "--json", *options,
                       check=False)
    return result.returncode, json.loads(result.stdout.splitlines()[0])


def refused(world, program, number, text, *options):
    status, verdict = send(world, program, number, text, *options)
    assert status == 1 and verdict["code"] == "FAILED_PRECONDITION", verdict
    return verdict["message"]


def written(world):
    return sum(p.name == "submit_sm" for p in world.pdus())


def check_only(world):
    result = subprocess.run([BUILD / "assentd", "-t", "-c", world.config_file], capture_output=True, text=True,
                            timeout=30, check=False)
    return result.returncode, result.stdout + result.stderr


def main():
    with harness.World(config=CONFIG) as world:
        world.record_opt_ins("news", ["12025550123", "447700900123"])
        status, said = check_only(world)
        assert status == 0, said
        assert "12025550100 has no valid registration for marketing" in said, said
        assert f"up to {day(-1)}; warning: it has EXPIRED" in said, said
        assert f'as "C123", up to {day(20)}; warning: 20 days left' in said, said

        status, verdict = send(world, "news", "12025550123", TEXT)
        assert status == 0, verdict
        wait_for("the text", lambda: written(world) == 1)
        wait_for("its record", lambda: "gates passed: origin, registration"
                 in world.cli("trace", str(verdict["id"])).stdout)
        assert "has expired: renew it" in refused(world, "offers", "12025550123", TEXT)
        assert "not registered for this class in the recipient's country" in refused(
            world, "news", "447700900123", TEXT)
        assert "SENDER_NOT_REGISTERED" in refused(world, "login", "447700900123", "1234", "--class", "otp")

        say("taken away while a text waits")
        status, verdict = send(world, "news", "12025550123", TEXT, "--at", "+3s")
        assert status == 0, verdict
        good = world.config_text
        log = load(world, good.replace('"12025550102"\n    registrations: [{country: US',
                                       '"12025550102"\n    registrations: [{country: GB'))
        assert "config_loaded" in log, log
        wait_for("its end", lambda: "sender not registered"
                 in world.cli("trace", str(verdict["id"])).stdout)
        assert written(world) == 1

        say("numbers that may not originate")
        numbers = world.folder / "dno.txt"
        numbers.write_text("# only receive\n18885550100\nhello\n")
        log = load(world, good + "do_not_originate: dno.txt\n")
        assert "config_kept" in log and "dno.txt:3: not a number" in log, log
        numbers.write_text("# only receive\n120255501*\n")
        log = load(world, good + "do_not_originate: dno.txt\n")
        assert "config_loaded" in log, log
        assert "DO_NOT_ORIGINATE" in refused(world, "news", "12025550123", TEXT)
        log = load(world, good.replace('  - number: "12025550102"\n    registrations',
                                       '  - number: "12025550102"\n    direction: inbound\n    # was'))
        assert "config_kept" in log and "which only receives" in log, log
        log = load(world, good)
        assert "config_loaded" in log, log
        status, verdict = send(world, "news", "12025550123", TEXT)
        assert status == 0, verdict
        wait_for("the text after all", lambda: written(world) == 2)


if __name__ == "__main__":
    main()
