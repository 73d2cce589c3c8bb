#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Redis comes back without what it had acknowledged, in each way (redis_ways.LOST): no opt-out is missing when
the first message goes."""
import sys

import redis_ways

redis_ways.run_all(redis_ways.LOST, *sys.argv[1:2])
