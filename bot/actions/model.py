"""An action, one call of it, and what came back."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import timedelta
from functools import reduce
from typing import Any

import rfc8785

from bot.actions.policy import Policy, Rule
from bot.actions.progress import Progress, Stepped, StepState, Work
from bot.actions.strictness import strictest
from oauth import AccessToken, Principal

Schema = Mapping[str, Any]
# A connection's name, as Auth0's Management API takes it.
# Beside the arguments of a request, what the requester says about it; no parameter can have this name.
WHY = "approval.reason"
CONNECTION = r"^[a-zA-Z0-9](-?[a-zA-Z0-9]){0,127}$"


@dataclass(frozen=True, slots=True)
class Call:
    """One execution: for whom, with what, under which token. `run` is the call's `Idempotency-Key`.

    `receipt` says who has agreed to it, where somebody had to. What takes longer than a moment says how far it is by
    `steps`, `step` and `report`; they raise nothing, whatever Slack does. Where somebody stops it, the action gets
    `asyncio.CancelledError` and has a few seconds to leave things tidy.
    """

    principal: Principal
    arguments: Mapping[str, Any]
    token: AccessToken
    run: str
    receipt: str | None = field(default=None, repr=False)
    work: Work | None = field(default=None, repr=False, compare=False)

    async def steps(self, *names: str) -> None:
        """What there is to do, in order; none of it is begun."""
        await self._show(lambda progress: progress.planned(names))

    async def step(self, name: str, state: Stepped = "in_progress") -> None:
        """This step begins, and the one before it is done; or it is `done`, `failed` or `pending`."""
        known = StepState(state) if state in set(StepState) else StepState.IN_PROGRESS
        await self._show(lambda progress: progress.stepped(name, known))

    async def report(
        self,
        text: str | None = None,
        *,
        done: float | None = None,
        of: float | None = None,
        fraction: float | None = None,
    ) -> None:
        """What is being done now, and how far that is: `done` of `of`, or a `fraction` from 0 to 1."""
        await self._show(lambda progress: progress.said(text, done, of, fraction))

    async def fresh_token(self) -> AccessToken:
        """A token that is good now, for the next part of work that outlives the first one.

        It is asked for as that was: for the action's scopes and no more, and only while the person is linked. Raises
        IdentityError or AuditUnavailable; then nothing more may be done.
        """
        return await self.work.fresh_token() if self.work is not None else self.token

    async def _show(self, change: Callable[[Progress], Progress]) -> None:
        if self.work is not None:
            self.work.show(change(self.work.progress))
        await asyncio.sleep(0)  # whoever only reports can be stopped, too


@dataclass(frozen=True, slots=True)
class ActionResult:
    """What came back: `text` for people, without the token. `unknown` says that it may have taken effect, and `data` is
    the answer where that was JSON. `reason` is why it was ended early, and not for actions to say.
    """

    ok: bool
    text: str
    status: int | None = None
    unknown: bool = False
    data: Any = field(default=None, repr=False, compare=False)
    reason: str | None = None


def inert(result: ActionResult, token: str, longest: int = 4_000) -> ActionResult:
    """The result without the token, as text that can be stored and shown, no longer than that."""
    text = result.text.replace(token, "[token]") if token else result.text
    text = text.encode("utf-8", "replace").decode()  # half a surrogate pair can come out of JSON, and fits nowhere
    return replace(result, text=text if len(text) <= longest else text[:longest] + "\n… (cut)")


Caller = Callable[[Call], Awaitable[ActionResult]]
# What a preview shows: names and values, as text.
Looker = Callable[[Call], Awaitable[tuple[tuple[str, str], ...]]]


@dataclass(frozen=True, slots=True)
class Action:
    """What people may ask for. `parameters` has a JSON Schema each; one without a `default` is required.

    With `connection` it is called with the token of that third party's account, and `scopes` are that party's.
    `longest` is how long a call may take, where that is not what every call may.
    """

    name: str
    description: str
    parameters: Mapping[str, Schema]
    scopes: frozenset[str]
    audience: str | None
    sensitive: bool
    policy: Policy
    idempotent: bool
    definition: Mapping[str, Any]
    call: Caller = field(repr=False, compare=False)
    connection: str | None = None
    look: Looker | None = field(default=None, repr=False, compare=False)
    rules: tuple[Rule, ...] = field(default=(), repr=False, compare=False)
    longest: timedelta | None = None

    def policy_for(self, arguments: Mapping[str, Any], principal: Principal) -> Policy:
        """Who has to agree to this very call: the first rule that matches says so, else the action's own policy.

        Where nobody can tell whether an earlier rule matches, it has to be enough for that one, too. Raises
        PolicyUnclear where nothing is.
        """
        doubtful = []
        policy = self.policy
        for rule in self.rules:
            matches = rule.matches(arguments, principal)
            if matches:
                policy = rule.policy
                break
            if matches is None:
                doubtful.append(rule.policy)
        return reduce(strictest, doubtful, policy)

    @property
    def may_run_at_once(self) -> bool:
        """Whether some call of it runs without anybody being asked, so that it may take its time."""
        return any(policy.kind == "none" for policy in (self.policy, *(rule.policy for rule in self.rules)))

    @property
    def may_ask_why(self) -> bool:
        """Whether some call of it wants the requester to say why."""
        return any(policy.reason for policy in (self.policy, *(rule.policy for rule in self.rules)))

    @property
    def login_scopes(self) -> frozenset[str]:
        """What the person's login has to reach: nothing of it for another API or a third party.

        Whether their grant is good for those is for the provider to say, by its policies.
        """
        return self.scopes if self.audience is None and self.connection is None else frozenset()

    @property
    def digest(self) -> str:
        """Hex SHA-256 of the definition (RFC 8785): changes whenever what would run changes."""
        return hashlib.sha256(rfc8785.dumps(dict(self.definition))).hexdigest()

    @property
    def required(self) -> tuple[str, ...]:
        """The parameters that must be given."""
        return tuple(name for name, schema in self.parameters.items() if "default" not in schema)


def digest_of(action: Action, arguments: Mapping[str, Any], policy: Policy) -> str:
    """What an approval is for: the action as defined, the arguments, the scopes, and how it has to be agreed to."""
    whole = {
        "action": action.name,
        "definition": action.digest,
        "arguments": dict(arguments),
        "scopes": sorted(action.scopes),
        "audience": action.audience,
        **({"connection": action.connection} if action.connection is not None else {}),
        "policy": policy.as_json(),
    }
    return hashlib.sha256(rfc8785.dumps(whole)).hexdigest()
