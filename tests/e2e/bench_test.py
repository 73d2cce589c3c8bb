#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The benchmarks' own programs run, and bench/run understands what they say: in small, for no figure."""
import json
import subprocess
import sys
import tempfile
from pathlib import Path

from harness import BUILD, say

RUN = Path(__file__).resolve().parent.parent.parent / "bench" / "run"
NAMES = ("receipts", "words", "ledger", "checks")


def main():
    with tempfile.TemporaryDirectory(prefix="assent-test-") as folder:
        figures = Path(folder) / "figures.json"
        only = [word for name in NAMES for word in ("--only", name)]
        done = subprocess.run([sys.executable, RUN, "--quick", "--build", BUILD, "--json", figures, "--svg",
                               Path(folder) / "figures.svg", *only], capture_output=True, text=True, timeout=500)
        assert done.returncode == 0 and "FAILED" not in done.stdout, done.stdout + done.stderr
        assert set(json.loads(figures.read_text())["results"]) == set(NAMES)
    say(f"{', '.join(NAMES)}: run and understood")


main()
