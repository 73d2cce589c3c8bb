#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A full disk: submissions are refused with RESOURCE_EXHAUSTED, a STOP is still effective, and when
space returns everything goes on."""
import time

import harness
import small_disk
import wire
from harness import say

MARKETING = 3
LEAVER, STAYER = "12025550140", "12025550141"


def run(disk):
    subscribers = disk.parent / "subscribers"
    subscribers.write_text(f"+{LEAVER} stop=1\n")
    options = ["--subscribers", subscribers, "--reply-delay", "3s"]
    with harness.World(rate=5000, data=disk, carrier_options=options) as world:
        world.record_opt_ins("news", [LEAVER, STAYER])
        world.submit(("news", MARKETING, LEAVER, "First Herald. Reply STOP to end"))
        harness.wait_for("the news is sent", lambda: any(p.destination == LEAVER for p in world.pdus()))
        small_disk.fill(disk)
        words = small_disk.refused(world)
        say(f"full disk: submissions are refused: {words}")
        harness.wait_for("the STOP has come", lambda: any(p.text.upper().startswith("STOP")
                                                          for p in world.pdus() if p.name == "deliver_sm"))
        time.sleep(2)
        assert world.gateway.running(), "a full disk ended the gateway"
        small_disk.free(disk)

        def accepted_again():
            with world.connect() as client:
                client.hello()
                answer = client.call(2, wire.SUBMIT, wire.submit_request(
                    ("news", MARKETING, LEAVER, "Second Herald. Reply STOP to end"),
                    ("news", MARKETING, STAYER, "Second Herald. Reply STOP to end")))
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
    with small_disk.mounted() as disk:
        if disk is None:
            harness.skip("no disk to fill")
        run(disk)


main()
