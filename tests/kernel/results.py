# SPDX-License-Identifier: GPL-2.0-only
"""What the output of a selftest says: a verdict for each of its subtests."""

import re

SKIPPED = 4     # exit status of kselftest

# KTAP; some number their cases, some say what a case took
_TAP = re.compile(r"^\s*(?:# )?(not )?ok\s+(?:\d+\s*)?(?:- )?\s*([^#]*?)\s*(?:#\s*(\w+).*)?$")
# test_progs: "#12/3 name/sub:OK"; test_sockmap: "# 1/ 6 name:OK"
_BPF = re.compile(r"^#\s*\d+(?:/\s*\d+)?\s+(.*):(OK|FAIL|SKIP)\b")
_TIMES = re.compile(r"\s*(?:in|after|=)?\s*\(?\s*(?:duration)?\s*[\d.]+\s*m?s(?:ec)?\)?")


def verdicts(result):
    """{subtest: "ok", "FAIL" or "skip"}, and among them that of the whole."""
    found = {}
    for line in result["output"].splitlines():
        if match := _TAP.match(line):
            name = _TIMES.sub("", match[2])
            if match[3] and match[3].upper() == "SKIP":
                verdict = "skip"
            else:
                verdict = "FAIL" if match[1] else "ok"
        elif match := _BPF.match(line):
            name, verdict = match[1], {"OK": "ok", "SKIP": "skip"}.get(match[2], "FAIL")
        else:
            continue
        nth = 1
        unique = name
        while unique in found:
            nth += 1
            unique = f"{name} ({nth})"
        found[unique] = verdict
    status = result["status"]
    found["exit status"] = ("time-out" if status is None else "ok" if status == 0 else
                            "skip" if status == SKIPPED else f"status {status}")
    return found


def summary(found):
    """"ok 12, FAIL 1, skip 2", or the exit status of a test without subtests."""
    words = list(found.values())
    if len(words) == 1:
        return words[0]
    counts = [f"{word} {words[:-1].count(word)}" for word in ("ok", "FAIL", "skip")
              if word in words[:-1]]
    return ", ".join(counts + ([] if words[-1] == "ok" or "FAIL" in words else [words[-1]]))


def differences(without, with_vmc):
    """{subtest: a line that says how}: the verdicts that subtests had with vmc and never
    without it, in any run of either list."""
    names = {name for found in without + with_vmc for name in found}
    lines = {}
    for name in sorted(names):
        usual = {found.get(name, "not run") for found in without}
        seen = {found.get(name, "not run") for found in with_vmc}
        if seen - usual:
            lines[name] = (f"{name}: {', '.join(sorted(usual))} without vmc, "
                           f"{', '.join(sorted(seen))} with it")
    return lines
