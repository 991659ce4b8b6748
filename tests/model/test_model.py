"""The protocol of claim, execute and sweep, in all its interleavings, by Spin (spinroot.com)."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

MODEL = Path(__file__).with_name("approvals.pml")
pytestmark = pytest.mark.skipif(
    not (shutil.which("spin") and shutil.which("gcc")), reason="needs spin and gcc: apt-get install spin gcc"
)


def searched(directory: Path, *options: str, defines: tuple[str, ...]) -> str:
    """What the verifier says about every state that can be reached; `options` are its own, `defines` the model's."""
    for command in (
        ["spin", *(f"-D{name}" for name in defines), "-a", str(MODEL)],
        ["gcc", "-O2", "-DCOLLAPSE", "-DNFAIR=3", "-DMEMLIM=1024", "-o", "pan", "pan.c"],
        ["./pan", "-m100000", *options],
    ):
        done = subprocess.run(command, cwd=directory, capture_output=True, text=True, timeout=240, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
    assert "max search depth too small" not in done.stdout, done.stdout
    return done.stdout


def errors(said: str) -> int:
    """How many it found; it stops at the first. Nothing counts as none that was not looked at to the end."""
    (count,) = re.findall(r"errors: (\d+)", said)
    assert int(count) or "Search not completed" not in said, said
    return int(count)


def test_t74_one_verdict_one_execution_and_nothing_without_its_entry(tmp_path: Path) -> None:
    """No interleaving of two clicks and two rounds, and no two deaths, break an assertion of the model."""
    assert errors(searched(tmp_path, "-noclaim", defines=("SILENT", "CRASHES=2"))) == 0


@pytest.mark.parametrize("defines", [("ALONE", "CRASHES=2"), ("SILENT", "CRASHES=1")])
def test_t74_in_the_end_it_is_decided_on_record_and_on_the_card(tmp_path: Path, defines: tuple[str, ...]) -> None:
    """Under weak fairness: whoever can go on does so some day."""
    assert errors(searched(tmp_path, "-a", "-f", defines=defines)) == 0


def test_t74_a_claim_that_is_not_atomic_is_found_out(tmp_path: Path) -> None:
    """Look first and write then, and two replicas execute: the model is able to see it."""
    said = searched(tmp_path, "-noclaim", defines=("SILENT", "CRASHES=2", "NON_ATOMIC"))
    assert errors(said) == 1
    assert "assertion violated (calls<=1)" in said
