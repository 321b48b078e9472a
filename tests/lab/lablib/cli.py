# SPDX-License-Identifier: GPL-2.0-only
"""The command `lab`: a table of verbs, their options, and what they call."""

import argparse
import os
import sys

from .common import EXIT_FAILED, GUESTS, LabError


def _build(_args):
    from . import image
    image.build()
    return 0


def _up(args):
    import time
    from . import config, host
    from .common import say
    begin = time.monotonic()
    how = host.up(args.name, config.Config(args), not args.no_snapshot)
    say(f"{args.name} is up: {how}, {time.monotonic() - begin:.1f} s")
    return 0


def _down(args):
    from . import host
    host.down(args.name)
    return 0


def _status(args):
    from . import status
    return status.show(args.name, args.json)


def _exec(args):
    from . import channel, state
    run = state.run_of(args.name, args.host)
    stdin = -1 if args.no_stdin else 0
    return channel.execute(run, args.host, [args.command, *args.args], args.timeout, stdin)


def _put(args):
    from . import files
    return files.put(args.name, args.host, args.local, args.remote, args.timeout)


def _get(args):
    from . import files
    return files.get(args.name, args.host, args.remote, args.local, args.timeout)


def _console(args):
    from . import console
    return console.show(args.name, args.host, args.follow)


def _mark(args):
    from . import console
    return console.mark(args.name)


def _check_console(args):
    from . import console
    return console.check(args.name)


def _count(low, high):
    def parse(text):
        if not text.isdigit() or not low <= int(text) <= high:
            raise argparse.ArgumentTypeError(f"{text}: a number from {low} to {high}")
        return int(text)
    return parse


def _up_options(p):
    p.add_argument("--guests", type=_count(1, len(GUESTS)), default=2, metavar="N",
                   help="how many guests: a, b, c... (2)")
    p.add_argument("--vcpus", type=_count(1, 8), default=1, metavar="N", help="per guest (1)")
    p.add_argument("--cpus", type=_count(1, 8), default=1, metavar="N",
                   help="the emulated machine's processors (1: the steadiest figures)")
    p.add_argument("--type", choices=("pv", "pvh"), default="pv", help="of the guests (pv)")
    p.add_argument("--memory", type=_count(256, 8192), default=768, metavar="MIB",
                   help="per guest (768)")
    p.add_argument("--kernel", metavar="FILE",
                   help="the guests' kernel, bzImage or vmlinux, instead of Debian's")
    p.add_argument("--modules", metavar="DIR",
                   help="that kernel's lib/modules/RELEASE; not needed when erofs, overlay and"
                        " xen-blkfront are built in")
    p.add_argument("--append", default="", metavar="ARGS",
                   help="added to the guests' kernel command line")
    p.add_argument("--link", metavar="LAB",
                   help="one network with that lab's: both must name each other")
    p.add_argument("--standby", action="store_true",
                   help="start no guest: they come by migration; the second of two linked labs")
    p.add_argument("--no-snapshot", action="store_true",
                   help="boot, and neither use nor make a snapshot")


def _exec_options(p):
    _timeout(p, 60)
    p.add_argument("-n", "--no-stdin", action="store_true", help="an empty stdin")
    p.add_argument("host", choices=("dom0", *GUESTS), metavar="HOST", help="dom0, a, b, c...")
    p.add_argument("command", metavar="CMD", help="a program, not a shell line (use sh -c for one)")
    p.add_argument("args", nargs=argparse.REMAINDER, metavar="...")


def _timeout(p, seconds):
    p.add_argument("-t", "--timeout", type=float, default=seconds, metavar="S",
                   help=f"kill it and exit with 124 after so many seconds ({seconds})")


def _put_options(p):
    _timeout(p, 300)
    p.add_argument("host", choices=("dom0", *GUESTS), metavar="HOST")
    p.add_argument("local", metavar="LOCAL", help="a file or a directory")
    p.add_argument("remote", metavar="REMOTE", help="its name there (mode kept)")


def _get_options(p):
    _timeout(p, 300)
    p.add_argument("host", choices=("dom0", *GUESTS), metavar="HOST")
    p.add_argument("remote", metavar="REMOTE", help="a file or a directory")
    p.add_argument("local", metavar="LOCAL", help="its name here")


def _console_options(p):
    p.add_argument("host", choices=("xen", "dom0", *GUESTS), metavar="HOST",
                   help="a, b, c...; dom0 and xen are one log")
    p.add_argument("-f", "--follow", action="store_true", help="go on as it grows")


def _json_option(p):
    p.add_argument("--json", action="store_true", help="for programs")


VERBS = {
    "build": (_build, None, "make the disk image from Debian's packages, when its inputs changed"),
    "up": (_up, _up_options, "start the host and its guests, from a snapshot when there is one"),
    "exec": (_exec, _exec_options, "run a command on a host: stdin, stdout, stderr, exit status"),
    "put": (_put, _put_options, "copy a file or a directory to a host"),
    "get": (_get, _get_options, "copy a file or a directory from a host"),
    "console": (_console, _console_options, "print a host's console"),
    "mark": (_mark, None, "forget the console faults so far"),
    "check-console": (_check_console, None,
                      "print the kernels' and Xen's faults since the mark; exit 1 if any"),
    "status": (_status, _json_option, "what is up"),
    "down": (_down, None, "end the host, leave nothing behind"),
}


def _parser():
    p = argparse.ArgumentParser(
        prog="lab", description="A real Xen host with its guests, in an emulator.",
        epilog="Exit status: 0 ok, 1 failed, 2 usage, 124 time-out, else the remote command's.")
    verbs = p.add_subparsers(dest="verb", required=True, metavar="VERB")
    for name, (function, options, text) in VERBS.items():
        v = verbs.add_parser(name, help=text, description=text[0].upper() + text[1:] + ".")
        v.set_defaults(function=function)
        if name != "build":
            v.add_argument("--name", default=os.environ.get("LAB_NAME", "lab"), metavar="LAB",
                           help="which lab, when there are several ($LAB_NAME or lab)")
        if options:
            options(v)
    return p


def main(argv):
    args = _parser().parse_args(argv)
    try:
        return args.function(args)
    except LabError as e:
        print(f"lab: {e}", file=sys.stderr)
        return e.code
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        return EXIT_FAILED
