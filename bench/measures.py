# SPDX-License-Identifier: Apache-2.0
"""The measurements, one function each: it gets a factory of labs and gives a dictionary for the JSON.

Sizes are (full, quick). A run that is repeated gives every run and the median.
"""
import contextlib
import json
import time

import gates
import imports
from lab import OTP_NUMBER, Clocks, Dripper, Failed, median, quantile, say, thousands, wait_for
from peers import kannel

QUANTILES = {"p50": 0.5, "p99": 0.99, "p999": 0.999}
WINDOW = 1000


def pick(quick, full_size, quick_size):
    return quick_size if quick else full_size


def by_median(runs):
    """The run in the middle, with all rates beside it."""
    middle = sorted(runs, key=lambda run: run["per_second"])[len(runs) // 2]
    return {**middle, "per_second": median([run["per_second"] for run in runs]),
            "runs": [run["per_second"] for run in runs]}


# --- throughput

def measure_floor(new_lab, quick):
    messages, runs = pick(quick, (500_000, 3), (50_000, 1))
    return by_median([floor_run(new_lab, messages) for _ in range(runs)])


def floor_run(new_lab, messages):
    with new_lab() as lab:
        lab.start_redis()
        lab.start_carrier("--subscribers", "none")
        floor = lab.spawn("floor", lab.build / "floor", lab.folder / "redis.sock", lab.carrier_port,
                          messages, 2 * WINDOW)
        wait_for("the floor's end", lambda: not floor.running(), 120)
        if floor.child.returncode != 0:
            raise Failed("floor failed")
        _, seconds, rate, cpu = (float(word) for word in floor.log.read_text().split())
        say(f"floor: {thousands(rate)}/s")
        return {"per_second": rate, "seconds": seconds,
                "cpu_us": {"floor": cpu, "smsc-sim": round(lab.carrier.cpu() * 1e6 / messages, 2)}}


def measure_kannel(new_lab, quick):
    absent = kannel.missing()
    if absent:
        say(f"Kannel: skipped, {absent} is not installed (Debian packages kannel and kannel-extras)")
        return {"skipped": f"{absent} is not installed"}
    windows = pick(quick, (100, 1000), (100,))
    result = {}
    for name, receipts, sizes in (("without_receipts", False, (150_000, 10_000)),
                                  ("with_receipts", True, (40_000, 4_000))):
        messages = pick(quick, *sizes)
        runs = []
        for window in windows:
            with new_lab() as lab:
                runs.append({**kannel.run(lab, messages, receipts, window), "window": window})
        result[name] = max(runs, key=lambda run: run["per_second"])
        result[name]["runs"] = [run["per_second"] for run in runs]
    return result


def measure_assent(new_lab, quick):
    messages, runs = pick(quick, (500_000, 3), (50_000, 1))
    with new_lab() as lab:
        lab.start_redis()
        lab.start_carrier("--subscribers", "none")
        lab.start_gateway()
        opt_ins = lab.record_opt_ins(messages)
        result = by_median([assent_run(lab, messages) for _ in range(runs)])
        result["opt_ins_per_second"] = opt_ins["per_second"]
        return result


CARRIER_WAYS = {"one": (1, 2 * WINDOW), "same_total": (4, 2 * WINDOW // 16), "same_window": (4, WINDOW)}


def measure_carriers(new_lab, quick):
    """One session to one carrier against four to each of four: once with windows that are as large together, once
    with those of one session in the main run. The ratios, of rates and of processor time, are medians of rounds, by
    several sets of processes, since these differ."""
    messages, sets, rounds = pick(quick, (300_000, 4, 4), (50_000, 1, 1))
    runs = {way: [] for way in CARRIER_WAYS}
    for _ in range(sets):
        run_carriers(new_lab, messages, rounds, runs)
    result = {way: by_median(of) for way, of in runs.items()}
    for way in ("same_total", "same_window"):
        pairs = list(zip(runs[way], runs["one"]))
        result[way]["ratio"] = median([many["per_second"] / one["per_second"] for many, one in pairs])
        result[way]["cpu_ratio"] = median([many["cpu_us"]["assentd"] / one["cpu_us"]["assentd"] for many, one in pairs])
        say(f"4 sessions to each of 4 carriers, windows of {CARRIER_WAYS[way][1]}: {result[way]['ratio']:.1%} of the "
            f"rate of one of {2 * WINDOW}, {result[way]['cpu_ratio']:.1%} of its processor time a message")
    return result


def run_carriers(new_lab, messages, rounds, runs):
    """A gateway for each way, with a Redis and a carrier of its own; the first run of each only warms it up."""
    with contextlib.ExitStack() as stack:
        labs = {way: stack.enter_context(new_lab()) for way in CARRIER_WAYS}
        for way, (each, window) in CARRIER_WAYS.items():
            labs[way].start_redis()
            labs[way].start_carrier("--subscribers", "none")
            labs[way].start_gateway(sessions=each, carriers=each, window=window)
            labs[way].record_opt_ins(messages)
            assent_run(labs[way], messages)
        for _ in range(rounds):
            for way, lab in labs.items():
                runs[way].append(assent_run(lab, messages))


def delivered(lab):
    return lab.metric("assent_messages_total", 'class="marketing",outcome="delivered"')


def is_durable(metrics):
    return metrics["assent_ledger_durable_sequence"] >= metrics["assent_ledger_sequence"]


def assent_run(lab, messages):
    """Consent checked, receipts correlated, everything fsynced: the rate counts from the first Submit
    written to the last receipt answered."""
    before = delivered(lab)
    clocks = Clocks(assentd=lab.gateway, **{"redis-server": lab.redis, "smsc-sim": lab.carrier})
    load = lab.submit("--messages", messages, "--calls", 8)
    if load["refused"]:
        raise Failed(f"{load['refused']} messages were refused: {load['codes']}")
    wait_for("every receipt", lambda: delivered(lab) - before >= messages, 120, pause=0.1)
    wait_for("the last fsync", lambda: is_durable(lab.metrics()), 10)
    report = lab.report()
    seconds = (report["times_us"]["last_receipt"] - load["first_us"]) / 1e6
    rate = messages / seconds
    cpu = clocks.microseconds_each(messages)
    cpu["assent-bench"] = round(load["processor_seconds"] * 1e6 / messages, 2)
    say(f"Assent: {thousands(rate)}/s; accepted {thousands(load['per_second'])}/s")
    return {"per_second": rate, "begin": load["first_us"] / 1e6, "seconds": seconds,
            "accepted_per_second": load["per_second"],
            "steady_per_second": steady(report, load["first_us"]), "cpu_us": cpu}


def steady(report, begin_us):
    """The median of whole seconds, at the carrier, without the first and the last."""
    first, last = report["times_us"]["first_submit"], report["times_us"]["last_submit"]
    inside = [count for second, count in enumerate(report["submits_by_second"])
              if first + second * 1e6 >= begin_us + 1e6 and first + (second + 1) * 1e6 <= last]
    return median(inside) if inside else None


# --- latency, memory and recovery beside a backlog

def measure_backlog(new_lab, quick):
    backlog, rate, codes = pick(quick, (1_000_000, 5_000, 3_000), (50_000, 1_000, 250))
    with new_lab() as lab:
        lab.start_redis()
        log = lab.folder / "pdus.log"
        lab.start_carrier("--subscribers", "none", "--log", log)
        lab.start_gateway(rate=rate, window=100, sessions=1)
        spare = rate * (codes // 50 + 40)  # what leaves while codes are measured and the backlog made
        lab.record_opt_ins(backlog + spare)
        result = {"backlog": backlog, "memory": fill(lab, backlog, spare)}
        result["otp"] = measure_codes(lab, codes, log)
        result["recovery"] = recover(lab)
        return result


def waiting(lab):
    return lab.metric("assent_waiting_messages")


def fill(lab, backlog, spare):
    empty = lab.gateway.resident()
    say(f"submitting {thousands(backlog + spare)} messages that must wait")
    load = lab.submit("--messages", backlog + spare, "--calls", 8)
    if load["refused"]:
        raise Failed(f"{load['refused']} messages were refused: {load['codes']}")
    count, resident, own = waiting(lab), lab.gateway.resident(), lab.metric("assent_message_memory_bytes")
    if count < backlog:
        raise Failed(f"only {thousands(count)} messages wait")
    each = (resident - empty) / count
    say(f"{thousands(count)} wait, {each:.0f} octets of memory each")
    return {"octets_each": round(each), "octets_each_counted": round(own / lab.metric("assent_open_messages")),
            "waiting": count, "resident": resident}


def measure_codes(lab, codes, log):
    say(f"{thousands(codes)} codes at 50 a second, beside {thousands(waiting(lab))} that wait")
    times = lab.folder / "codes.times"
    lab.submit("--program", "login", "--class", "otp", "--messages", codes, "--rate", 50, "--batch", 1,
               "--calls", 100, "--first-number", OTP_NUMBER, "--times", times, "--text",
               "Your code is 000000. It is valid for five minutes.")
    time.sleep(1)
    return {"beside": waiting(lab), "codes": codes,
            "accepted_to_wire_us": lab.histogram_us("assent_otp_to_wire_seconds", QUANTILES),
            "submitted_to_carrier_us": submitted_to_carrier(times, log),
            "submit_call_us": submit_calls(times)}


def submit_calls(times):
    rows = [line.split("\t") for line in times.read_text().splitlines()]
    spent = sorted(int(verdict) - int(begun) for _, begun, verdict, _ in rows)
    return {name: quantile(spent, q) for name, q in QUANTILES.items()}


def submitted_to_carrier(times, log):
    """From Submit written to submit_sm read by the carrier, by its log."""
    arrived = {}
    with open(log, errors="replace") as lines:
        for line in lines:
            fields = line.split("\t")
            if len(fields) > 8 and fields[2] == "in" and fields[3] == "submit_sm" and fields[8].startswith("1556"):
                arrived[fields[8]] = int(fields[0])
    spent = []
    for line in times.read_text().splitlines():
        number, begun, _, code = line.split("\t")
        if code == "0" and number in arrived:
            spent.append(arrived[number] - int(begun))
    spent.sort()
    return {"arrived": len(spent), **{name: quantile(spent, q) for name, q in QUANTILES.items()}}


def recover(lab):
    count = waiting(lab)
    say(f"kill -9 while {thousands(count)} wait")
    lab.gateway.kill()
    seconds = lab.run_gateway(120)
    again = waiting(lab)
    found = next((line for line in reversed(lab.gateway.log.read_text().splitlines())
                  if "event=recovered" in line), "")
    fields = dict(word.split("=", 1) for word in found.split() if "=" in word)
    say(f"ready again after {seconds:.2f} s, {thousands(again)} wait")
    return {"seconds": seconds, "waiting_before": count, "waiting_after": again,
            "records": int(fields.get("snapshot_records", 0)) + int(fields.get("ledger_records", 0))}


# --- STOP under full load

STOP_RATE = 20_000


def measure_stop(new_lab, quick):
    """Flat out, where every processor is full, and at a carrier's rate with room beside it."""
    result = stop_run(new_lab, pick(quick, 500_000, 50_000), 1_000_000)
    result["at_rate"] = stop_run(new_lab, pick(quick, 300_000, 30_000), STOP_RATE)
    return result


def stop_run(new_lab, messages, rate):
    with new_lab() as lab:
        lab.start_redis()
        lab.start_carrier("--stop-share", "1%", "--stop-within", 1, "--help-share", "0%",
                          "--reply-delay", "100ms:100ms")
        lab.start_gateway(rate=rate)
        lab.record_opt_ins(messages)
        load = lab.submit("--messages", messages, "--calls", 8)
        wait_for("the end of every message", lambda: lab.metric("assent_open_messages") == 0, 120, 0.1)
        wait_for("every STOP", lambda: waiting_replies(lab.report()) == 0, 30, 0.2)
        report = lab.report()
        stops = report["stops"]
        result = {"stops": stops["answered"], "messages": messages,
                  "per_second": messages / ((report["times_us"]["last_submit"] - load["first_us"]) / 1e6),
                  "effective_us": lab.histogram_us("assent_stop_effective_seconds", QUANTILES),
                  "answered_us": {"p50": stops["answer_us_p50"], "p99": stops["answer_us_p99"],
                                  "max": stops["answer_us_max"]},
                  "after_stop": stops["after_stop"]}
        say(f"{thousands(result['stops'])} STOPs, {result['after_stop']} messages after a STOP")
        return result


def waiting_replies(report):
    return report["subscribers"]["stop"] - report["stops"]["answered"]


# --- the carrier's rate

def measure_rate(new_lab, quick):
    return {str(rate): rate_run(new_lab, rate, pick(quick, seconds, 5))
            for rate, seconds in ((10, 30), (500, 20), (20_000, 15))}


def rate_run(new_lab, rate, seconds):
    with new_lab() as lab:
        lab.start_redis()
        log = lab.folder / "pdus.log"
        lab.start_carrier("--subscribers", "none", "--log", log, "--log-format", "short")
        lab.start_gateway(rate=rate, window=WINDOW)
        messages = rate * (seconds + 5)
        lab.record_opt_ins(messages)
        lab.submit("--messages", messages)
        begin = wait_for("the first submit_sm", lambda: lab.report()["times_us"]["first_submit"])
        time.sleep(max(0.0, begin / 1e6 + seconds - time.monotonic()))
        highest = lab.report()["submits"]["highest_second_written"]
        time.sleep(0.1)
        used = mean_second(arrivals(log), begin / 1e6 + 1, begin / 1e6 + seconds) / rate
        say(f"at {thousands(rate)}/s: highest second {thousands(highest)}, {used:.1%} used")
        return {"rate": rate, "seconds": seconds, "highest_second": highest, "used": used}


def arrivals(log):
    with open(log, errors="replace") as lines:
        return [int(line.split("\t", 1)[0]) / 1e6 for line in lines if "\tin\tsubmit_sm\t" in line]


def mean_second(times, begin, end):
    """The mean count of the seconds that end between `begin` and `end`, over all of them: whether the
    rate is used in bursts or evenly makes no difference."""
    inside = sum(max(0.0, min(at + 1, end) - max(at, begin)) for at in times)
    return inside / (end - begin)


# --- connections that send next to nothing

DRIP_RATE = 2_000


def measure_drip(new_lab, quick):
    """Honest sessions alone, then beside thousands that drip at the carrier, then at the listener."""
    connections, seconds = pick(quick, (10_000, 20), (500, 4))
    return {"connections": connections,
            **{where: drip_run(new_lab, where, connections, seconds) for where in ("nowhere", "carrier", "listener")}}


def drip_run(new_lab, where, connections, seconds):
    with new_lab() as lab:
        lab.start_redis()
        lab.start_carrier("--subscribers", "none")
        lab.start_gateway(rate=1_000_000)
        if where == "nowhere":
            return honest_run(lab, where, seconds)
        port, speak, server = ((lab.carrier_port, "smpp", lab.carrier) if where == "carrier" else
                               (lab.port, "frames", lab.gateway))
        before = server.resident()
        with Dripper(port, connections, speak) as dripper:
            time.sleep(pick(lab.quick, 15, 3))  # the first ones have met their deadline by then
            result = honest_run(lab, where, seconds)
            result["resident_before"], result["resident"] = before, server.resident()
        return {**result, **dripper.result}


def honest_run(lab, where, seconds):
    """Codes at a steady rate on a connection made now, for the latency; then as many as go."""
    times = lab.folder / "codes.times"
    codes = ("--program", "login", "--class", "otp", "--text", "Your code is 000000.")
    steady_load = lab.submit(*codes, "--messages", DRIP_RATE * seconds, "--rate", DRIP_RATE, "--batch", 1, "--calls",
                             256, "--times", times)
    wire = lab.histogram_us("assent_otp_to_wire_seconds", QUANTILES)
    full_load = lab.submit(*codes, "--messages", 8_000 * seconds, "--calls", 8, "--first-number", OTP_NUMBER)
    wait_for("the end of every message", lambda: lab.metric("assent_open_messages") == 0, 60, 0.1)
    report = lab.report()
    refused = steady_load["refused"] + full_load["refused"]
    delivered_all = lab.metric("assent_messages_total", 'outcome="delivered"')
    taken = report["times_us"]["last_submit"] - full_load["first_us"]
    result = {"refused": refused, "missing": DRIP_RATE * seconds + 8_000 * seconds - refused - delivered_all,
              "submit_call_us": submit_calls(times), "accepted_to_wire_us": wire,
              "per_second": 8_000 * seconds / (taken / 1e6)}
    say(f"drip {where}: {thousands(result['per_second'])}/s, call p99 {result['submit_call_us']['p99'] / 1000:.1f} ms, "
        f"{refused} refused, {result['missing']:.0f} missing")
    return result


# --- receipts in order and at random

def measure_receipts(new_lab, quick):
    """By the engine alone, and end to end."""
    messages, rounds = pick(quick, (1_000_000, 5), (50_000, 2))
    result = engine_receipts(new_lab, messages, rounds)
    result["end_to_end"] = receipts_end_to_end(new_lab, *pick(quick, (1_000_000, 5), (50_000, 2)))
    return result


def receipts_end_to_end(new_lab, messages, rounds):
    """All messages are open when the carrier gives their receipts: in the order of sending and at random by
    turns, to one gateway. A rate counts from the first receipt to the last one's answer, all durable; beside
    it what it costs the gateway, since the carrier and the disk have their share in the rate."""
    runs = {"in_order": [], "at_random": []}
    with new_lab() as lab:
        lab.start_redis()
        lab.start_carrier("--subscribers", "none", "--hold-receipts", messages, "--held-order", "by-turns",
                          "--receipt-delay", "3s", "--deliver-window", 10_000)
        lab.start_gateway()
        for _ in range(rounds):
            for each in runs:
                runs[each].append(held_run(lab, messages))
    result = {"open": messages, "runs": runs}
    for each in runs:
        result[f"{each}_per_second"] = median([run["per_second"] for run in runs[each]])
        result[f"{each}_cpu_us"] = median([run["cpu_us"] for run in runs[each]])
    result["share"] = result["at_random_per_second"] / result["in_order_per_second"]
    say(f"receipts end to end: {thousands(result['in_order_per_second'])}/s in order, "
        f"{thousands(result['at_random_per_second'])}/s at random, {result['share']:.1%}; processor "
        f"{result['in_order_cpu_us']:.2f} and {result['at_random_cpu_us']:.2f} us")
    return result


def held_run(lab, messages):
    load = lab.submit("--program", "login", "--class", "otp", "--text", "Your code is 000000.", "--messages", messages,
                      "--calls", 8)
    if load["refused"]:
        raise Failed(f"{load['refused']} messages were refused: {load['codes']}")
    wait_for("all are sent", lambda: lab.metric("assent_awaiting_receipt") == messages, 60, pause=0.1)
    clocks = Clocks(assentd=lab.gateway)  # its receipts come 3 s after the last one was sent
    wait_for("every receipt", lambda: lab.metric("assent_open_messages") == 0, 300, pause=0.1)
    wait_for("the last answer", lambda: lab.report()["receipts"]["made"] == lab.report()["receipts"]["answered"], 10)
    report = lab.report()
    if report["deliveries"]["redelivered"]:
        raise Failed(f"{report['deliveries']['redelivered']} receipts had to be sent again")
    times = report["times_us"]
    return {"per_second": messages / ((times["last_receipt"] - times["held_given"]) / 1e6),
            "cpu_us": clocks.microseconds_each(messages)["assentd"]}


def engine_receipts(new_lab, messages, rounds):
    with new_lab() as lab:
        bench = lab.spawn("receipts", lab.build / "receipt-bench", "--messages", messages, "--rounds", rounds)
        wait_for("the last receipt", lambda: not bench.running(), 600)
        if bench.child.returncode != 0:
            raise Failed("receipt-bench failed")
        words = bench.log.read_text().splitlines()[-1].split()
        result = {"open": messages, "in_order_per_second": float(words[1]), "at_random_per_second": float(words[2]),
                  "share": float(words[3])}
        say(f"receipts: {thousands(result['in_order_per_second'])}/s in order, "
            f"{thousands(result['at_random_per_second'])}/s at random, {result['share']:.1%}")
        return result


# --- the codec

CODEC_TIMES = 20  # the goal: so many times as fast as libsmpp34


def measure_codec(new_lab, quick):
    """What a PDU costs to write and to read, beside libsmpp34 in the same run; without asking for memory."""
    with new_lab() as lab:
        codec = lab.spawn("codec", lab.build / "codec", pick(quick, 51, 5))
        wait_for("the codec's end", lambda: not codec.running(), 120)
        if codec.child.returncode != 0:
            raise Failed(f"codec ended with {codec.child.returncode}: {codec.log.read_text()[-300:]}")
        rows = json.loads(codec.log.read_text())
    slowest = min(row["times"] for row in rows)
    say(f"codec: {slowest:.0f} times libsmpp34 at the least, no memory asked for"
        + ("" if slowest >= CODEC_TIMES else f"; the goal of {CODEC_TIMES} is missed"))
    return {"rows": rows, "least_times": slowest, "goal_times": CODEC_TIMES}


# --- consent: checks, words

def tool(lab, *command):
    """The last line that it prints, as words."""
    child = lab.spawn(command[0], lab.build / command[0], *command[1:])
    wait_for(f"the end of {command[0]}", lambda: not child.running(), 300)
    if child.child.returncode != 0:
        raise Failed(f"{command[0]} ended with {child.child.returncode}: {child.log.read_text()[-300:]}")
    return child.log.read_text().splitlines()[-1].split()


def measure_checks(new_lab, quick):
    """Through our store and by a bare client that sends the same reads, by turns."""
    with new_lab() as lab:
        lab.start_redis()
        words = tool(lab, "check-bench", lab.folder / "redis.sock", *pick(quick, (60_000, 51), (50_000, 1)))
    result = {"bare_per_second": float(words[1]), "store_per_second": float(words[3]), "share": float(words[5]),
              "bare_cpu_us": float(words[7]), "store_cpu_us": float(words[9])}
    say(f"checks: {thousands(result['store_per_second'])}/s, {result['share']:.1%} of a bare client; "
        f"{result['store_cpu_us']:.2f} us of our processor each, against {result['bare_cpu_us']:.2f}")
    return result


def measure_words(new_lab, quick):
    with new_lab() as lab:
        words = tool(lab, "words-bench", "--rounds", pick(quick, 50_000, 2_000))
    result = dict(zip(words[::2], (float(value) for value in words[1::2])))
    say(f"replies: {thousands(result['replies_per_second'])} a second on one processor")
    return result


# --- the ledger

def measure_ledger(new_lab, quick):
    """Appended as a text's life is, synced; then hashed again, beside bare SHA-256 of as many blocks in as many
    calls, by the time of one core."""
    messages, rounds = pick(quick, (1_000_000, 3), (50_000, 1))
    runs = []
    for _ in range(rounds):
        with new_lab() as lab:
            (lab.folder / "ledger").mkdir()
            words = tool(lab, "ledger-bench", lab.folder / "ledger", messages)
            runs.append(dict(zip(words[::2], (float(value) for value in words[1::2]))))
            began = time.monotonic()
            tool(lab, "assent", "export", "--data", lab.folder / "ledger", "-o", lab.folder / "all.csv")
            runs[-1]["export"] = runs[-1]["records"] / (time.monotonic() - began)
            began = time.monotonic()
            tool(lab, "assent", "trace", "--data", lab.folder / "ledger", f"+{runs[-1]['number']:.0f}")
            runs[-1]["trace"] = time.monotonic() - began
    result = {"append_per_second": median(run["append"] for run in runs),
              "octets_a_message": runs[0]["octets-a-message"],
              "sealed_octets_a_message": runs[0]["sealed-octets-a-message"],
              "sealed_per_second": median(run["seal"] for run in runs),
              "traced_records": runs[0]["records"],
              "trace_ms": 1000 * median(run["trace"] for run in runs),
              "export_per_second": median(run["export"] for run in runs),
              "verify_mb_per_second": median(run["verify"] for run in runs),
              "verify_share": median(run["verify-share"] for run in runs)}
    say(f"ledger: {thousands(result['append_per_second'])} records/s appended, verified at "
        f"{result['verify_share']:.0%} of bare SHA-256")
    return result


# --- events

def watched_beside(watcher, run):
    """Events a second while the messages of a run went."""
    lines = [line.split() for line in watcher.log.read_text().splitlines() if line.startswith("at_us ")]
    points = [(int(words[1]) / 1e6, int(words[3])) for words in lines]
    inside = [point for point in points if run["begin"] <= point[0] <= run["begin"] + run["seconds"]]
    if len(inside) < 2:
        raise Failed("the watcher said nothing while messages went")
    return (inside[-1][1] - inside[0][1]) / (inside[-1][0] - inside[0][0])


def measure_watch(new_lab, quick):
    """A consumer that was away: how many events a second it gets, and what that costs those who send."""
    messages, rounds = pick(quick, (300_000, 5), (50_000, 1))
    with new_lab() as lab:
        lab.start_redis()
        lab.start_carrier("--subscribers", "none")
        lab.start_gateway()
        lab.record_opt_ins(messages)
        assent_run(lab, messages)
        until = int(lab.metrics()["assent_ledger_durable_sequence"])
        clocks = Clocks(assentd=lab.gateway)
        words = tool(lab, "watch-bench", lab.folder / "assent.sock", until, 0)
        cpu = clocks.microseconds_each(until)["assentd"]
        ratios, beside = [], []
        for _ in range(rounds):
            alone = assent_run(lab, messages)["per_second"]
            watcher = lab.spawn("watcher", lab.build / "watch-bench", lab.folder / "assent.sock", until, 10_000)
            run = assent_run(lab, messages)
            watcher.stop()
            ratios.append(run["per_second"] / alone)
            beside.append(watched_beside(watcher, run))
    result = {"per_second": float(words[-1]), "cpu_us": cpu, "sends_beside": median(ratios),
              "per_second_beside": median(beside)}
    say(f"watch: {thousands(result['per_second'])} events/s, {cpu:.2f} us of assentd each; beside sends, which go at "
        f"{result['sends_beside']:.1%} of their rate, {thousands(result['per_second_beside'])} events/s")
    return result


MEASURES = {"floor": measure_floor, "kannel": measure_kannel, "assent": measure_assent,
            "gates": gates.measure_gates, "carriers": measure_carriers,
            "backlog": measure_backlog, "stop": measure_stop, "rate": measure_rate,
            "drip": measure_drip, "receipts": measure_receipts, "codec": measure_codec,
            "checks": measure_checks, "words": measure_words, "imports": imports.measure_imports,
            "ledger": measure_ledger, "watch": measure_watch}
