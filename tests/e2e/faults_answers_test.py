#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Faults of carriers (see faults.py): what carriers answer and how they write receipts, ids and texts."""
import faults

faults.main(last="bad-password")
