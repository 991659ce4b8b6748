"""The card of a request is whole, inert, and says how it stands."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from typing import Any, Literal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.actions.model import ActionResult
from bot.actions.policy import Policy
from bot.approvals import State, Verdict, Vote
from bot.approvals.model import Part
from bot.errors import TooLargeToShow
from handlers import blocks, cards
from oauth import SlackUser
from tests.fakes.reading import (
    ASKED,
    NASTY,
    NOON,
    TRICKS,
    assert_sound,
    buttons_of,
    said,
    texts,
    values_shown,
)

# Row 50: card text with mrkdwn, mentions, bidi and ten thousand characters is shown inert and whole.


@given(NASTY, NASTY)
@settings(max_examples=200)
def test_t50_every_argument_is_shown_whole_and_inert(first: str, second: str) -> None:
    """Whatever a value holds, the card shows all of it, and none of it can act."""
    card = cards.approval_card(replace(ASKED, arguments={"first": first, "second": second}))
    assert_sound(card)
    assert values_shown(card) == {"first": first, "second": second}


@pytest.mark.parametrize(
    "unit", ["x", "word ", "<!channel> *b* _i_ `c` & &lt; :tada:\n", "a b c d e f g h i j k l m n o p q r s t \u202e"]
)
def test_t50_ten_thousand_characters_are_shown_whole(unit: str) -> None:
    """A long value takes several blocks, which joined are the value."""
    value = (unit * 10_000)[:9_999] + "."
    card = cards.approval_card(replace(ASKED, arguments={"text": value}))
    assert_sound(card)
    assert values_shown(card) == {"text": value}


@pytest.mark.parametrize("trick", TRICKS)
def test_t50_an_argument_is_never_mrkdwn(trick: str) -> None:
    """A value stands in a `plain_text` object, where Slack interprets nothing, with emoji switched off."""
    card = cards.approval_card(replace(ASKED, arguments={"text": f"a{trick}QQQ"}))
    assert not [text for text in texts(card, "mrkdwn") if "QQQ" in text]
    holders = [block for block in json.loads(json.dumps(card.blocks)) if "QQQ" in json.dumps(block)]
    assert holders
    assert '"emoji": true' not in json.dumps(holders)


@given(st.recursive(st.none() | st.booleans() | st.integers() | NASTY, lambda each: st.lists(each, max_size=4)))
def test_t50_values_that_are_no_text_are_shown_as_json(value: Any) -> None:
    """What is not a text is shown as JSON, so that it can be told from a text that looks the same."""
    card = cards.approval_card(replace(ASKED, arguments={"value": value}))
    assert_sound(card)
    shown = values_shown(card)["value"]
    assert (shown if isinstance(value, str) else json.loads(shown)) == value


def test_t50_a_number_differs_from_a_text_of_the_same_digits() -> None:
    """5 and "5" are two values, and two cards."""
    number, text = (cards.approval_card(replace(ASKED, arguments={"n": value})) for value in (5, "5"))
    assert number != text


@pytest.mark.parametrize(
    "arguments",
    [
        {"text": "x" * 14_000},
        {"text": "\u202e" * 2_000},
        {f"name{number}": "x" * 200 for number in range(40)},
        {"x" * 101: "1"},
    ],
)
def test_t50_what_cannot_be_shown_whole_is_not_shown_at_all(arguments: dict[str, str]) -> None:
    """A card that Slack would not take, or that would leave something out, is refused."""
    with pytest.raises(TooLargeToShow):
        cards.approval_card(replace(ASKED, arguments=arguments))


@pytest.mark.parametrize("count", [1, 500])
def test_the_card_says_whose_account_is_used(count: int) -> None:
    """A third party's account is named beside what is used of it, also where that takes many paragraphs."""
    scopes = frozenset(f"events:read:{number}" for number in range(count))
    card = cards.approval_card(replace(ASKED, scopes=scopes, connection="almanac"))
    assert_sound(card)
    assert "with your `almanac` account" in said(card)
    assert "account" not in said(cards.approval_card(replace(ASKED, scopes=scopes)))


def test_t50_scopes_are_whole_too() -> None:
    """Many scopes take more room; one that no block holds is refused like an argument."""
    many = frozenset(f"https://api.example.com/scope/number/{number}" for number in range(100))
    card = cards.approval_card(replace(ASKED, scopes=many))
    assert_sound(card)
    assert all(f"`{scope}`" in said(card) for scope in many)
    with pytest.raises(TooLargeToShow):
        cards.approval_card(replace(ASKED, scopes=frozenset({"x" * 3_000})))


@given(NASTY, NASTY, NASTY)
def test_t50_everything_else_foreign_is_inert(name: str, description: str, account: str) -> None:
    """Names, descriptions and accounts come from outside too."""
    foreign = replace(ASKED, action=name[:30], description=description, scopes=frozenset({account}), reason=account)
    for state in State:
        one = replace(foreign, state=state, result=description)
        try:
            assert_sound(cards.approval_card(one, acting_as=account))
        except TooLargeToShow:
            assert len(blocks.passages(name[:30])[0]) > 100
        assert_sound(cards.outcome(one))
    assert_sound(cards.waiting_note(foreign))
    assert_sound(cards.result_card(name, ActionResult(ok=True, text=description)))


def test_a_waiting_card_says_what_who_and_until_when() -> None:
    """Before anybody agrees they see the action, its values, the rights, the account, who asked, and the time."""
    card = cards.approval_card(ASKED, acting_as="ada@example.com")
    words = said(card)
    for part in ("refund_order", "Refund one order", "A-7", "1250", "`orders:refund`", "`ada@example.com`", "<@U0ADA>"):
        assert part in words
    assert blocks.day(ASKED.expires_at) in words


@pytest.mark.parametrize(("state", "shown"), [(State.PENDING, True), (State.DENIED, False)])
def test_a_waiting_card_says_that_it_takes_one_more_login(state: State, shown: bool) -> None:
    """Before anybody presses a button that leads there, and not once that is over."""
    card = cards.approval_card(replace(ASKED, state=state, policy=Policy(step_up=True)))
    assert ("one more login, with a second factor" in said(card)) is shown
    assert "one more login" not in said(cards.approval_card(replace(ASKED, state=state)))


def test_the_buttons_hold_the_id_and_nothing_else() -> None:
    """The contract: `value` is the approval's id, so that no click can say anything else."""
    found = buttons_of(cards.approval_card(ASKED))
    assert {name: (one["value"], one["style"]) for name, one in found.items()} == {
        "approval.approve": ("abc123", "primary"),
        "approval.deny": ("abc123", "danger"),
    }


def vote(user: str, state: State) -> Vote:
    """What that person said to bring it there."""
    verdict = Verdict.DENY if state is State.DENIED else Verdict.APPROVE
    return Vote(SlackUser("T1", user), "auth0|x", "1", verdict, NOON)


@pytest.mark.parametrize(
    ("state", "reason", "line"),
    [
        (State.APPROVED, None, "Approved by <@U0BOB>"),
        (State.EXECUTING, None, "It is running"),
        (State.DONE, None, "and done"),
        (State.FAILED, "http_500", "failed: the service answered with HTTP 500"),
        (State.FAILED, "grant_dead", "`/agent link` renews it"),
        (State.UNKNOWN, "interrupted", "not known: the bot was stopped in mid-call"),
        (State.DENIED, None, "Denied by <@U0BOB>"),
        (State.EXPIRED, "expired", "nobody decided in time"),
        (State.CANCELLED, "unlinked", "Cancelled: the account was unlinked"),
        (State.CANCELLED, "changed_since_asked", "Cancelled: the action was changed"),
        (State.CANCELLED, "some_new_reason", "Cancelled: some new reason"),
    ],
)
def test_a_decided_card_has_no_buttons_and_says_how_it_stands(state: State, reason: str | None, line: str) -> None:
    """Once decided, nobody can click again, and one line says what happened, by whom and why."""
    votes = (vote("U0BOB", state),) if state not in {State.EXPIRED, State.CANCELLED} else ()
    card = cards.approval_card(replace(ASKED, state=state, reason=reason, votes=votes))
    assert_sound(card)
    assert buttons_of(card) == {}
    assert line in said(card).replace("\u2060", "")


@pytest.mark.parametrize("state", State)
def test_what_was_shown_once_can_always_be_shown(state: State) -> None:
    """The card of a decided request is as large as the waiting one at most, so an update never fails for its size."""
    largest = replace(ASKED, arguments={f"n{number}": "x" * 160 for number in range(22)})
    decided = replace(largest, state=state, votes=(vote("U0ADA", state),), reason="no_answer")
    card = cards.approval_card(decided)
    assert_sound(card)
    assert len(card.blocks) == len(cards.approval_card(largest).blocks)


@pytest.mark.parametrize("state", State)
def test_notifications_hold_no_values(state: State) -> None:
    """The fallback text shows up on locked screens: it names the action and no value."""
    card = cards.approval_card(replace(ASKED, state=state, result="RESULT"))
    assert "refund_order" in card.text
    assert not re.search("A-7|1250|RESULT", card.text)


def test_what_does_not_open_cannot_be_approved() -> None:
    """Where the values cannot be shown, there is nothing to agree to, and no button."""
    card = cards.approval_card(replace(ASKED, arguments={}, readable=False))
    assert_sound(card)
    assert buttons_of(card) == {}
    assert "cannot be opened" in said(card)


def test_an_action_without_values_says_so() -> None:
    """No values is a fact too."""
    assert "no values" in said(cards.approval_card(replace(ASKED, arguments={})))


@pytest.mark.parametrize(
    ("state", "words", "shows_result"),
    [
        (State.DONE, "is done", True),
        (State.FAILED, "failed", True),
        (State.UNKNOWN, "Look there before you ask again", True),
        (State.DENIED, "Nothing was done", False),
        (State.EXPIRED, "Nothing was done", False),
        (State.CANCELLED, "Nothing was done", False),
    ],
)
def test_the_outcome_says_how_it_ended(state: State, words: str, shows_result: bool) -> None:
    """The requester learns the end, with the service's words only where there was a call."""
    message = cards.outcome(replace(ASKED, state=state, result="<!channel> ok"))
    assert_sound(message)
    assert words in message.text
    assert (texts(message, "text") == ["<!channel> ok"]) is shows_result


@pytest.mark.parametrize("kind", ["self", "other", "ciba"])
@pytest.mark.parametrize("state", [State.DONE, State.FAILED, State.UNKNOWN, State.DENIED])
def test_the_outcome_says_who_decided(kind: Literal["self", "other", "ciba"], state: State) -> None:
    """Under every policy the requester reads whose decision it was, whatever came of it."""
    asked = replace(ASKED, policy=replace(ASKED.policy, kind=kind), state=state, votes=(vote("U0BOB", state),))
    message = cards.outcome(asked)
    assert_sound(message)
    assert "by <@U0BOB>" in message.text


@pytest.mark.parametrize("part", Part)
def test_where_nobody_knows_everybody_reads_the_key_of_the_call(part: Part) -> None:
    """Whoever looks there finds the call by its `Idempotency-Key`: the requester and the approvers are told it."""
    unknown = replace(ASKED, run="0c7e15", state=State.UNKNOWN, votes=(vote("U0BOB", State.UNKNOWN),))
    assert "`Idempotency-Key` is `0c7e15`" in said(cards.approval_card(unknown, part=part))
    assert "`Idempotency-Key` is `0c7e15`" in cards.outcome(unknown).text


def test_t50_the_reason_of_a_denial_is_inert() -> None:
    """What the approver typed reaches the requester, and does nothing there."""
    denied = replace(
        ASKED, state=State.DENIED, note="<!channel> \u202e*no*\u2028`x`", votes=(vote("U0BOB", State.DENIED),)
    )
    message = cards.outcome(denied)
    assert_sound(message)
    assert "Their reason: “&lt;!channel&gt;" in message.text.replace("\u2060", "")
    assert not {"\u202e", "\u2028"} & set(message.text)


@pytest.mark.parametrize(
    ("result", "words"),
    [
        (ActionResult(ok=True, text="{}"), "✓"),
        (ActionResult(ok=False, text="no"), "✗"),
        (ActionResult(ok=False, text="?", unknown=True), "not known"),
    ],
)
def test_a_result_looks_like_an_outcome(result: ActionResult, words: str) -> None:
    """Actions without approval end in the same words."""
    message = cards.result_card("refund_order", result)
    assert words in message.text
    assert texts(message, "text") == [result.text]


def test_the_waiting_note_points_to_the_card() -> None:
    """Where the request was made, people learn where to decide and until when; values stay out."""
    note = cards.waiting_note(ASKED)
    assert "direct messages" in note.text
    assert blocks.moment(ASKED.expires_at) in note.text
    assert "A-7" not in note.text


def test_a_name_that_the_heading_would_cut_is_refused() -> None:
    """What the action is called is part of what is agreed to."""
    with pytest.raises(TooLargeToShow):
        cards.approval_card(replace(ASKED, action="a" * 101))
    assert "a" * 100 in texts(cards.approval_card(replace(ASKED, action="a" * 100)), "plain_text")[0]
