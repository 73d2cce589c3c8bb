#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Quiet hours end to end: a text for a place where it is night is held and says until when, through a kill
and a restart; one for a place where it is day goes out. The submitter's word about the zone makes both, so
that the test passes at any hour."""
import datetime
import json
import time
import zoneinfo

import harness
from harness import say

CONFIG = harness.CONFIG.replace("quiet_hours: off", "quiet_hours: auto") + 'quiet_hours_default: "9-20"\n'
NIGHT, DAY = "12125550101", "12125550102"
ZONES = ["Pacific/Honolulu", "America/Los_Angeles", "America/Denver", "America/New_York", "America/Puerto_Rico",
         "America/Sao_Paulo", "Europe/London", "Asia/Dubai", "Asia/Kolkata", "Asia/Tokyo", "Pacific/Auckland"]


def hour_in(name):
    now = datetime.datetime.now(zoneinfo.ZoneInfo(name))
    return now.hour + now.minute / 60


def pick(allowed):
    """A zone well inside the hours that every law of a US number allows, or well outside of them all."""
    for name in ZONES:
        hour = hour_in(name)
        sunday = datetime.datetime.now(zoneinfo.ZoneInfo(name)).weekday() == 6
        if allowed and (12.2 if sunday else 10.2) < hour < 16.5:
            return name
        if not allowed and (hour < 6.5 or hour > 21.2):
            return name
    raise AssertionError(f"no zone is {'awake' if allowed else 'asleep'}")


def send(world, number, zone, *options):
    return world.cli("send", "--program", "news", "--to", number, "--text", "Herald: hello. Reply STOP to end",
                        "--time-zone", zone, "--json", *options, check=False)


def sent_to(world, number):
    return [p for p in world.pdus() if p.name == "submit_sm" and p.destination == number]


def verdict(result):
    return json.loads(result.stdout.splitlines()[0])


def main():
    night, day = pick(allowed=False), pick(allowed=True)
    say(f"night in {night}, day in {day}")
    with harness.World(config=CONFIG) as world:
        world.record_opt_ins("news", [NIGHT, DAY])
        held, sent = verdict(send(world, NIGHT, night)), verdict(send(world, DAY, day))
        now_ms = time.time() * 1000
        assert now_ms < int(held["due_wall_ms"]) < now_ms + 16 * 3600e3, held
        assert not int(sent.get("due_wall_ms", 0)), sent

        harness.wait_for("the text for where it is day", lambda: sent_to(world, DAY))
        assert not sent_to(world, NIGHT), "sent at night"
        state = json.loads(world.cli("query", str(held["id"]), "--json").stdout)
        assert state["state"] == "scheduled" and state["held"] == "quiet_hours", state
        assert abs(state["due_wall_ms"] - held["due_wall_ms"]) < 20, (state, held)
        status = json.loads(world.cli("status", "--json").stdout)
        assert int(status["quiet"]) == 1, status
        assert "quiet hours" in world.cli("query", str(held["id"])).stdout

        say("refused where the time-to-live is over before")
        refused = send(world, NIGHT, night, "--ttl", "5m")
        assert refused.returncode == 1 and verdict(refused)["code"] == "FAILED_PRECONDITION", refused.stdout
        assert int(verdict(refused)["due_wall_ms"]) > now_ms
        bad = send(world, NIGHT, "Mars/Olympus")
        assert bad.returncode == 1 and "time_zone" in verdict(bad)["message"], bad.stdout
        dry = verdict(send(world, NIGHT, night, "--dry-run"))
        assert int(dry["due_wall_ms"]) > now_ms, dry

        rows = world.folder / "rows.csv"
        rows.write_text(f"number,time_zone\n{NIGHT},{night}\n{DAY},{day}\n")
        lines = world.cli("send", "--program", "news", "--csv", rows, "--template", "Herald: hi. Reply STOP to end",
                          "--dry-run", "--json").stdout.splitlines()
        due = {row["number"]: int(row.get("due_wall_ms", 0)) for row in map(json.loads, lines) if "number" in row}
        assert due[NIGHT] > now_ms and due[DAY] == 0, due

        say("through a kill")
        world.gateway.kill()
        world.start_gateway()
        again = json.loads(world.cli("query", str(held["id"]), "--json").stdout)
        assert again["held"] == "quiet_hours", again
        assert abs(int(again["due_wall_ms"]) - int(held["due_wall_ms"])) < 1000, (again, held)
        time.sleep(1)
        assert not sent_to(world, NIGHT), "sent at night after a restart"

        trace = world.cli("trace", str(held["id"])).stdout
        assert "quiet hours; again at" in trace and "by the submitter's word" in trace, trace
        assert "local time" in world.cli("trace", str(sent["id"])).stdout
        world.cli("cancel", str(held["id"]))
        assert int(json.loads(world.cli("status", "--json").stdout).get("quiet", 0)) == 0


if __name__ == "__main__":
    main()
