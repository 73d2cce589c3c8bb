#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Faults of carriers (see faults.py): what they do with binds, PDUs, octets, sessions and replies."""
import faults

faults.main(first="bad-password")
