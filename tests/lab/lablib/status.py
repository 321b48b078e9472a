# SPDX-License-Identifier: GPL-2.0-only
"""What is up: the lab, and whether its hosts answer."""

import json
import os

from . import channel, state


def _answers(run, host):
    try:
        return channel.capture(run, host, ["true"], timeout=5)[0] == 0
    except state.LabError:
        return False


def show(name, as_json):
    """0 when the lab is up and every host answers, else 1."""
    got = state.load(name)
    run = state.run_dir(name)
    answers = {host: _answers(run, host) for host in state.hosts(got)} if got else {}
    if as_json:
        print(json.dumps({"name": name, "up": bool(got), "hosts": answers, **(got or {})}, indent=1))
    elif not got:
        print(f"{name}: down")
    else:
        print(f"{name}: up ({got['how']}), emulator {got['pid']}, {os.path.relpath(run)}")
        print(f"  {len(got['guests'])} {got['type']} guest(s), {got['vcpus']} vCPU, {got['memory']} MiB"
              f" each; {got['cpus']} processor(s)")
        for host, ok in answers.items():
            print(f"  {host}: {'answers' if ok else 'does not answer'}")
    return 0 if got and all(answers.values()) else 1
