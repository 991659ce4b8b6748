"""What became of all kills of a run, in figures."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from bot.audit.chain import Entry, first_bad
from bot.audit.store import MongoAuditStore
from tests.faults.aftermath import INTERRUPTED, SPENT, Outcome, Phase
from tests.faults.scene import Linked, Scene


@dataclass(slots=True)
class Tally:
    """Counts, and every promise that was broken, in `flaws`. Read it after `close`.

    `length` in seconds is that of a refresh which nobody disturbs. Three are no promises, and worth knowing:
    `unrecorded` are access tokens at hand whose process died between the save and its entry, `ended_twice` links whose
    end two processes have written down, since the first died over it, and `untold` those whose person has heard of
    the end from nobody.
    """

    scene: Scene
    kills: int = 0
    unharmed: list[Linked] = field(default_factory=list)
    outcomes: list[Outcome] = field(default_factory=list)
    suspensions: int = 0
    length: float = 0.0
    flaws: list[str] = field(default_factory=list)
    unrecorded: int = 0
    ended_twice: int = 0
    untold: int = 0

    @property
    def phases(self) -> Counter[Phase]:
        """How the kills were distributed."""
        return Counter(outcome.phase for outcome in self.outcomes)

    @property
    def interrupted(self) -> list[Outcome]:
        """Where something was left behind."""
        return [outcome for outcome in self.outcomes if outcome.phase in INTERRUPTED]

    async def close(self) -> None:
        """After the last: what the trail says, and every flaw."""
        entries = [entry async for entry in MongoAuditStore(self.scene.survivors[0].database).entries()]
        self.flaws = [flaw for outcome in self.outcomes for flaw in outcome.flaws] + list(self._trail(entries))
        self.untold = sum(not outcome.kept and not outcome.told for outcome in self.outcomes)
        known = {entry.get("token_jti") for entry in entries}
        links = [link async for link in self.scene.survivors[0].database["links"].find()]
        self.unrecorded = sum(access["jti"] not in known for link in links for access in link["access"])

    @property
    def said(self) -> str:
        """In one line for people."""
        figures = self.figures()
        names = ("kills", "phases", "kept", "ended", "settled_unasked", "settled_unasked_seconds", "flaws")
        return ", ".join(f"{name} {figures[name]}" for name in names)

    def figures(self) -> dict[str, Any]:
        """Counts, and seconds."""
        interrupted, phases = self.interrupted, self.phases
        settled = sorted(outcome.settled for outcome in self.outcomes if outcome.settled is not None)
        waited = sorted(outcome.waited for outcome in interrupted if outcome.waited is not None)
        return {
            "kills": self.kills,
            "refresh_seconds": round(self.length, 4),
            "overlap_seconds": self.scene.overlap,
            "phases": {str(phase): phases[phase] for phase in Phase if phases[phase] or phase is not Phase.ENDED},
            "kept": sum(outcome.kept for outcome in self.outcomes),
            "ended": sum(not outcome.kept for outcome in self.outcomes),
            "settled_unasked": len(settled),
            "settled_unasked_seconds": _spread(settled),
            "settled_for_a_caller": len(waited),
            "settled_for_a_caller_seconds": _spread(waited),
            "tokens_saved_without_entry": self.unrecorded,
            "ended_with_two_entries": self.ended_twice,
            "ended_and_nobody_told": self.untold,
            "flaws": len(self.flaws),
        }

    def _trail(self, entries: Sequence[Entry]) -> Iterator[str]:
        """What the trail says that is not so, or does not say."""
        if bad := first_bad(entries):
            yield f"the chain {bad.chain} does not hold at {bad.seq}: {bad.why}"
        revoked = Counter(f"{e['team']}:{e['user']}" for e in entries if e["type"] == "link.revoked")
        for outcome in self.outcomes:
            found = revoked[outcome.kill.linked.key]
            # Who dies over an end may have written its entry already; whoever completes it writes it again.
            dying = outcome.kill.linked.left and outcome.phase in SPENT
            self.ended_twice += found == 2
            if found != (not outcome.kept) and not (dying and found == 2):
                yield f"{outcome.kill.linked.key}, killed {outcome.phase}: has {found} entries of its end"
        for linked in self.unharmed:
            if revoked[linked.key] and not linked.left:
                yield f"{linked.key}: has ended, and was not killed"


def _spread(ordered: list[float]) -> dict[str, float] | None:
    if not ordered:
        return None
    return {"median": round(ordered[len(ordered) // 2], 2), "longest": round(ordered[-1], 2)}
