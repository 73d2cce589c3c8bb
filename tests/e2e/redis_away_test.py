#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Redis is there and no use, in each way (redis_ways.AWAY): nothing is sent without a check, opt-outs are
taken, nothing is lost, memory stays, and the full rate is back soon after."""
import sys

import redis_ways

redis_ways.run_all(redis_ways.AWAY, *sys.argv[1:2])
