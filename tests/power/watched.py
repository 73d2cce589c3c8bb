# SPDX-License-Identifier: Apache-2.0
"""A world whose gateways run with shim.c: they keep a journal, and fail where they are told to."""
import os
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "e2e"))
import harness  # noqa: E402

SHIM = harness.BUILD / "tests" / "power" / "libpower-shim.so"


class Watched(harness.World):
    told = 0

    def environment(self):
        return {"LD_PRELOAD": str(SHIM), "POWER_JOURNAL": str(self.folder / "journal"),
                "POWER_DIRECTORY": str(self.data.resolve()), "POWER_FAULT": str(self.folder / "faults"),
                "ASAN_OPTIONS": os.environ.get("ASAN_OPTIONS", "") + ":verify_asan_link_order=0"}

    def start_gateway(self, wait=True):
        words = [f"{name}={value}" for name, value in self.environment().items()]
        self.gateway = self.spawn("assentd", ["env", *words, harness.BUILD / "assentd", "-c", self.config_file])
        if wait:
            self.wait_ready()

    def fail(self, *lines):
        """From now on; each line is "CALL PART ERRNO [COUNT]" of shim.c. None at all: nothing fails."""
        self.told += 1  # another file each time, which is not the one before with its number
        fresh = self.folder / f"faults.{self.told}"
        fresh.write_text("".join(line + "\n" for line in lines))
        (self.folder / "faults").unlink(missing_ok=True)
        (self.folder / "faults").symlink_to(fresh)
