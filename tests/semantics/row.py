# SPDX-License-Identifier: GPL-2.0-only
"""A row of the matrix: a class with two functions, one a role.

    @row("MSG_PEEK leaves what it shows")
    class Peek:
        def client(t, s):
            s.send(b"0123456789")
            t.sync()

        def server(t, s):
            t.sync()
            t.note("peek", s.recv(4, socket.MSG_PEEK))

T is the side (side.py), S a connection whose both directions have been seen on the ring
(connect=False: none, the row makes its own). What each side notes must be the same without
and with vmc, and with it the row's bytes must have gone by the ring, unless it says why not:
"tcp" none of them does, "mixed" some do; "why" is the counter of the module that must say so
(a reason of kmod/reason.h). What can't be the same is in "differs": the note
without vmc, the note with it, and why. It has to differ in just this.
"""

from dataclasses import dataclass

ROWS = []
ROW_TIMEOUT = 60    # seconds, on a slow day; a row takes one or two


@dataclass
class Row:
    """One row: its name, its two functions, and which way its bytes go."""

    name: str
    client: object
    server: object
    connect: bool
    timeout: int
    tcp: str        # why none of its bytes goes by the ring
    mixed: str      # why some of them don't
    is_storm: bool  # its time depends on the number of connections that was asked for
    differs: tuple  # (note without vmc, note with it, why)
    why: str        # the module's reason for what goes by TCP


def row(name, connect=True, timeout=ROW_TIMEOUT, tcp="", mixed="", is_storm=False, differs=(),
        why=""):
    def register(cls):
        ROWS.append(Row(name, cls.__dict__["client"], cls.__dict__["server"], connect, timeout,
                        tcp, mixed, is_storm, differs, why))
        return cls
    return register
