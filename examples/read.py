#!/usr/bin/env python3
"""Reads records without any of our code: what does not pass, the loudest first.

claw-health --format json | read.py
"""
import json
import sys

loudness = ["CRITICAL", "ERROR", "WARNING", "INFO"]
records = [json.loads(line) for line in sys.stdin if line.strip()]
failing = [record for record in records if record["status"] != "pass"]
for record in sorted(failing, key=lambda record: loudness.index(record["severity"])):
    print(f'{record["severity"]:8} {record["subject"]}: {record["message"]}')
sys.exit(1 if failing else 0)
