# SPDX-License-Identifier: Apache-2.0
"""Kannel 1.4.5 as Debian packages it: bearerbox, fed by its own mtbatch, in front of smsc-sim.

The settings are the fastest that were found: no log, no store on disk, receipts kept in memory, no
throughput limit. The rate is counted by the carrier from the first submit_sm on, so that reading the
batch costs Kannel nothing.
"""
import shutil
import time

from lab import FIRST_NUMBER, Clocks, Failed, free_port, say, thousands

CONFIGURATION = """\
group = core
admin-port = {admin}
admin-password = bench
log-level = 4
smsbox-port = {smsbox}
box-allow-ip = 127.0.0.1
smsbox-max-pending = 1000
sms-outgoing-queue-limit = -1
dlr-storage = internal

group = smsc
smsc = smpp
smsc-id = sim
host = 127.0.0.1
port = {carrier}
receive-port = 0
transceiver-mode = true
smsc-username = bench
smsc-password = bench
system-type = ""
max-pending-submits = {window}
source-addr-ton = 1
source-addr-npi = 1
dest-addr-ton = 1
dest-addr-npi = 1

group = smsbox
bearerbox-host = 127.0.0.1
"""
TEXT = "A text of one hundred characters, no more and no less, that is sent again and again. To leave: STOP."
PATIENCE_SECONDS = 120
IDLE_SECONDS = 5  # a carrier that hears nothing for so long has heard everything


def missing():
    """The name of a program that is not installed, or None."""
    return next((name for name in ("bearerbox", "mtbatch") if not find(name)), None)


def find(name):
    return shutil.which(name) or shutil.which(name, path="/usr/sbin:/usr/bin:/usr/local/sbin:/usr/local/bin")


def prepare(lab, messages, window):
    ports = {"admin": free_port(), "smsbox": free_port()}
    (lab.folder / "kannel.conf").write_text(
        CONFIGURATION.format(carrier=lab.carrier_port, window=window, **ports))
    (lab.folder / "text").write_text(TEXT)
    (lab.folder / "receivers").write_text(
        "".join(f"{number}\n" for number in range(FIRST_NUMBER, FIRST_NUMBER + messages)))
    return ports["smsbox"]


def wait_until_done(lab, messages, receipts):
    end, last, moved = time.monotonic() + PATIENCE_SECONDS, -1, time.monotonic()
    while time.monotonic() < end:
        time.sleep(0.5)
        report = lab.report()
        count = report["receipts"]["answered"] if receipts else report["submits"]["accepted"]
        if count >= messages:
            return report
        if count != last:
            last, moved = count, time.monotonic()
        elif count > 0 and time.monotonic() - moved > IDLE_SECONDS:
            raise Failed(f"Kannel stopped after {thousands(count)} of {thousands(messages)}")
    raise Failed(f"Kannel was not done after {PATIENCE_SECONDS} s")


def run(lab, messages, receipts, window):
    """One run in a fresh lab."""
    lab.start_carrier("--subscribers", "none")
    smsbox_port = prepare(lab, messages, window)
    bearerbox = lab.spawn("bearerbox", find("bearerbox"), "-v", "4", lab.folder / "kannel.conf")
    time.sleep(2)  # it binds and listens; its state is told only in prose
    clocks = Clocks(bearerbox=bearerbox, **{"smsc-sim": lab.carrier})
    dlr = ["-D", "3", "-u", "http://127.0.0.1:9/"] if receipts else []  # asked for, and correlated
    lab.spawn("mtbatch", find("mtbatch"), "-v", "4", "-b", "127.0.0.1", "-p", smsbox_port, "-f",
              "12025550100", *dlr, lab.folder / "text", lab.folder / "receivers")
    report = wait_until_done(lab, messages, receipts)
    times = report["times_us"]
    end = times["last_receipt"] if receipts else times["last_submit"]
    seconds = (end - times["first_submit"]) / 1e6
    rate = messages / seconds
    say(f"Kannel {'with' if receipts else 'without'} receipts, window {window}: {thousands(rate)}/s")
    return {"per_second": rate, "seconds": seconds, "cpu_us": clocks.microseconds_each(messages)}
