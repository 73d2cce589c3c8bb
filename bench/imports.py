# SPDX-License-Identifier: Apache-2.0
"""An import as large as a national register, end to end: a file, `assent consent import`, the ledger, Redis.
What it costs a row, and what a member takes of Redis' memory.

    python3 bench/imports.py BUILD [ROWS]       by itself; else bench/run has it
"""
import random
import re
import subprocess
import sys
import time
from pathlib import Path

from lab import Failed, Lab, say, thousands

ROWS, QUICK_ROWS = 10_000_000, 1_000_000
CHUNK = 100_000


def write_numbers(path, rows):
    """Numbers as registers have them: many area codes, none twice in a row; the same file each time."""
    rng = random.Random(11)
    with open(path, "w") as out:
        out.write("number\n")
        for begin in range(0, rows, CHUNK):
            out.write("".join(f"+1{rng.randrange(2_000_000_000, 10_000_000_000)}\n"
                              for _ in range(min(CHUNK, rows - begin))))


def used_memory(lab):
    said = subprocess.run(["redis-cli", "-s", str(lab.folder / "redis.sock"), "info", "memory"], capture_output=True,
                          text=True, check=True).stdout
    return int(re.search(r"used_memory:(\d+)", said).group(1))


def members(lab):
    """Counted where they are: some numbers come twice."""
    script = ("local n, c = 0, '0' repeat local r = redis.call('SCAN', c, 'MATCH', 'optout:*', 'COUNT', 1000) "
              "c = r[1] for _, k in ipairs(r[2]) do n = n + redis.call('SCARD', k) end until c == '0' return n")
    return int(subprocess.run(["redis-cli", "-s", str(lab.folder / "redis.sock"), "eval", script, "0"],
                              capture_output=True, text=True, check=True).stdout)


def import_run(lab, rows):
    lab.start_redis()
    lab.start_carrier("--subscribers", "none")
    lab.start_gateway()
    path = lab.folder / "numbers.csv"
    write_numbers(path, rows)
    empty, begin, spent = used_memory(lab), time.monotonic(), lab.redis.cpu()
    done = subprocess.run([str(lab.build / "assent"), "-c", str(lab.folder / "assent.yaml"), "consent", "import",
                           "--kind", "do-not-call", str(path)], capture_output=True, text=True)
    seconds, spent = time.monotonic() - begin, lab.redis.cpu() - spent
    if done.returncode != 0:
        raise Failed(f"the import: {done.stdout} {done.stderr}")
    count = members(lab)
    return {"rows": rows, "rows_per_second": round(rows / seconds), "members": count,
            "redis_us_a_row": round(spent / rows * 1e6, 2),
            "octets_a_member": round((used_memory(lab) - empty) / count, 2)}


def measure_imports(new_lab, quick):
    with new_lab() as lab:
        result = import_run(lab, QUICK_ROWS if quick else ROWS)
    say(f"{thousands(result['rows'])} rows: {thousands(result['rows_per_second'])} a second, "
        f"{result['octets_a_member']} octets of Redis a member, {result['redis_us_a_row']} us of its time a row")
    return result


if __name__ == "__main__":
    count = int(sys.argv[2]) if len(sys.argv) > 2 else ROWS
    with Lab(Path(sys.argv[1]).resolve(), False) as own_lab:
        print(import_run(own_lab, count))
