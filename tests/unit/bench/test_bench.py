"""The benchmark runs and says what it has seen; how fast anything is, is not asked here."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

_ROOT = Path(__file__).parents[3]
_FIELDS = {"figure", "value", "unit", "goal", "met", "against", "commands_per_call", "naive"}


def test_a_figure_is_one_line_of_json_with_its_goal_and_what_it_was_compared_with() -> None:
    """Each figure can be read by a program, and the exit status follows from what it says (guard: `Figure.line`)."""
    command = [sys.executable, "-m", "tests.bench", "--quick", "--only", "valid_token"]
    done = subprocess.run(command, cwd=_ROOT, capture_output=True, text=True, check=False)
    (line,) = done.stdout.splitlines()
    figure = json.loads(line)
    assert figure.keys() >= _FIELDS, done.stderr
    assert (figure["figure"], figure["goal"]) == ("valid_token", "<= 1.5")
    assert figure["commands_per_call"] == {"value": 1.0, "goal": "= 1"}
    assert done.returncode == (0 if figure["met"] else 1)
