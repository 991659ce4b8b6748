"""A few of what `make bench` does by the thousand: races for one verdict, and replicas killed over a click."""

from __future__ import annotations

from pathlib import Path

from tests.faults import crashes, races


async def test_t48_one_verdict_and_at_most_one_execution_over_three_replicas(tmp_path: Path) -> None:
    """Double clicks, both buttons, a withdrawal and a clock that is ahead, all at once.

    Guards: `_same` in every change of the store, `audited_only` of the execution, `_awaited` of the entries.
    """
    found = await races.measured(60, 1, tmp_path)
    assert found["broken"] == []
    assert found["races"] == 60
    assert found["calls"] == found["ends"]["done"]
    assert {"done", "expired", "cancelled", "denied"} <= found["ends"].keys()


async def test_t74_a_replica_that_is_killed_after_a_click_leaves_nothing_twice_and_no_card_untrue(
    tmp_path: Path,
) -> None:
    """Whatever had come of it by then is brought to its end by others within half a minute.

    Guards: the lease of an execution, the claims of entry and outbox, `_stands` before an entry is written.
    """
    found = await crashes.measured(25, 1, tmp_path)
    assert found["broken"] == []
    assert found["kills"] == 25
    assert sum(1 for count in found["phases"].values() if count) >= 3
