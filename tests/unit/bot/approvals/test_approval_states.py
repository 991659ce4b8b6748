"""The pure decisions: what a vote does, and what the round has to do."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.actions.policy import Policy
from bot.approvals import Approval, Copy, Origin, Part, State, Verdict, Vote
from bot.approvals.states import Decided, Refused, Step, agreed, decide, due
from bot.errors import AlreadyDecided, ApprovalExpired, ChangedSinceAsked, NotYours, StepUpNeeded
from oauth import Evidence, Principal, SlackUser
from tests.fakes.runner import person

S = State
NOON = datetime.fromisoformat("2030-01-02T12:00:00+00:00")
ADA, BOB = person("ada"), person("bob")


def request(**changes: object) -> Approval:
    plain = Approval(
        id="a1",
        requester=ADA.slack,
        sub=ADA.sub,
        link_version="1",
        action="refund_order",
        description="Refund one order",
        arguments={"order_id": "A-1"},
        scopes=frozenset({"orders:refund"}),
        digest="d",
        run="r",
        origin=Origin(),
        created_at=NOON,
        expires_at=NOON + timedelta(minutes=15),
        audited=True,
        copies=(Copy(Part.APPROVER, "UADA"),),
        reminded=True,
    )
    return replace(plain, **changes)  # type: ignore[arg-type]


def vote(by: Principal, at: datetime = NOON, verdict: Verdict = Verdict.APPROVE) -> Vote:
    """A vote of somebody who is linked."""
    return Vote(by.slack, by.sub, by.version, verdict, at)


@pytest.mark.parametrize(("verdict", "state"), [(Verdict.APPROVE, S.APPROVED), (Verdict.DENY, S.DENIED)])
def test_the_requester_decides(verdict: Verdict, state: State) -> None:
    """Who asked may agree or refuse while there is time."""
    assert decide(request(), verdict, ADA, NOON) == Decided(vote(ADA, verdict=verdict), state)


STRANGERS = {
    "somebody else": BOB,
    "the same user id in another workspace": person("ada", team="T2"),
    "the same person with another account": replace(ADA, identity=replace(ADA.identity, sub=BOB.sub)),
    "another person with the same account": replace(BOB, identity=ADA.identity),
}


@pytest.mark.parametrize("verdict", [Verdict.APPROVE, Verdict.DENY])
@pytest.mark.parametrize("voter", STRANGERS.values(), ids=STRANGERS.keys())
def test_t45_nobody_else_decides(voter: object, verdict: Verdict) -> None:
    """Slack person and identity must both be the requester's: either comparison alone lets one of these through."""
    outcome = decide(request(), verdict, voter, NOON)  # type: ignore[arg-type]
    assert isinstance(outcome, Refused)
    assert isinstance(outcome.why, NotYours)


@pytest.mark.parametrize("state", [state for state in S if state not in {S.PENDING, S.EXPIRED}])
def test_t48_what_is_decided_stays_decided(state: State) -> None:
    """A second vote is told how it stands."""
    outcome = decide(request(state=state), Verdict.DENY, ADA, NOON)
    assert isinstance(outcome, Refused)
    assert isinstance(outcome.why, AlreadyDecided)
    assert outcome.why.state == state.value


@pytest.mark.parametrize("state", [S.PENDING, S.EXPIRED])
def test_t49_too_late_is_too_late(state: State) -> None:
    """At `expires_at` it is over, whether or not the store says so yet."""
    outcome = decide(request(state=state), Verdict.APPROVE, ADA, NOON + timedelta(minutes=15))
    assert isinstance(outcome, Refused)
    assert isinstance(outcome.why, ApprovalExpired)


def test_t34_what_does_not_open_cannot_be_agreed_to() -> None:
    """A request whose sealed part was altered is not what was shown."""
    outcome = decide(request(readable=False, arguments={}), Verdict.APPROVE, ADA, NOON)
    assert isinstance(outcome, Refused)
    assert isinstance(outcome.why, ChangedSinceAsked)


@given(
    state=st.sampled_from(S),
    verdict=st.sampled_from([Verdict.APPROVE, Verdict.DENY]),
    seconds=st.integers(-1000, 2000),
    who=st.sampled_from([ADA, *STRANGERS.values()]),
    readable=st.booleans(),
)
def test_only_one_way_leads_to_a_decision(
    state: State, verdict: Verdict, seconds: int, who: object, readable: bool
) -> None:
    """Pending, in time, readable and the requester's own: each missing part alone is a refusal."""
    now = NOON + timedelta(seconds=seconds)
    outcome = decide(request(state=state, readable=readable), verdict, who, now)  # type: ignore[arg-type]
    allowed = state is S.PENDING and seconds < 900 and readable and who is ADA
    assert isinstance(outcome, Decided) == allowed


SHOWN = (Copy(Part.APPROVER, "UADA", "D1", "1.2", shown=1),)
LATELY = {"votes": (vote(ADA, NOON + timedelta(seconds=899)),)}
AGREED = {"state": S.APPROVED, "votes": (vote(ADA),), "copies": SHOWN}
ROUND = {
    "its card is not there yet": (request(), None, 0, Step.SPEAK),
    "it waits for a person": (request(copies=SHOWN), None, 0, Step.REST),
    "its card is behind": (request(copies=SHOWN, revision=2), None, 0, Step.SPEAK),
    "its time is over": (request(copies=SHOWN), None, 900, Step.EXPIRE),
    "it does not open": (request(readable=False), None, 0, Step.DISCARD),
    "agreed to, and does not open": (request(**AGREED, readable=False), None, 0, Step.DISCARD),
    "agreed to": (request(**AGREED), None, 0, Step.RESUME),
    "agreed to, entry owed": (request(**AGREED, audited=False), None, 0, Step.RECORD),
    "agreed to just now, its own time over": (request(**AGREED | LATELY), None, 901, Step.RESUME),
    "agreed to before a long outage": (request(**AGREED), None, 900, Step.TOO_LATE),
    "executing, alive": (request(state=S.EXECUTING, copies=SHOWN), NOON + timedelta(seconds=1), 0, Step.REST),
    "executing, dead": (request(state=S.EXECUTING, copies=SHOWN), NOON, 0, Step.LEFT_BEHIND),
    "executing, without a lease": (request(state=S.EXECUTING, copies=SHOWN), None, 0, Step.LEFT_BEHIND),
    "refused, entry owed": (request(state=S.DENIED, audited=False), None, 0, Step.RECORD),
    "over its time, entry owed": (request(state=S.EXPIRED, audited=False), None, 0, Step.RECORD),
    "cancelled, entry owed": (request(state=S.CANCELLED, audited=False), None, 0, Step.RECORD),
    "interrupted, entry owed": (request(state=S.UNKNOWN, audited=False), None, 0, Step.RECORD),
    "done, not said": (request(state=S.DONE), None, 0, Step.SPEAK),
    "done and shown, not noted as settled": (request(state=S.DONE, copies=SHOWN, told=True), None, 0, Step.REST),
}  # fmt: skip


@pytest.mark.parametrize(("approval", "lease", "seconds", "step"), ROUND.values(), ids=ROUND.keys())
def test_the_round_knows_its_next_step(approval: Approval, lease: datetime | None, seconds: int, step: Step) -> None:
    """Each situation that a dead replica can leave behind has one next step."""
    assert due(approval, lease, NOON + timedelta(seconds=seconds)) is step


@given(
    state=st.sampled_from(S),
    audited=st.booleans(),
    readable=st.booleans(),
    seconds=st.integers(0, 2000),
    lease=st.one_of(st.none(), st.integers(-100, 100)),
)
def test_t54_only_what_is_on_record_is_resumed(
    state: State, audited: bool, readable: bool, seconds: int, lease: int | None
) -> None:
    """The round begins nothing but an approved, readable request whose entry stands."""
    now = NOON + timedelta(seconds=seconds)
    approval = request(state=state, audited=audited, readable=readable, votes=(vote(ADA),))
    step = due(approval, None if lease is None else now + timedelta(seconds=lease), now)
    if step is Step.RESUME:
        assert (state, audited, readable) == (S.APPROVED, True, True)


NOW = int(NOON.timestamp())
LOGINS = {
    "none": (None, False),
    "just now": (Evidence(NOW, ("mfa",)), True),
    "five minutes ago": (Evidence(NOW - 300, ("pwd", "mfa")), True),
    "longer ago": (Evidence(NOW - 301, ("mfa",)), False),
    "a clock that is ahead": (Evidence(NOW + 60, ("mfa",)), True),
    "in the future": (Evidence(NOW + 61, ("mfa",)), False),
    "without a second factor": (Evidence(NOW, ("pwd",)), False),
    "without a word of how": (Evidence(NOW), False),
}


@pytest.mark.parametrize(("evidence", "counts"), LOGINS.values(), ids=LOGINS.keys())
def test_where_it_takes_one_more_login_nothing_less_counts(evidence: Evidence | None, counts: bool) -> None:
    """Fresh, with a second factor, when it is voted and when it is counted anew (guards: `_lacking`, `agreed`)."""
    asked = request(policy=Policy(step_up=True))
    outcome = decide(asked, Verdict.APPROVE, ADA, NOON, evidence=evidence)
    cast = replace(vote(ADA), evidence=evidence)
    assert outcome == (Decided(cast, S.APPROVED) if counts else Refused(outcome.why))  # type: ignore[union-attr]
    if not counts:
        assert isinstance(outcome, Refused)
        assert isinstance(outcome.why, StepUpNeeded)
    assert agreed(replace(asked, votes=(cast,))) is counts


def test_who_denies_need_not_sign_in_once_more() -> None:
    """A no is never made harder."""
    asked = request(policy=Policy(step_up=True))
    assert isinstance(decide(asked, Verdict.DENY, ADA, NOON), Decided)


def test_a_workspace_is_the_organization_where_there_is_one() -> None:
    """In Enterprise Grid one person is one person in all teams of the organization."""
    grid = replace(ADA, slack=SlackUser("T1", "UADA", "E1"))
    elsewhere = replace(ADA, slack=SlackUser("T9", "UADA", "E1"))
    assert isinstance(decide(request(requester=grid.slack), Verdict.APPROVE, elsewhere, NOON), Decided)
