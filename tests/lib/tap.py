# SPDX-License-Identifier: GPL-2.0-only
"""KTAP for test programs in Python that run outside the guests."""


class Tap:
    """One verdict a line; end() closes with the plan and gives the exit status."""

    def __init__(self):
        self.cases = 0
        self.failed = 0
        print("KTAP version 1", flush=True)

    def ok(self, name, passed, detail=""):
        self.cases += 1
        self.failed += not passed
        print(f"{'' if passed else 'not '}ok {self.cases} - {name}", flush=True)
        if not passed:
            self.say(detail)
        return passed

    def say(self, text):
        for line in str(text).splitlines():
            print(f"# {line}", flush=True)

    def end(self):
        print(f"1..{self.cases}", flush=True)
        return 1 if self.failed else 0


def table(head, rows):
    """Lines of a text table; numbers to the right."""
    cells = [[str(c) for c in row] for row in [head, *rows]]
    widths = [max(len(row[i]) for row in cells) for i in range(len(head))]
    right = [all(isinstance(row[i], (int, float)) for row in rows) for i in range(len(head))]
    lines = [" | ".join(c.rjust(w) if r else c.ljust(w)
                        for c, w, r in zip(row, widths, right)).rstrip() for row in cells]
    lines.insert(1, "-|-".join("-" * w for w in widths))
    return "\n".join(lines)
