# SPDX-License-Identifier: GPL-2.0-only
"""The results as text."""


def number(value):
    return f"{value:,.0f}" if value >= 100 else f"{value:.1f}"


def _cell(figures):
    """Median and half of the range: 1,234 ± 56."""
    if not figures:
        return "-"
    return f"{number(figures['median'])} ± {number((figures['max'] - figures['min']) / 2)}"


def render(result):
    rows = [("test", "unit", "netfront", "vmc", "ratio", "guest loopback", "by ring")]
    for test in result["tests"]:
        share = test["ring_share"]
        rows.append((test["name"], test["unit"], _cell(test["netfront"]), _cell(test["vmc"]),
                     f"{test['ratio']:.2f}", _cell(test["loopback"]),
                     "-" if share is None else f"{100 * share:.1f} %"))
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    lines = []
    for row in rows:
        cells = [row[i].ljust(widths[i]) if i < 2 else row[i].rjust(widths[i])
                 for i in range(len(row))]
        lines.append("  ".join(cells).rstrip())
    lines.insert(1, "-" * len(max(lines, key=len)))
    lines.append(f"\nMedian of {result['rounds']} alternating rounds of {result['seconds']} s ± half "
                 "the range. Emulated machine: only the ratios mean something.")
    return "\n".join(lines)


def render_proof(proof):
    total = proof["ring_sent"] + proof["tcp_sent"]
    equal = "the same" if proof["sha256_sent"] == proof["sha256_received"] else "DIFFERENT"
    return "\n".join((
        f"Proof, one transfer of {proof['sent']:,} bytes from a to b:",
        f"  a sent by ring      {proof['ring_sent']:>15,}   b received by ring {proof['ring_received']:>15,}",
        f"  a sent by TCP       {proof['tcp_sent']:>15,}",
        f"  ring and TCP        {total:>15,}   the program got    {proof['received']:>15,}",
        f"  SHA-256 {equal}: {proof['sha256_received']}",
        "  => " + ("all bytes are accounted for" if proof["holds"] else "THE COUNTS DISAGREE"),
    ))
