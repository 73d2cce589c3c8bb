# SPDX-License-Identifier: Apache-2.0
"""What the gates of marketing cost: the end-to-end run of `assent` with all of them off and with all of them
on, by turns, in two gateways that each have a Redis and a carrier of their own.

    python3 bench/gates.py BUILD [MESSAGES] [ROUNDS]       by itself; else bench/run has it
"""
import datetime
import subprocess
import sys
import time
import zoneinfo
from pathlib import Path

from lab import FIRST_NUMBER, Clocks, Failed, Lab, median, say, thousands

MESSAGES, ROUNDS, QUICK_MESSAGES = 200_000, 5, 20_000

REGISTRY = """\
quiet_hours_default: "8-21"
senders:
  - {number: "12025550100", registrations: [{country: US, classes: [marketing, otp], expires: 2099-12-31}]}
  - {number: "12025550101", registrations: [{country: US, classes: [marketing, otp], expires: 2099-12-31}]}
do_not_originate: do-not-originate.txt
"""
ON = ("opt_in: {opt_in},\n      quiet_hours: auto, consent_max_age: 365d, do_not_call: register,\n"
      "      frequency_cap: {{count: 4, window: 30d}}, brand_named: require, link_shorteners: refuse")
OFF = "opt_in: single,\n      quiet_hours: off, brand_named: off, link_shorteners: allow"
LISTED = 10_000  # numbers of each register and of the list of senders
LISTED_FROM = 17_000_000_000
ZONES = ("Pacific/Honolulu", "America/Los_Angeles", "America/New_York", "Atlantic/Azores", "Europe/Paris",
         "Asia/Karachi", "Asia/Tokyo", "Pacific/Auckland")


def zone_of_day():
    """Where it is nearest to one o'clock in the afternoon now."""
    def off(name):
        local = datetime.datetime.now(zoneinfo.ZoneInfo(name))
        return abs(local.hour + local.minute / 60 - 13)
    return min(ZONES, key=off)


def configure(lab, program, registry):
    """The configuration of a started gateway with other words about `offers`, from its next start on."""
    path = lab.folder / "assent.yaml"
    words = path.read_text()
    begin = words.index("opt_in:")
    words = words[:begin] + program + words[words.index("}", words.index("quiet_hours:", begin)):]
    path.write_text((REGISTRY if registry else "") + words)


def restart(lab):
    lab.gateway.stop()
    lab.run_gateway()


def import_register(lab, kind):
    path = lab.folder / f"{kind}.csv"
    today = datetime.date.today().isoformat()
    path.write_text("number,source,evidence,obtained_at\n" +
                    "".join(f"+{LISTED_FROM + i},register,,{today}\n" for i in range(LISTED)))
    done = subprocess.run([str(lab.build / "assent"), "-c", str(lab.folder / "assent.yaml"), "consent", "import",
                           "--kind", kind, str(path)], capture_output=True, text=True)
    if done.returncode != 0:
        raise Failed(f"the import of {kind}: {done.stdout[-300:]} {done.stderr[-300:]}")


def prepare(lab, numbers, gates):
    lab.start_redis()
    lab.start_carrier("--subscribers", "none")
    lab.start_gateway()
    (lab.folder / "do-not-originate.txt").write_text("".join(f"{LISTED_FROM + i}\n" for i in range(LISTED)))
    configure(lab, ON.format(opt_in="single") if gates else OFF, gates)
    restart(lab)
    lab.record_opt_ins(numbers)
    if gates:  # what was recorded counts for a program that asks twice, too
        import_register(lab, "do-not-call")
        import_register(lab, "reassigned")
        path = lab.folder / "assent.yaml"
        path.write_text(path.read_text().replace("opt_in: single", "opt_in: double"))
        restart(lab)


def outcomes(lab):
    return {key.split('outcome="')[1].rstrip('"}'): value for key, value in lab.metrics().items()
            if key.startswith('assent_messages_total{class="marketing",outcome=')}


def wait_for_receipts(lab, before, messages, seconds=120):
    """Until each has its end; one that ended otherwise than delivered has no place in a measurement."""
    def more(name):
        return now.get(name, 0) - before.get(name, 0)
    end = time.monotonic() + seconds
    while (now := outcomes(lab)) and more("delivered") < messages:
        others = {name: more(name) for name in now if name != "delivered" and more(name) > 0}
        if others:
            raise Failed(f"not every message was delivered: {others}")
        if time.monotonic() > end:
            raise Failed(f"waited {seconds} s: {more('delivered'):,.0f} of {messages:,} delivered, "
                         f"{lab.metric('assent_open_messages'):,.0f} open, gate open: {lab.metric('assent_gate_open')}, "
                         f"aged verdicts: {lab.metric('assent_consent_checks_aged_total')}")
        time.sleep(0.1)


def run(lab, messages, first, zone):
    """As `assent` does: from the first Submit written to the last receipt answered."""
    before = outcomes(lab)
    clocks = Clocks(assentd=lab.gateway, **{"redis-server": lab.redis})
    load = lab.submit("--messages", messages, "--calls", 8, "--first-number", first, *zone)
    if load["refused"]:
        raise Failed(f"{load['refused']} messages were refused: {load['codes']}")
    wait_for_receipts(lab, before, messages)
    seconds = (lab.report()["times_us"]["last_receipt"] - load["first_us"]) / 1e6
    return {"per_second": messages / seconds, "cpu_us": clocks.microseconds_each(messages)}


def of_all(runs):
    return {"per_second": median([run["per_second"] for run in runs]), "runs": runs,
            "cpu_us": {name: median([run["cpu_us"][name] for run in runs]) for name in runs[0]["cpu_us"]}}


def measure(new_lab, messages, rounds):
    """Each round has numbers of its own: the first text to each inside its cap."""
    zone = zone_of_day()
    runs = {"off": [], "on": []}
    with new_lab() as off, new_lab() as on:
        prepare(off, messages * rounds, False)
        prepare(on, messages * rounds, True)
        for i in range(rounds):
            for name, lab, words in (("off", off, ()), ("on", on, ("--time-zone", zone))):
                runs[name].append(run(lab, messages, FIRST_NUMBER + i * messages, words))
    result = {name: of_all(each) for name, each in runs.items()}
    pairs = list(zip(runs["on"], runs["off"]))
    result["rate_ratio"] = median([on_run["per_second"] / off_run["per_second"] for on_run, off_run in pairs])
    result["cpu_ratio"] = median([sum(on_run["cpu_us"].values()) / sum(off_run["cpu_us"].values())
                                  for on_run, off_run in pairs])
    say(f"gates: {thousands(result['on']['per_second'])}/s with all, {thousands(result['off']['per_second'])}/s with "
        f"none: {result['rate_ratio']:.1%} of the rate, {result['cpu_ratio']:.1%} of the processor time")
    return result


def measure_gates(new_lab, quick):
    return measure(new_lab, QUICK_MESSAGES if quick else MESSAGES, 1 if quick else ROUNDS)


if __name__ == "__main__":
    build, sizes = Path(sys.argv[1]).resolve(), [int(word) for word in sys.argv[2:]]
    figures = measure(lambda: Lab(build, False), *(sizes + [MESSAGES, ROUNDS][len(sizes):]))
    for which in ("off", "on"):
        print(f"{which:4}{figures[which]['per_second']:>10,.0f}/s   {figures[which]['cpu_us']}")
