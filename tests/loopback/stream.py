# SPDX-License-Identifier: GPL-2.0-only
"""A busy, verified direction of a connection."""

import random
import threading
from contextlib import contextmanager

import bed
from bed import check, same


class Stream(threading.Thread):
    """Random chunks one way until told to stop; the receiver compares all of them."""

    def __init__(self, source, sink, seed):
        super().__init__()
        self.source, self.sink, self.seed = source, sink, seed
        self.stop = threading.Event()
        self.sent = self.received = 0
        self.error = None
        self.start()
        self.receiver = threading.Thread(target=self.receive)
        self.receiver.start()

    def chunks(self):
        rand = random.Random(self.seed)
        block = rand.randbytes(1 << 16)
        while True:
            start = rand.randrange(len(block) - 1)
            yield block[start:start + rand.randrange(1, len(block) - start + 1)]

    def run(self):
        try:
            for chunk in self.chunks():
                if self.stop.is_set():
                    break
                self.source.sendall(chunk)
                self.sent += len(chunk)
            self.source.shutdown(1)
        except OSError as error:
            self.error = error

    def receive(self):
        try:
            for chunk in self.chunks():
                got = bed.receive(self.sink, len(chunk))
                self.received += len(got)
                if got != chunk[:len(got)]:
                    raise AssertionError(f"other bytes behind {self.received - len(got)}")
                if len(got) < len(chunk):
                    return
        except Exception as error:  # pylint: disable=broad-except
            self.error = error

    def end(self):
        self.stop.set()
        for thread in (self, self.receiver):
            thread.join(30 * bed.HANG_SCALE)
            if self.error:
                raise self.error
            check(not thread.is_alive(), f"stuck behind {self.sent} sent, {self.received} received")
        same(self.sent, self.received)


@contextmanager
def both_ways(a, b, seed=1):
    """Both directions are busy for as long as a block lasts; then all bytes have to be there."""
    streams = [Stream(a, b, seed), Stream(b, a, seed + 1)]
    try:
        yield
        for stream in streams:
            stream.end()
    finally:
        for stream in streams:
            stream.stop.set()   # of a block that failed: the next test needs the processor
