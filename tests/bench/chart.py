# SPDX-License-Identifier: GPL-2.0-only
"""The results as an SVG bar chart: each test relative to netfront."""

from html import escape

from table import number

COLOURS = {"netfront": "#9aa5b1", "vmc": "#2f6fde", "loopback": "#d9b44a"}
NAMES = {"netfront": "netfront", "vmc": "vmc", "loopback": "guest loopback"}
BAR, GAP, GROUP_GAP = 44, 8, 44
LEFT, TOP, HEIGHT, BOTTOM = 60, 70, 260, 60


def render(result):
    tests = result["tests"]
    group = 3 * BAR + 2 * GAP
    width = LEFT + len(tests) * (group + GROUP_GAP) + 20
    ratios = [test[kind]["median"] / test["netfront"]["median"]
              for test in tests for kind in COLOURS if test[kind]]
    scale = HEIGHT / (max(ratios) * 1.1)
    base = TOP + HEIGHT
    out = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {base + BOTTOM}" '
        f'width="{width}" height="{base + BOTTOM}" font-family="sans-serif" font-size="12">',
        f'<rect width="{width}" height="{base + BOTTOM}" fill="white"/>',
        f'<text x="{LEFT}" y="24" font-size="16" font-weight="bold">'
        'TCP between two Xen guests, relative to netfront</text>',
    ]
    for i, kind in enumerate(COLOURS):
        x = LEFT + i * 130
        out.append(f'<rect x="{x}" y="36" width="12" height="12" fill="{COLOURS[kind]}"/>'
                   f'<text x="{x + 18}" y="46">{NAMES[kind]}</text>')
    step = 1 if max(ratios) < 8 else 2
    for tick in range(0, int(max(ratios) * 1.1) + 1, step):
        y = base - tick * scale
        out.append(f'<line x1="{LEFT}" x2="{width - 10}" y1="{y:.1f}" y2="{y:.1f}" stroke="#ddd"/>'
                   f'<text x="{LEFT - 8}" y="{y + 4:.1f}" text-anchor="end">{tick}×</text>')
    for i, test in enumerate(tests):
        x = LEFT + GROUP_GAP / 2 + i * (group + GROUP_GAP)
        for j, kind in enumerate(COLOURS):
            if not test[kind]:
                continue
            ratio = test[kind]["median"] / test["netfront"]["median"]
            bar_x, height = x + j * (BAR + GAP), ratio * scale
            out.append(f'<rect x="{bar_x:.1f}" y="{base - height:.1f}" width="{BAR}" '
                       f'height="{height:.1f}" fill="{COLOURS[kind]}"/>'
                       f'<text x="{bar_x + BAR / 2:.1f}" y="{base - height - 5:.1f}" '
                       f'text-anchor="middle" font-size="11">'
                       f'{number(test[kind]["median"])}</text>')
        out.append(f'<text x="{x + group / 2:.1f}" y="{base + 18}" text-anchor="middle" '
                   f'font-weight="bold">{escape(test["name"])}</text>'
                   f'<text x="{x + group / 2:.1f}" y="{base + 34}" text-anchor="middle">'
                   f'{escape(test["unit"])}, vmc {test["ratio"]:.2f}×</text>')
    out.append(f'<line x1="{LEFT}" x2="{width - 10}" y1="{base}" y2="{base}" stroke="black"/></svg>')
    return "\n".join(out) + "\n"
