"""Runs a command, and wherever it imports, executes or opens something a copy of the process to which a signal comes there.

python at_every_moment.py SIGNAL EVERY FILE WORDS...: of every EVERYth such moment, from when FILE is there; the last line on
stdout is how many copies ended with which code, as JSON.
"""

import itertools
import json
import os
import signal
import sys
import threading
from collections import Counter
from pathlib import Path

from diffkit_cli.__main__ import main

MOMENTS = ("import", "exec", "compile", "open", "os.rename")
ended: Counter[int] = Counter()
moments = itertools.count()
in_a_copy = False


def at(event, arguments):
    global in_a_copy  # noqa: PLW0603
    alone = threading.active_count() == 1  # a copy has no other threads, and would wait for them
    if in_a_copy or not alone or event not in MOMENTS or not Path(file).exists() or next(moments) % every:
        return
    copy = os.fork()
    if copy:
        ended[os.waitstatus_to_exitcode(os.waitpid(copy, 0)[1])] += 1
    else:
        in_a_copy = True
        signal.raise_signal(signum)


if __name__ == "__main__":  # the doctests of all files are looked for
    signum, every, file = signal.Signals[sys.argv[1]], int(sys.argv[2]), sys.argv[3]
    sys.argv = ["diffkit", *sys.argv[4:]]
    sys.addaudithook(at)
    try:
        main()
    finally:
        in_a_copy = True
        sys.stdout.write(json.dumps(ended) + "\n")
