"""What is going on, for whoever watches; the figures alone are on standard output."""

from __future__ import annotations

import sys


def say(what: str) -> None:
    """A line on standard error."""
    sys.stderr.write(f"{what}\n")
    sys.stderr.flush()
