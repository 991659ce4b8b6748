"""What an action can say of itself."""

from __future__ import annotations

import importlib
import math
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from bot.actions import Call, action
from bot.actions.progress import Progress, Step, StepState
from bot.actions.registry import marked
from bot.errors import ConfigurationError
from oauth import AccessToken
from tests.fakes.runner import person

DONE, NOW, TO_DO, FAILED = StepState.DONE, StepState.IN_PROGRESS, StepState.PENDING, StepState.FAILED


def test_a_step_that_begins_ends_the_one_before() -> None:
    """In order, and a name that was not planned is one more."""
    progress = Progress().planned(["a", "b"]).stepped("a").stepped("b").stepped("c")
    assert progress.steps == (Step("a", DONE), Step("b", DONE), Step("c", NOW))


def test_a_step_can_fail_and_others_go_on() -> None:
    """What failed stays so."""
    progress = Progress().planned(["a", "b"]).stepped("a", FAILED).stepped("b")
    assert progress.steps == (Step("a", FAILED), Step("b", NOW))


@pytest.mark.parametrize(
    ("progress", "fraction"),
    [
        (Progress(), None),
        (Progress().said("x", fraction=0.25), 0.25),
        (Progress().said("x", done=3, of=4), 0.75),
        (Progress().said("x", done=9, of=4), 1.0),
        (Progress().said("x", fraction=-1), 0.0),
        (Progress().planned(["a", "b"]), 0.0),
        (Progress().planned(["a", "b"]).stepped("b"), 0.0),
        (Progress().planned(["a", "b"]).stepped("a").said("x", done=1, of=2), 0.25),
        (Progress().planned(["a", "b"]).stepped("a").stepped("b"), 0.5),
        (Progress().planned(["a", "b"]).stepped("a", DONE).stepped("b", DONE), 1.0),
    ],
)
def test_how_much_of_all_is_done(progress: Progress, fraction: float | None) -> None:
    """The steps that are over, and the part of the present one."""
    assert progress.fraction == (pytest.approx(fraction) if fraction is not None else None)


@pytest.mark.parametrize("bad", [math.nan, math.inf, "half", None, [1]])
def test_what_makes_no_sense_is_passed_over(bad: object) -> None:
    """A report is never a reason to fail."""
    known = Progress().said("x", fraction=0.5)
    assert known.said("y", done=bad, of=3, fraction=bad).fraction == 0.5  # type: ignore[arg-type]
    assert known.said("y", done=1, of=0).fraction == 0.5


def test_texts_are_one_line_and_short() -> None:
    """Whatever an action says."""
    progress = Progress().planned(["a\nb", "x" * 1000, *map(str, range(100))]).said("t" * 1000)
    assert progress.steps[0].name == "a b"
    assert len(progress.steps) == 30
    assert len(progress.steps[1].name) <= 150
    assert len(progress.text or "") <= 200


def test_where_it_ended() -> None:
    """What went on is done or failed; what was not begun stays so."""
    progress = Progress().planned(["a", "b"]).stepped("a")
    assert [step.state for step in progress.ended(ok=True).steps] == [DONE, TO_DO]
    assert [step.state for step in progress.ended(ok=False).steps] == [FAILED, TO_DO]


async def test_a_call_without_anybody_who_looks_on() -> None:
    """Where somebody tests an action of theirs: reports go nowhere, and the token is the one there is."""
    now = datetime.now(UTC)
    token = AccessToken("value", "aud", frozenset(), now, now, "jti")
    call = Call(person("ada"), {}, token, "run")
    await call.steps("a")
    await call.step("a", "nonsense")  # type: ignore[arg-type]
    await call.report("x", fraction=0.5)
    assert await call.fresh_token() is token


def test_what_the_documents_show_is_an_action(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The example can be copied: it is marked, takes what it says, and may take an hour."""
    text = (Path(__file__).parents[4] / "docs" / "actions.md").read_text(encoding="utf-8")
    (tmp_path / "shown_in_documents.py").write_text(text.split("```python\n")[1].split("```")[0], encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    (shown,) = marked(importlib.import_module("shown_in_documents"))
    assert (shown.name, shown.longest) == ("copy_orders", timedelta(hours=1))


@pytest.mark.parametrize("longest", [timedelta(0), timedelta(days=2)])
def test_how_long_an_action_may_take_has_bounds(longest: timedelta) -> None:
    """Said at import, where it can be mended."""
    with pytest.raises(ConfigurationError, match="at most a day"):
        action(description="x", scopes=[], longest=longest)
