# SPDX-License-Identifier: GPL-2.0-only
"""What a test program's KTAP says: the verdict of each top-level case."""

import re

_PLAN = re.compile(r"^1\.\.(\d+)")
_CASE = re.compile(r"^(not )?ok\b\s*(\d+)?\s*(?:- )?(.*)$")
_BAIL = re.compile(r"^Bail out!\s*(.*)$", re.IGNORECASE)


class Failure:
    """A failed case, or what else is wrong, and the diagnostics that follow it."""

    def __init__(self, name):
        self.name = name
        self.diagnostics = []


class Result:
    """Counts and the failures of one program."""

    def __init__(self):
        self.passed = 0
        self.skipped = 0
        self.failed = []

    def fail(self, reason):
        self.failed.append(Failure(reason))


def parse(text, status):
    """Judge the output TEXT of a program that ended with STATUS."""
    result = Result()
    plan = None
    cases = 0
    has_failed = False      # the case that diagnostics belong to
    for line in text.splitlines():
        if match := _PLAN.match(line):
            plan = int(match[1])
            if plan == 0:
                result.skipped += 1
        elif match := _CASE.match(line):
            cases += 1
            name, _, directive = match[3].partition("#")
            has_failed = bool(match[1])
            if has_failed:
                result.fail(name.strip())
            elif directive.strip().upper().startswith("SKIP"):
                result.skipped += 1
            else:
                result.passed += 1
        elif match := _BAIL.match(line):
            result.fail("bailed out: " + match[1])
        elif has_failed and line.startswith("#"):
            result.failed[-1].diagnostics.append(line)
    if plan is None:
        result.fail("no plan")
    elif cases != plan:
        result.fail(f"{cases} of {plan} cases reported")
    if status != 0 and not result.failed:
        result.fail(f"exit status {status}")
    return result
