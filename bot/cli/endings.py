"""How a command ends: every error is a sentence on stderr and an exit code, never a traceback."""

from __future__ import annotations

import os
import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import typer

from bot.errors import AuditUnavailable, ConfigurationError

FAILED, MISUSED, INTERRUPTED = 1, 2, 130


@contextmanager
def ended() -> Iterator[None]:
    """Turn what a command raises into its end. What Click itself says, and its exit codes, go through."""
    try:
        yield
    except KeyboardInterrupt:
        sys.exit(INTERRUPTED)
    except ConfigurationError as error:
        _say(*error.problems)
        sys.exit(MISUSED)
    except AuditUnavailable:
        _say("The database does not answer, so the audit trail cannot be read or written. Try again.")
        sys.exit(FAILED)
    except BrokenPipeError:
        quiet()
        sys.exit(FAILED)
    except OSError as error:
        _say(f"{error.filename or 'The system'}: {error.strerror or type(error).__name__}.")
        sys.exit(FAILED)
    except Exception as error:
        # Its text can hold a payload or a token; its type and place are enough to report it.
        place = traceback.extract_tb(error.__traceback__)[-1]
        name = "/".join(Path(place.filename).parts[-2:])
        _say(f"Something unexpected ended this command: {type(error).__name__} in {name}, line {place.lineno}.")
        sys.exit(FAILED)


def quiet() -> None:
    """Nobody reads on: let Python's last flush of stdout find nothing to complain about."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _say(*lines: str) -> None:
    typer.echo("\n".join(lines), err=True)
