"""Requests in any order of events, with replicas that die at any step: what must always hold, and what in the end.

By hypothesis' stateful testing. The clock is set by hand; store, trail, Slack and service are those of the other tests.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Coroutine
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    initialize,
    invariant,
    multiple,
    precondition,
    rule,
    run_state_machine_as_test,
)

from bot.actions import Action
from bot.approvals import Approval, State, Verdict
from bot.audit.chain import first_bad
from bot.errors import CountersignError
from bot.runner import Waiting
from oauth import SlackUser, Subject
from oauth.errors import IdentityError
from oauth.models import LinkVersion
from tests.conftest import HandClock
from tests.fakes.approvals import StoreAway
from tests.fakes.mortal import Death, Fuse, mortal
from tests.fakes.runner import ORIGIN, Replica, World, person

NAMES = ("ada", "bob", "carol", "dan")
POLICIES: dict[str, dict[str, Any]] = {
    "own": {"approval": "self"},
    "again": {"approval": "self", "idempotent": True},
    "by_bob": {"approval": "other", "approvers": ("UBOB",)},
    "by_two": {"approval": "other", "approvers": ("UBOB", "UCAROL", "UDAN"), "quorum": 2},
    "held": {"approval": "self", "hold": timedelta(minutes=5)},
    "sure": {"approval": "other", "approvers": ("UBOB", "UCAROL"), "confirm": "order_id"},
}
ENDS = {
    State.DENIED: "approval.denied",
    State.EXPIRED: "approval.expired",
    State.CANCELLED: "approval.cancelled",
}
# A replica is dead for the others when its lease is over; a claim of the outbox lasts longest.
LONG_ENOUGH = timedelta(seconds=30)
WAITS = (1, 1, 1, 1, 11, 11, 20, 20, 61, 61, 310, 1000)  # a request lives for 900
SELDOM = st.sampled_from((False, False, False, True))
FEW = 2  # so that something happens to each
EXAMPLES = 45  # for each policy
REACHED: Counter[str] = Counter()


class Approvals(RuleBasedStateMachine):
    """People, two replicas over one database, and everything that can happen to a request."""

    first = "own"
    requests: Bundle[str] = Bundle("requests")

    def __init__(self) -> None:
        super().__init__()
        self.loop = asyncio.new_event_loop()
        self.loop.set_exception_handler(lambda *_: None)  # a dead process leaves tasks that nobody asks
        self.clock = HandClock(datetime(2030, 1, 2, 12, 0, tzinfo=UTC))
        self.world = World(self.clock)
        self.actions = [self.world.deed.action(name, **policy) for name, policy in POLICIES.items()]
        self.people = {name: person(name) for name in NAMES}
        self.world.links.link(*self.people.values())
        self.replicas: list[tuple[Replica, Fuse]] = [self._replica() for _ in range(2)]
        self.asked: dict[str, Approval] = {}
        self.digests: dict[str, str] = {}
        self.ended_links: set[LinkVersion] = set()
        self.calls_seen = 0

    def teardown(self) -> None:
        """In the end everybody is back, time goes by, and every promise about the end is looked at."""
        try:
            self._quiet()
            self._look_at_the_end()
            self._note_what_was_reached()
        finally:
            for task in asyncio.all_tasks(self.loop):
                task.cancel()
            self.loop.run_until_complete(asyncio.sleep(0))
            self.loop.close()

    # -- what happens

    @initialize(target=requests, who=st.sampled_from(NAMES))
    def begin(self, who: str) -> Any:
        """Without a request there is nothing to see."""
        return self._ask(who, self.first, 0)

    @precondition(lambda self: len(self.asked) < FEW)
    @rule(target=requests, who=st.sampled_from(NAMES), action=st.sampled_from(sorted(POLICIES)), at=st.integers(0, 1))
    def ask(self, who: str, action: str, at: int) -> Any:
        """Somebody asks for something."""
        return self._ask(who, action, at)

    def _ask(self, who: str, action: str, at: int) -> Any:
        values = {"order_id": "A-1", "amount": 5}
        found = self._done(at, self._at(at).runner.run(self.people[who], action, values, ORIGIN))
        if not isinstance(found, Waiting):
            return multiple()
        self.asked[found.approval.id] = found.approval
        self.digests[found.approval.id] = self._action(action).digest
        return found.approval.id

    @rule(
        request=requests,
        seat=st.integers(0, 7),
        verdict=st.sampled_from((Verdict.APPROVE,) * 5 + (Verdict.DENY,)),
        at=st.integers(0, 1),
        twice=st.booleans(),
        burn=st.none() | st.integers(0, 24),
        then=st.booleans(),
    )
    def vote(
        self, request: str, seat: int, verdict: Verdict, at: int, twice: bool, burn: int | None, then: bool
    ) -> None:
        """Somebody presses a button, maybe once more at the other replica; and one of the two may die over it, which
        the other may find out before anything else happens.

        It is somebody who may, or one of those who are named (who asked may be among them), or anybody.
        """
        self.replicas[at][1].left = burn
        named = [user.removeprefix("U").lower() for user in self.asked[request].policy.approvers]
        among = self._seated(request) if seat < 3 else named if named and seat < 6 else NAMES
        who = among[seat % len(among)]
        votes = [self._voted(at, request, who, verdict)]
        votes += [self._voted(1 - at, request, who, verdict)] if twice else []
        self._together(votes)
        if self._bury() and then:
            self.clock.forward(seconds=11)
            self._together([self._at(1 - at).runner.sweep()])

    @rule(request=requests, at=st.integers(0, 1), at_once=st.sampled_from((True, True, False)))
    def agree(self, request: str, at: int, at_once: bool) -> None:
        """As many agree as it takes, each at another replica than the one before; at once or in turn."""
        count = self.asked[request].policy.quorum
        votes = [
            self._voted((at + n) % 2, request, who, Verdict.APPROVE)
            for n, who in enumerate(self._seated(request)[:count])
        ]
        for together in [votes] if at_once else [[one] for one in votes]:
            self._together(together)

    @rule(
        request=requests,
        at=st.integers(0, 1),
        burn=st.sampled_from((3, 5, 8, 9, 10, 11, 12, 13, 14, 16)),
        found=st.booleans(),
    )
    def agree_and_die(self, request: str, at: int, burn: int, found: bool) -> None:
        """The replica of the last one who agrees dies over what follows: between the vote and the word that it is done.

        The other one may find that out before anything else happens.
        """
        *others, last = self._seated(request)[: self.asked[request].policy.quorum]
        for who in others:
            self._together([self._voted(1 - at, request, who, Verdict.APPROVE)])
        self.replicas[at][1].left = burn
        self._together([self._voted(at, request, last, Verdict.APPROVE)])
        if self._bury() and found:
            self.clock.forward(seconds=11)
            self._together([self._at(1 - at).runner.sweep()])

    @rule(
        request=requests,
        seat=st.integers(0, 3),
        at=st.integers(0, 1),
        against=st.sampled_from(("deny", "take back", "sweep")),
        late=st.booleans(),
    )
    def contradict(self, request: str, seat: int, at: int, against: str, late: bool) -> None:
        """Somebody agrees, and at the same time it is denied, taken back or expires at the other replica."""
        asked, seats, there = self.asked[request], self._seated(request), self._at(1 - at)
        left = (asked.expires_at - self.clock()).total_seconds()
        if late and left > 0:
            self.clock.forward(seconds=left)
        works = [self._voted(at, request, seats[seat % len(seats)], Verdict.APPROVE)]
        if against == "deny":
            works.append(self._voted(1 - at, request, seats[(seat + 1) % len(seats)], Verdict.DENY))
        elif against == "take back":
            requester = self.people[asked.requester.user.removeprefix("U").lower()]
            works.append(there.approvals.take_back(requester, request))
        else:
            works.append(there.runner.sweep())
        self._together(works)

    @rule(request=requests, who=st.sampled_from(NAMES), at=st.integers(0, 1), burn=st.none() | st.integers(0, 15))
    def take_back(self, request: str, who: str, at: int, burn: int | None) -> None:
        """Withdraw, or undo."""
        self.replicas[at][1].left = burn
        self._done(at, self._at(at).approvals.take_back(self.people[who], request))
        self._bury()

    @rule(seconds=st.sampled_from(WAITS))
    def wait(self, seconds: int) -> None:
        """Time goes by."""
        self.clock.forward(seconds=seconds)

    @rule(
        at=st.integers(0, 1),
        both=st.booleans(),
        after=st.sampled_from((0, 11, 310)),
        burn=st.none() | st.integers(0, 40),
    )
    def sweep(self, at: int, both: bool, after: int, burn: int | None) -> None:
        """A round of a replica, or of both at once; one may die in the middle of it."""
        self.clock.forward(seconds=after)
        self.replicas[at][1].left = burn
        self._together([self._at(one).runner.sweep() for one in ((at, 1 - at) if both else (at,))])
        self._bury()

    @precondition(lambda self: len(self.ended_links) < FEW)
    @rule(request=requests, voter=st.booleans(), not_again=SELDOM, other=st.booleans())
    def unlink(self, request: str, voter: bool, not_again: bool, other: bool) -> None:
        """The grant of somebody whom a request concerns ends; they may link again at once, also as somebody else."""
        votes = self.world.at_rest(self.asked[request]).votes
        slack = votes[-1].by if voter and votes else self.asked[request].requester
        who = slack.user.removeprefix("U").lower()
        former = self.people[who]
        self.ended_links.add(former.version)
        self.world.links.unlink(former)
        number = len(self.ended_links)
        identity = replace(former.identity, sub=Subject(f"auth0|{who}-{number}")) if other else former.identity
        self.people[who] = replace(former, identity=identity, version=LinkVersion(f"{who}-{number}"))
        if not not_again:
            self.world.links.link(self.people[who])

    @rule(slack=SELDOM, trail=SELDOM)
    def outage(self, slack: bool, trail: bool) -> None:
        """Slack refuses everything, or the trail takes nothing; or they are back, and everybody is linked."""
        self.world.cards.failing, self.world.audit.away = slack, trail
        for one in self.people.values():
            if one.slack.key not in self.world.links.live:
                self.world.links.link(one)

    @rule(request=requests)
    def change(self, request: str) -> None:
        """The operator changes what an action does, and starts the bots anew."""
        name = self.asked[request].action
        at = next(n for n, one in enumerate(self.actions) if one.name == name)
        version = int(self.actions[at].definition["version"]) + 1
        self.actions[at] = replace(self.actions[at], definition={"name": name, "version": version})
        self.replicas = [self._replica() for _ in range(2)]

    # -- what always holds

    @invariant()
    def no_more_than_one_call_each(self) -> None:
        """Promise 7. What may be repeated carries the same run."""
        for run, count in Counter(call.run for call in self.world.deed.calls).items():
            request = self._of_run(run)
            assert count == 1 or self._action(request.action).idempotent, f"{request.action}: {count} calls"

    @invariant()
    def no_call_without_its_entries(self) -> None:
        """Promise 9: agreed to and begun on record, before anything is called."""
        begun = Counter(entry["run"] for entry in self.world.audit.of("action.started"))
        agreed = Counter(entry["approval"] for entry in self.world.audit.of("approval.approved"))
        for run, count in Counter(call.run for call in self.world.deed.calls).items():
            request = self._of_run(run)
            assert begun[run] >= count
            assert agreed[request.id] >= request.policy.quorum

    @invariant()
    def only_what_was_agreed_is_called_and_by_whom(self) -> None:
        """Promises 2, 4 and 8: under the requester's live grant, agreed to by others where that is the policy."""
        for call in self.world.deed.calls[self.calls_seen :]:
            request = self._of_run(call.run)
            now = self.world.at_rest(request)
            assert call.principal.sub == request.sub
            assert self._live(request.requester) == call.principal.version == request.link_version
            assert now.not_before is None or now.not_before <= self.clock()
            assert self._action(request.action).digest == self.digests[request.id]
            assert dict(call.arguments) == dict(request.arguments)
            voters = {vote.sub for vote in now.votes if vote.verdict is Verdict.APPROVE}
            assert len(voters) >= request.policy.quorum
            assert (request.sub in voters) is (request.policy.kind == "self")
            for vote in now.votes:
                assert vote.verdict is Verdict.APPROVE
                assert vote.at < request.expires_at
                assert self._live(vote.by) == vote.link_version
        self.calls_seen = len(self.world.deed.calls)

    @invariant()
    def the_trail_holds(self) -> None:
        """Each entry in its place."""
        if not self.world.audit.away:
            assert first_bad(self._entries()) is None

    # -- what holds in the end

    def _look_at_the_end(self) -> None:
        kinds: dict[str, Counter[str]] = {}
        for entry in self._entries():
            if entry["type"].startswith(("approval.", "action.")) and entry["type"] != "action.refused":
                kinds.setdefault(entry.get("approval", ""), Counter())[entry["type"]] += 1
        for request in self.asked.values():
            now, on_record = self.world.at_rest(request), kinds[request.id]
            assert now.state.final, now.state
            assert now.audited
            assert now.told
            assert all(copy.posted and copy.shown == now.revision for copy in now.copies)
            assert on_record["approval.requested"] == 1
            assert on_record["approval.approved"] == now.agreed
            # What was called off at the last look, after the execution was claimed, is a call that was refused.
            refused = now.state is State.CANCELLED and now.tries > 0
            for state, kind in ENDS.items():
                assert on_record[kind] == (now.state is state and not refused), (now.state, now.reason, on_record)
            assert not refused or now.reason in self._refusals(now.id)
            calls = sum(call.run == now.run for call in self.world.deed.calls)
            assert (now.state in {State.DONE, State.UNKNOWN}) or calls == 0, (now.state, now.reason)
            assert now.state is not State.DONE or calls >= 1
            assert not calls or on_record["action.finished"] >= 1
            assert now.state is not State.EXPIRED or now.agreed < now.policy.quorum, "enough had agreed"

    def _note_what_was_reached(self) -> None:
        for request in self.asked.values():
            now = self.world.at_rest(request)
            REACHED[f"{request.action} {now.state}"] += 1
            REACHED[str(now.state)] += 1
            REACHED["calls"] += sum(call.run == now.run for call in self.world.deed.calls)
            REACHED["repeated"] += now.tries > 1
        REACHED["relinked"] += len(self.ended_links)

    def _refusals(self, id_: str) -> set[str]:
        return {entry["reason"] for entry in self.world.audit.of("action.refused") if entry.get("approval") == id_}

    def _quiet(self) -> None:
        self.world.cards.failing = self.world.audit.away = False
        for _ in range(40):
            self.clock.forward(seconds=LONG_ENOUGH.total_seconds() * 2)
            self._together([self._at(0).runner.sweep()])

    # -- how

    def _replica(self) -> tuple[Replica, Fuse]:
        return mortal(self.world, self.actions)

    def _at(self, at: int) -> Replica:
        return self.replicas[at][0]

    def _live(self, slack: SlackUser) -> LinkVersion | None:
        found = self.world.links.live.get(slack.key)
        return found.version if found else None

    def _seated(self, request: str) -> list[str]:
        asked = self.asked[request]
        others = [user for user in asked.policy.approvers if user != asked.requester.user]
        return [user.removeprefix("U").lower() for user in others or (asked.requester.user,)]

    def _action(self, name: str) -> Action:
        return next(one for one in self.actions if one.name == name)

    def _of_run(self, run: str) -> Approval:
        return next(one for one in self.asked.values() if one.run == run)

    def _entries(self) -> list[dict[str, Any]]:
        away, self.world.audit.away = self.world.audit.away, False

        async def all_of_them() -> list[dict[str, Any]]:
            return [entry async for entry in self.world.audit.entries()]

        found = self.loop.run_until_complete(all_of_them())
        self.world.audit.away = away
        return found

    async def _voted(self, at: int, request: str, who: str, verdict: Verdict) -> None:
        """As a click: types what has to be typed, and goes on to the execution."""
        here, voter = self._at(at), self.people[who]
        if voter.slack.key not in self.world.links.live:
            return
        decided = await here.approvals.decide(voter, request, verdict, typed="A-1" if self._confirms(request) else None)
        if decided.state is State.APPROVED and decided.audited:
            await here.runner.resume(decided)
        await here.approvals.speak(decided)

    def _confirms(self, request: str) -> bool:
        return self.asked[request].policy.confirm is not None

    def _done(self, at: int, work: Coroutine[Any, Any, Any]) -> Any:
        return self._together([work])[0]

    def _together(self, works: list[Coroutine[Any, Any, Any]]) -> list[Any]:
        """What came of each; refusals, and whatever goes wrong as a store that is away or a death, are answers too."""

        async def every() -> list[Any]:
            found = await asyncio.gather(*works, return_exceptions=True)
            for _ in range(200):  # what they have left to be done in the background
                await asyncio.sleep(0)
            return found

        found = self.loop.run_until_complete(every())
        for one in found:
            if isinstance(one, BaseException) and not isinstance(
                one, Death | CountersignError | IdentityError | StoreAway | ConnectionError
            ):
                raise one
        return found

    def _bury(self) -> bool:
        """A process that has died is gone, and another one starts; what did not burn out is put out."""
        died = False
        for at, (_, fuse) in enumerate(self.replicas):
            if fuse.dead:
                self.replicas[at], died = self._replica(), True
                REACHED["deaths"] += 1
            fuse.left = None
        return died


def test_approvals_in_any_order() -> None:
    """What must hold holds; and enough has happened for that to mean something."""
    REACHED.clear()
    for action in POLICIES:
        run_state_machine_as_test(
            type(f"Begun_with_{action}", (Approvals,), {"first": action}),
            settings=settings(
                max_examples=EXAMPLES,
                stateful_step_count=30,
                deadline=None,
                derandomize=True,
                database=None,
                suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
            ),
        )
    wanted = {f"{action} done": 2 for action in POLICIES}
    wanted |= {"done": 30, "unknown": 5, "expired": 30, "cancelled": 30, "denied": 2}
    wanted |= {"deaths": 100, "repeated": 1, "relinked": 50}
    assert {name: REACHED[name] for name, least in wanted.items() if REACHED[name] < least} == {}
