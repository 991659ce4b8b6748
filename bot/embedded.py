"""The child process around the embedded database: it ends when its parent does, however the parent ended.

A bot that was killed cannot stop its database, and the database's files admit one server at a time. So the
child reads its standard input, a pipe whose other end only the parent holds; its end means that the parent
is gone.
"""

from __future__ import annotations

import os
import runpy
import signal
import sys
import threading


def _end_with_parent() -> None:
    # Not `sys.stdin.read()`: it holds a lock that Python needs at its end, and aborts without it.
    while os.read(sys.stdin.fileno(), 4096):
        pass
    os.kill(os.getpid(), signal.SIGTERM)


def main() -> None:
    """Run the server in this process with the arguments given."""
    threading.Thread(target=_end_with_parent, daemon=True).start()
    runpy.run_module("secantus", run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()
