# SPDX-License-Identifier: GPL-2.0-only
"""Two runs of all rows, plain TCP and vmc: what both sides noted, compared. KTAP and a table."""

import json
import sys
import threading

SIDES = ("client", "server")
PROGRESS = 20   # rows


class Run:
    """One run: by row, what each side has reported."""

    def __init__(self, name):
        self.name = name
        self.rows = {}
        self.trouble = []       # output of the agents that is no result

    def take(self, side, line):
        try:
            result = json.loads(line)
            self.rows.setdefault(result["row"], {})[side] = result
            self._say_progress(side)
        except (ValueError, KeyError, TypeError):
            if line.strip():
                self.trouble.append(f"{side}: {line.rstrip()}")

    def _say_progress(self, side):
        if side == "client" and not len(self.rows) % PROGRESS:
            print(f"# {self.name}: {len(self.rows)} rows", file=sys.stderr, flush=True)

    def follow(self, processes):
        """Read both agents, {side: Popen with stdout}, to their ends."""
        def read(side, process):
            for line in process.stdout:
                self.take(side, line)
            process.wait()
            if process.returncode:
                self.trouble.append(f"{side}: status {process.returncode}")
        threads = [threading.Thread(target=read, args=item) for item in processes.items()]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()


def seen(result):
    """What a side has to show for a row, its error included."""
    if result is None:
        return ["(nothing: the run has ended before)"]
    return result["notes"] + ([f"error: {result['error']}"] if result["error"] else [])


def total(sides, counter):
    return sum(side["by"].get(counter, 0) for side in sides.values())


class Verdict:
    """One row: are both runs equal, and did the bytes go the way they should?"""

    def __init__(self, row, plain, vmc):
        self.row = row
        self.plain, self.vmc = plain, vmc
        self.differs = [side for side in SIDES
                        if self._expected(seen(plain.get(side))) != seen(vmc.get(side))]
        self.broken = [side for side in SIDES if not plain.get(side) or plain[side]["error"]]
        self.ring, self.by_tcp = total(vmc, "tx_bytes"), total(vmc, "tx_tcp_bytes")
        self.wrong_way = self._judge_way()

    def _expected(self, notes):
        """What vmc has to show where TCP shows NOTES."""
        if not self.row.differs:
            return notes
        without, with_vmc, _ = self.row.differs
        return [with_vmc if note == without else note for note in notes]

    def _judge_way(self):
        if self.row.why and not total(self.vmc, self.row.why):
            return f"nothing counts as {self.row.why}"
        if self.row.tcp:
            return f"{self.ring} bytes went by the ring" if self.ring else ""
        if not self.ring:
            return "no byte went by the ring"
        if self.by_tcp > self.ring and not self.row.mixed:
            return f"{self.by_tcp} bytes went by TCP, only {self.ring} by the ring"
        return ""

    @property
    def is_fine(self):
        return not (self.differs or self.broken or self.wrong_way)

    @property
    def way(self):
        why = f", {self.row.why}" if self.row.why else ""
        if self.row.tcp:
            return f"no: {self.row.tcp}{why}" if not self.ring else "yes, but should not"
        if not self.ring:
            return "no"
        return f"mixed: {self.row.mixed}{why}" if self.row.mixed else "yes"

    @property
    def outcome(self):
        if self.broken:
            return "broken without vmc"
        if self.differs:
            return "DIFFERS"
        if self.wrong_way:
            return "equal, the wrong way"
        return "differs as it must" if self.row.differs else "equal"

    def print_ktap(self, number):
        print(f"{'ok' if self.is_fine else 'not ok'} {number} - {self.row.name}: {self.outcome}")
        if self.wrong_way:
            print(f"#   which way: {self.wrong_way}")
        if self.row.differs:
            without, with_vmc, why = self.row.differs
            print(f"#   TCP: {without}   vmc: {with_vmc}   {why}")
        for side in SIDES:
            if side in self.differs + self.broken:
                self._print_difference(side)
            elif self.wrong_way:
                self._print_diagnostics(side)

    def _print_difference(self, side):
        plain, vmc = seen(self.plain.get(side)), seen(self.vmc.get(side))
        width = max(len(text) for text in plain + [""])
        for i in range(max(len(plain), len(vmc))):
            left = plain[i] if i < len(plain) else "-"
            right = vmc[i] if i < len(vmc) else "-"
            mark = " " if left == right else "!"
            print(f"# {mark} {side}: TCP: {left:{width}}   vmc: {right}")
        self._print_diagnostics(side)

    def _print_diagnostics(self, side):
        for name, run in (("TCP", self.plain), ("vmc", self.vmc)):
            for text in run.get(side, {}).get("diagnostics", []):
                for line in text.splitlines():
                    print(f"#     {side}, {name}: {line}")


def print_table(verdicts):
    width = max(len(v.row.name) for v in verdicts)
    print(f"# {'row':{width}} | TCP    | vmc    | by ring")
    print(f"# {'-' * width}-+--------+--------+--------")
    for v in verdicts:
        nr = [sum(len(seen(run.get(side))) for side in SIDES) for run in (v.plain, v.vmc)]
        vmc = "DIFFERS" if v.differs else "known" if v.row.differs else "same"
        plain = f"{nr[0]} seen" if not v.broken else "broken"
        print(f"# {v.row.name:{width}} | {plain:7}| {vmc:7}| {v.way}"
              f" ({v.ring} bytes by ring, {v.by_tcp} by TCP)")


def report(rows, plain, vmc):
    """Print everything; the exit status."""
    print("KTAP version 1")
    print(f"1..{len(rows)}")
    verdicts = [Verdict(row, plain.rows.get(row.name, {}), vmc.rows.get(row.name, {}))
                for row in rows]
    for number, verdict in enumerate(verdicts, 1):
        verdict.print_ktap(number)
    for name, run in (("TCP", plain), ("vmc", vmc)):
        for text in run.trouble:
            print(f"# {name}: {text}")
    if verdicts:
        print_table(verdicts)
    failed = sum(not v.is_fine for v in verdicts)
    known = sum(v.is_fine and bool(v.row.differs) for v in verdicts)
    print(f"# {len(verdicts) - failed - known} rows are the same without and with vmc, "
          f"{known} differ as they must, {failed} are not as they should be")
    sys.stdout.flush()
    return 1 if failed or not verdicts else 0
