"""Who has to agree, as the actions file says it: settings, rules, and what is wrong with them."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.actions import Action
from bot.actions.file import load
from bot.actions.policy import Policy
from bot.actions.rules import CelRule, compiled
from bot.actions.strictness import strictest
from bot.errors import ConfigurationError, PolicyUnclear
from oauth import Identity, Subject
from tests.fakes.runner import Deed, person

PLAIN = """
[[action]]
name = "refund_order"
description = "Refund one order"
method = "POST"
url = "https://api.example.com/orders/{order_id}/refund"
scopes = ["orders:refund"]
%s
[action.parameters.order_id]
type = "string"
[action.parameters.amount]
type = "integer"
minimum = 1
"""
ADA = person("ada")
ORDER = {"order_id": "A-1", "amount": 5}


class NoHttp:
    """Makes callers that are never called."""

    def caller(self, method: str, url: str) -> Any:
        """Nobody calls it."""


def loaded(tmp_path: Path, settings: str) -> Action:
    """The action with these settings."""
    path = tmp_path / "actions.toml"
    path.write_text(PLAIN % settings, encoding="utf-8")
    (action,) = load(path, NoHttp())  # type: ignore[arg-type]
    return action


def problem(tmp_path: Path, settings: str) -> str:
    """The one thing that is wrong with these settings."""
    with pytest.raises(ConfigurationError) as caught:
        loaded(tmp_path, settings)
    (line,) = caught.value.problems
    return line.removeprefix(f"{tmp_path / 'actions.toml'}: action 1 (refund_order): ")


def test_every_setting_arrives_in_the_policy(tmp_path: Path) -> None:
    """The contract's names and forms."""
    action = loaded(
        tmp_path,
        """approval = "other"
        approvers = ["U012", "S034"]
        channel = "C056"
        quorum = 2
        expires = "2h"
        hold = "90s"
        confirm = "order_id"
        reason = true
        preview = "https://api.example.com/orders/{order_id}"
        preview_fields = ["customer", "total"]""",
    )
    assert action.policy == Policy(
        "other",
        approvers=("U012", "S034"),
        channel="C056",
        quorum=2,
        expires=timedelta(hours=2),
        hold=timedelta(seconds=90),
        confirm="order_id",
        reason=True,
        preview="https://api.example.com/orders/{order_id}",
        preview_fields=("customer", "total"),
    )
    assert action.look is not None


def test_without_settings_the_requester_decides(tmp_path: Path) -> None:
    """As it was before there were any; and so is the definition, whose digest old requests hold."""
    action = loaded(tmp_path, "")
    assert action.policy == Policy("self")
    assert set(action.definition) == {
        "name", "description", "method", "url", "scopes", "audience", "sensitive", "approval", "expires", "idempotent",
        "parameters",
    }  # fmt: skip
    assert action.look is None


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ('approval = "other"', "needs approvers, or a channel whose members decide"),
        ('approval = "other"\napprovers = ["bob"]', "approvers.0: "),
        ('approval = "other"\nchannel = "#refunds"', "channel: "),
        ('approval = "other"\napprovers = ["U012"]\nquorum = 2', "quorum = 2 is more than there are approvers"),
        ('approval = "other"\napprovers = ["U012", "U012"]\nquorum = 2', "quorum = 2 is more than there are approvers"),
        ("quorum = 2", 'says quorum without approval = "other"'),
        ('hold = "8d"', "hold: must be at most 7d"),
        ('hold = "soon"', "hold: must be a time such as"),
        ('expires = "0s"', "expires: must be more than nothing"),
        ('confirm = "order"', "confirm names order, which is not among its parameters"),
        ('preview = "ftp://x/{order_id}"', "preview: must be a whole http or https address"),
        ('preview = "https://x.example.com/{order}"', "preview names order, which is not among its parameters"),
        ('preview_fields = ["total"]', "says preview_fields and no preview"),
        ('[[action.rules]]\napproval = "other"', "rules.0.when: Field required"),
        ('[[action.rules]]\nwhen = "arguments.amount >"\nquorum = 1', "rule 1: when is no CEL expression"),
        ('[[action.rules]]\nwhen = "amount > 5"', "rule 1: when names amount; there are arguments.NAME"),
        ('[[action.rules]]\nwhen = "arguments.sum > 5"', "rule 1: when names arguments.sum, which is not among"),
        ('[[action.rules]]\nwhen = "true"\napproval = "other"', 'rule 1: approval = "other" needs approvers'),
        ('[[action.rules]]\nwhen = "true"\nquorum = 2', "rule 1: says quorum without"),
        ('[[action.rules]]\nwhen = "true"\nsensitive = false', "rules.0.sensitive is not a setting of an action"),
    ],
)
def test_what_is_wrong_is_said_with_its_place(tmp_path: Path, settings: str, said: str) -> None:
    """One line, with the way out where it is not plain."""
    assert problem(tmp_path, settings).startswith(said) or said in problem(tmp_path, settings)


RULES = """approvers = ["S034"]
[[action.rules]]
when = "arguments.amount < 10"
approval = "none"
[[action.rules]]
when = "arguments.amount >= 100000"
approval = "other"
quorum = 2
[[action.rules]]
when = "principal.email.endsWith('@temp.example.com') || 'admin' in principal.scopes"
approval = "other"
"""


@pytest.mark.parametrize(
    ("amount", "email", "kind", "quorum"),
    [
        (9, "ada@corp.example.com", "none", 1),
        (10, "ada@corp.example.com", "self", 1),
        (99_999, "ada@corp.example.com", "self", 1),
        (100_000, "ada@corp.example.com", "other", 2),
        (100_000, "ada@temp.example.com", "other", 2),
        (50, "ada@temp.example.com", "other", 1),
    ],
)
def test_the_first_rule_that_matches_counts(tmp_path: Path, amount: int, email: str, kind: str, quorum: int) -> None:
    """What it does not name stays as the action has it."""
    action = loaded(tmp_path, RULES)
    ada = replace(ADA, identity=Identity("https://t/", Subject("auth0|ada"), email))
    policy = action.policy_for(ORDER | {"amount": amount}, ada)
    assert (policy.kind, policy.quorum, policy.approvers) == (kind, quorum, ("S034",))


def test_a_rule_is_part_of_the_definition(tmp_path: Path) -> None:
    """T47: whoever changes a rule has changed the action."""
    one = loaded(tmp_path, RULES)
    other = loaded(tmp_path, RULES.replace("100000", "200000"))
    assert one.digest != other.digest


def test_one_more_login_is_asked_for_by_an_action_or_a_rule(tmp_path: Path) -> None:
    """A rule that does not name it leaves it."""
    action = loaded(
        tmp_path,
        'approval = "none"\nstep_up = true\n'
        '[[action.rules]]\nwhen = "arguments.amount > 5"\napproval = "self"\n'
        '[[action.rules]]\nwhen = "arguments.amount > 3"\napproval = "self"\nstep_up = false',
    )
    assert [(one.policy.kind, one.policy.step_up) for one in action.rules] == [("self", True), ("self", False)]
    plain = loaded(tmp_path, '[[action.rules]]\nwhen = "arguments.amount > 5"\nstep_up = true')
    assert (plain.policy.step_up, plain.rules[0].policy.step_up) == (False, True)


def test_what_does_not_name_it_is_defined_as_before_there_was_such_a_thing(tmp_path: Path) -> None:
    """Old requests hold the digest of the definition; naming it, also as false, is another one (guards: `_LATER`,
    `_LATER_IN_RULES`)."""
    rule_of = '[[action.rules]]\nwhen = "arguments.amount > 5"\n'
    without, false, true = (
        loaded(tmp_path, rule_of + more).definition for more in ("", "step_up = false", "step_up = true")
    )
    assert "step_up" not in json.dumps(without)
    assert len({json.dumps(one, sort_keys=True) for one in (without, false, true)}) == 3
    assert loaded(tmp_path, "step_up = true").definition["step_up"] is True


DOUBTS = ["arguments.order_id > 5", "arguments.amount", "size(arguments.amount) > 1", "arguments.amount / 0 > 1"]


def doubtful(when: str, policy: Policy, base: Policy) -> Policy:
    """What is asked for where a rule of an action cannot be told."""
    one = CelRule(policy, compiled(when, frozenset({"amount", "order_id"})))
    return replace(Deed().action(), policy=base, rules=(one,)).policy_for(ORDER, ADA)


@pytest.mark.parametrize("when", DOUBTS)
def test_a_doubt_leads_to_more_and_never_to_less(when: str) -> None:
    """An expression that fails, or is neither true nor false (guards: `None` of `matches`, `strictest`)."""
    heavy, light = Policy("other", channel="C1", expires=timedelta(hours=1)), Policy("none")
    assert doubtful(when, heavy, Policy("self")) == replace(heavy, expires=Policy().expires)
    assert doubtful(when, light, Policy("self")) == Policy("self")
    assert doubtful(when, Policy("self", hold=timedelta(hours=1)), heavy).hold == timedelta(hours=1)


def test_of_two_that_take_nobody_s_place_neither_is_taken() -> None:
    """Different people, different values to type, one's own device and somebody else: refused (guards in
    `strictest`)."""
    bob, both = Policy("other", approvers=("UBOB",)), Policy("other", approvers=("UBOB", "UCAROL"))
    assert strictest(both, bob).approvers == ("UBOB",)
    for one, other in (
        (bob, Policy("other", approvers=("UCAROL",))),
        (bob, Policy("other", channel="C1")),
        (bob, replace(both, quorum=2)),
        (Policy("other", channel="C1"), Policy("other", channel="C2")),
        (Policy(confirm="amount"), Policy(confirm="order_id")),
        (Policy("ciba"), bob),
    ):
        for first, second in ((one, other), (other, one)):
            with pytest.raises(PolicyUnclear):
                strictest(first, second)


POLICIES = st.builds(
    Policy,
    kind=st.sampled_from(["none", "self", "other"]),
    approvers=st.sampled_from([(), ("U1",), ("U1", "S2")]),
    channel=st.sampled_from([None, "C1"]),
    quorum=st.integers(1, 3),
    step_up=st.booleans(),
    expires=st.sampled_from([timedelta(minutes=1), timedelta(hours=1)]),
    hold=st.sampled_from([timedelta(0), timedelta(minutes=1)]),
    confirm=st.sampled_from([None, "order_id"]),
    reason=st.booleans(),
)


STRENGTH = {"none": 0, "self": 1, "other": 2}


@given(POLICIES, POLICIES)
def test_the_strictest_asks_for_at_least_as_much_as_each(one: Policy, other: Policy) -> None:
    """In every respect; and the same whoever is named first, but for what is no matter of strictness."""
    try:
        assert (strictest(one, one), strictest(other, other)) == (one, other)
        found = strictest(one, other)
    except PolicyUnclear:
        return
    for each in (one, other):
        assert STRENGTH[found.kind] >= STRENGTH[each.kind]
        assert found.quorum >= each.quorum or found.kind != "other"
        assert found.step_up or not each.step_up
        assert found.hold >= each.hold
        assert found.expires <= each.expires
        assert each.confirm in {None, found.confirm}
        assert found.reason or not each.reason
        if found.kind == each.kind == "other" and each.approvers:
            assert set(found.approvers) <= set(each.approvers)
            assert found.approvers
