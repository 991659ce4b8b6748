"""Work that lasts, as people see it: how far it is, in which step, and a button to stop it."""

from __future__ import annotations

from typing import Any

from bot.actions.progress import Progress, Step, StepState
from bot.work import Outcome, Running, Stop, View
from handlers.approval_words import NAME, because, person
from handlers.blocks import button, buttons, code, line, section, short
from handlers.inert import inert
from handlers.message import Block, Message

RUN_STOP = "run.stop"
Chunk = dict[str, Any]

_SLOTS = 20
_TITLE = 250  # of a task (docs.slack.dev, "chat.appendStream": 256)
_MARKS = {
    StepState.PENDING: "○",
    StepState.IN_PROGRESS: "⏳",
    StepState.DONE: "✓",
    StepState.FAILED: "✗",
}
_STATUS = {
    StepState.PENDING: "pending",
    StepState.IN_PROGRESS: "in_progress",
    StepState.DONE: "complete",
    StepState.FAILED: "error",
}


def stop_button(run: str) -> Block:
    """Its value is the run's name and nothing else."""
    return button(RUN_STOP, "Stop", style="danger", value=run)


def work_card(running: Running, view: View, *, streamed: bool = False) -> Message:
    """What there is to see; with `streamed` the steps are in the thread below."""
    said = _said(running, view, streamed=streamed and view.outcome is None)
    blocks: list[Block] = [section(said)]
    if bar := _bar(view):
        blocks.append(section(bar))
    if view.progress.steps and (not streamed or view.outcome is not None):
        blocks.append(section("\n".join(map(_step, view.progress.steps))))
    if view.outcome is None and view.stop is None:
        blocks.append(buttons(stop_button(running.run)))
    return Message(said, tuple(blocks))


def plan_title(running: Running, view: View) -> str:
    """Over the task cards."""
    share = view.progress.fraction
    ending = {Outcome.OK: "done", Outcome.FAILED: "failed", Outcome.UNKNOWN: "ended before its time"}
    how = ending[view.outcome] if view.outcome is not None else "stopping" if view.stop else _percent(share)
    if view.outcome not in {None, Outcome.OK} and _by_word(view):
        how = "stopped"
    return short(inert(f"{running.action}: {how}" if how else running.action), _TITLE)


def task_chunks(running: Running, view: View) -> list[Chunk]:
    """A task card for each step, or one for all (docs.slack.dev, "chat.appendStream", task_update chunks)."""
    progress = view.progress
    if not progress.steps:
        state = {None: StepState.IN_PROGRESS, Outcome.OK: StepState.DONE}.get(view.outcome, StepState.FAILED)
        return [_task("work", progress.text or running.action, state)]
    return [_task(f"step{number}", _titled(progress, step), step.state) for number, step in enumerate(progress.steps)]


def _said(running: Running, view: View, *, streamed: bool) -> str:
    name = code(running.action[:NAME])
    match view.outcome:
        case Outcome.OK:
            return f"✓ {name} is done."
        case Outcome.FAILED:
            return f"✗ {name} {_stopped(view.stop)}." if _by_word(view) else f"✗ {name} failed{because(view.reason)}."
        case Outcome.UNKNOWN:
            ended = _stopped(view.stop) if _by_word(view) else f"ended before its time{because(view.reason)}"
            return f"{name} {ended}. It may be done in part, or not at all: look there before you ask again."
    if view.stop is not None:
        return f"⏳ {name} is being stopped…"
    return f"⏳ {name} is running.{' Its steps are in the thread.' if streamed else ''}"


def _by_word(view: View) -> bool:
    return view.stop is not None and view.stop.by is not None


def _stopped(stop: Stop | None) -> str:
    return f"was stopped by {person(stop.by.slack)}" if stop is not None and stop.by is not None else "was stopped"


def _bar(view: View) -> str:
    """How far it is, and what is being done now; nothing where neither is known, or it is over."""
    if view.outcome is not None:
        return ""
    share = view.progress.fraction
    full = round(_SLOTS * share) if share is not None else 0
    bar = f"`{'█' * full}{'░' * (_SLOTS - full)}` {_percent(share)}" if share is not None else ""
    return " ".join(filter(None, [bar, line(view.progress.text or "", 250)]))


def _percent(share: float | None) -> str:
    return f"{int(share * 100)} %" if share is not None else ""


def _step(step: Step) -> str:
    name = line(step.name)
    return f"{_MARKS[step.state]} {f'*{name}*' if step.state is StepState.IN_PROGRESS else name}"


def _titled(progress: Progress, step: Step) -> str:
    now = step.state is StepState.IN_PROGRESS and progress.text
    return f"{step.name} – {progress.text}" if now else step.name


def _task(id_: str, title: str, state: StepState) -> Chunk:
    return {"type": "task_update", "id": id_, "title": short(inert(title), _TITLE) or "…", "status": _STATUS[state]}
