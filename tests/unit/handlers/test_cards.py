"""What people see is whole, inert, within Slack's limits, and says what to do next."""

from __future__ import annotations

import json
import re
import unicodedata
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.actions.model import Action, ActionResult, Call
from bot.approvals.model import Approval, Origin, State
from bot.sandbox.slack import limits
from handlers import blocks, cards
from handlers.message import Message
from oauth import Identity, Principal, SlackUser, Subject
from oauth.models import LinkVersion

NOON = datetime(2030, 1, 2, 12, 0, tzinfo=UTC)
ADA = SlackUser("T1", "U0ADA")
PRINCIPAL = Principal(
    ADA,
    Identity("https://idp.example/", Subject("auth0|ada"), "ada@example.com", "Ada"),
    LinkVersion("v1"),
    frozenset({"orders:refund", "orders:read"}),
    NOON,
)
ASKED = Approval(
    id="abc123",
    requester=ADA,
    sub="auth0|ada",
    link_version="v1",
    action="refund_order",
    description="Refund one order",
    arguments={"order_id": "A-7", "amount": 1250},
    scopes=frozenset({"orders:refund"}),
    digest="d" * 64,
    run="r",
    origin=Origin(),
    created_at=NOON,
    expires_at=NOON + timedelta(minutes=15),
)
TRICKS = (
    "<!channel>",
    "<@U0BOB>",
    "<https://evil.example|Approve>",
    "*b*",
    "_i_",
    "~s~",
    "`c`",
    "```",
    "&lt;",
    ":tada:",
)
TRICKS += ("\u202e", "\u2066", "\u200b", "\x00", "\u2028", "\n", " ", "> q", "• ", "@here", "#general", "\ud800")
NASTY = st.lists(st.sampled_from(TRICKS) | st.text(st.characters(), max_size=8), max_size=40).map(
    lambda some: "".join(some).replace("⟨", "(")
)
MARK = re.compile(r"⟨U\+([0-9A-F]{4,6})⟩")
OURS = re.compile(r"<@[A-Z0-9]+>|<!date\^\d+\^[^<>|^]+\|[^<>|^]+>")


async def nothing(_: Call) -> ActionResult:
    """An action that is never called here."""
    raise AssertionError


def an_action(name: str = "refund_order", **more: Any) -> Action:
    """An action with two parameters, unless told otherwise."""
    usual: dict[str, Any] = {
        "description": "Refund one order",
        "parameters": {"order_id": {"type": "string"}, "amount": {"type": "integer", "default": 1}},
        "scopes": frozenset({"orders:refund"}),
        "audience": None,
        "sensitive": True,
        "approval": "self",
        "expires": timedelta(minutes=15),
        "idempotent": False,
        "definition": {},
        "call": nothing,
    }
    return Action(name=name, **(usual | more))


def texts(message: Message, kind: str) -> list[str]:
    """Every text of this kind in the blocks, in reading order."""
    found: list[str] = []

    def look(part: Any) -> None:
        if isinstance(part, dict):
            if part.get("type") == kind:
                found.append(part["text"])
            for value in part.values():
                look(value)
        elif isinstance(part, list | tuple):
            for value in part:
                look(value)

    look(message.blocks)
    return found


def said(message: Message) -> str:
    """All that a person reads."""
    kinds = ("mrkdwn", "plain_text", "text")
    return "\n".join([message.text, *(text for kind in kinds for text in texts(message, kind))])


def buttons_of(message: Message) -> dict[str, dict[str, Any]]:
    """The buttons by their ids."""
    return {
        one["action_id"]: one for block in message.blocks if block["type"] == "actions" for one in block["elements"]
    }


def assert_sound(message: Message) -> None:
    """Slack takes it, and nothing foreign in it can do anything."""
    limits.message_blocks(list(message.blocks))
    assert 0 < len(message.text) <= limits.UPDATED_TEXT
    assert blocks.together(message.blocks) <= blocks.MOST_TOGETHER
    for text in [message.text, *texts(message, "mrkdwn")]:
        assert not re.search(r"[<>]", OURS.sub("", text)), text
    for text in said(message).split("\n"):
        hidden = [letter for letter in text if unicodedata.category(letter) in {"Cc", "Cf", "Co", "Cs", "Zl", "Zp"}]
        assert set(hidden) <= {"\u2060"}


def values_shown(message: Message) -> dict[str, str]:
    """The arguments as the card shows them, by name, with shown code points read back."""
    found: dict[str, str] = {}
    inside = list(message.blocks[1 + len(blocks.passages(ASKED.description)) :])
    label = ""
    for block in inside:
        pairs = block.get("fields", [])
        if pairs and pairs[0]["text"].startswith("`"):
            for name, value in zip(pairs[::2], pairs[1::2], strict=True):
                found[name["text"]] = "" if value["type"] == "mrkdwn" else value["text"]
        elif block["type"] == "section" and "text" in block:
            text = block["text"]
            if text["type"] == "mrkdwn":
                label = text["text"]
            else:
                found[label] = found.get(label, "") + text["text"]
    return {name.split("`")[1]: MARK.sub(lambda mark: chr(int(mark[1], 16)), value) for name, value in found.items()}


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
    with pytest.raises(cards.TooLargeToShow):
        cards.approval_card(replace(ASKED, arguments=arguments))


def test_t50_scopes_are_whole_too() -> None:
    """Many scopes take more room; one that no block holds is refused like an argument."""
    many = frozenset(f"https://api.example.com/scope/number/{number}" for number in range(100))
    card = cards.approval_card(replace(ASKED, scopes=many))
    assert_sound(card)
    assert all(f"`{scope}`" in said(card) for scope in many)
    with pytest.raises(cards.TooLargeToShow):
        cards.approval_card(replace(ASKED, scopes=frozenset({"x" * 3_000})))


@given(NASTY, NASTY, NASTY)
def test_t50_everything_else_foreign_is_inert(name: str, description: str, account: str) -> None:
    """Names, descriptions and accounts come from outside too."""
    foreign = replace(ASKED, action=name[:30], description=description, scopes=frozenset({account}), reason=account)
    for state in State:
        one = replace(foreign, state=state, result=description)
        try:
            assert_sound(cards.approval_card(one, acting_as=account))
        except cards.TooLargeToShow:
            assert len(blocks.passages(name[:30])[0]) > 100
        assert_sound(cards.outcome(one))
    assert_sound(cards.waiting_note(foreign))
    assert_sound(cards.result_card(name, ActionResult(ok=True, text=description)))


@given(NASTY, NASTY, st.text(st.characters(), max_size=300))
def test_t50_identities_and_teams_are_inert(name: str, team: str, address: str) -> None:
    """What a provider or a workspace calls itself cannot act in our words."""
    identity = Identity("https://idp.example/", Subject(name or "s"), address or None, team or None)
    principal = replace(PRINCIPAL, identity=identity, scopes=frozenset({name, team}))
    assert_sound(cards.linked_receipt(principal, team))
    assert_sound(cards.status_card(principal, waiting=1, team_name=team))
    assert_sound(cards.status_card(None, waiting=0, team_name=team))
    assert_sound(cards.link_card("https://bot.example/link/t", NOON, team))


@given(NASTY, NASTY, st.integers(0, 30))
@settings(max_examples=50)
def test_t50_lists_are_inert_and_fit(name: str, text: str, count: int) -> None:
    """Lists of any length and of any content are taken by Slack."""
    schema = {"enum": [text, name], "description": text, "default": text}
    action = an_action(
        name, description=text, parameters={name: schema, "b": {"type": ["x"]}}, scopes=frozenset({text})
    )
    assert_sound(cards.actions_list([action] * count * 3, PRINCIPAL))
    assert_sound(cards.approvals_list([replace(ASKED, action=name)] * count * 3))
    entry = {"type": name, "outcome": text, "reason": text, "action": name, "at": text}
    assert_sound(cards.audit_list([entry] * count * 3))


def test_very_large_lists_fit() -> None:
    """A thousand actions with long words are cut where Slack would refuse, and counted."""
    many = [an_action(f"a{number}", description="x" * 500) for number in range(1000)]
    listed = cards.actions_list(many, PRINCIPAL)
    assert_sound(listed)
    assert re.search(r"and 9\d\d more", said(listed))


# The card of a request.


def test_a_waiting_card_says_what_who_and_until_when() -> None:
    """Before anybody agrees they see the action, its values, the rights, the account, who asked, and the time."""
    card = cards.approval_card(ASKED, acting_as="ada@example.com")
    words = said(card)
    for part in ("refund_order", "Refund one order", "A-7", "1250", "`orders:refund`", "`ada@example.com`", "<@U0ADA>"):
        assert part in words
    assert blocks.day(ASKED.expires_at) in words


def test_the_buttons_hold_the_id_and_nothing_else() -> None:
    """The contract: `value` is the approval's id, so that no click can say anything else."""
    found = buttons_of(cards.approval_card(ASKED))
    assert {name: (one["value"], one["style"]) for name, one in found.items()} == {
        "approval.approve": ("abc123", "primary"),
        "approval.deny": ("abc123", "danger"),
    }


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
    decider = SlackUser("T1", "U0BOB") if state not in {State.EXPIRED, State.CANCELLED} else None
    card = cards.approval_card(replace(ASKED, state=state, reason=reason, decider=decider, decided_at=NOON))
    assert_sound(card)
    assert buttons_of(card) == {}
    assert line in said(card).replace("\u2060", "")


@pytest.mark.parametrize("state", State)
def test_what_was_shown_once_can_always_be_shown(state: State) -> None:
    """The card of a decided request is as large as the waiting one at most, so an update never fails for its size."""
    largest = replace(ASKED, arguments={f"n{number}": "x" * 160 for number in range(22)})
    decided = replace(largest, state=state, decider=ADA, decided_at=NOON, reason="no_answer")
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


# Linking.


def test_the_link_card_has_the_link_in_its_button_alone() -> None:
    """A link in a text would be unfurled, copied and forwarded."""
    url = "https://bot.example/link/SECRET"
    card = cards.link_card(url, NOON, "Work")
    assert_sound(card)
    found = buttons_of(card)
    assert list(found) == ["link.open", "link.enter_code"]
    assert found["link.open"]["url"] == url
    assert "SECRET" not in said(card)
    assert "Never forward this link" in said(card)
    assert "<!date^1893585600^{time}|12:00 UTC>" in said(card)


def test_the_receipt_names_both_accounts_and_offers_the_way_back() -> None:
    """Somebody who was tricked sees whose account it is, and can undo it, after one question."""
    card = cards.linked_receipt(PRINCIPAL, "Work")
    assert_sound(card)
    for part in ("<@U0ADA>", "ada@example.com", "Ada", "Work", "`orders:read`", "`orders:refund`", "/agent actions"):
        assert part in said(card)
    (undo,) = buttons_of(card).values()
    assert (undo["action_id"], undo["style"]) == ("link.not_me", "danger")
    assert undo["confirm"]["style"] == "danger"
    assert "<@U0ADA>" in card.text
    assert "ada@example.com" in card.text


def test_an_account_without_address_is_named_by_its_id() -> None:
    """The provider's id is always there."""
    nameless = replace(PRINCIPAL, identity=Identity("https://idp.example/", Subject("auth0|ada")))
    assert "auth0|ada" in cards.linked_receipt(nameless, "Work").text


def test_each_end_of_a_link_has_its_own_words_and_a_next_step() -> None:
    """Why it ended and what to do differ; an unknown reason has words as well."""
    reasons = ["unlink", "not_me", "logout", "grant_dead", "operator", "other"]
    sentences = {cards.link_ended(reason).text for reason in reasons}
    assert len(sentences) == len(reasons)
    assert all("link" in sentence and "cancelled" in sentence for sentence in sentences)
    assert cards.link_ended("new_reason") == cards.link_ended("other")


def test_both_hear_of_an_account_that_is_taken() -> None:
    """Neither learns who the other is, and each learns what to do."""
    newcomer, holder = cards.identity_taken(for_holder=False), cards.identity_taken(for_holder=True)
    assert "`/agent unlink`" in newcomer.text
    assert "was not you" in holder.text
    assert not re.search("<@", newcomer.text + holder.text)


# Lists, status and help.


def test_the_status_says_who_and_what_waits() -> None:
    """Linked people see their account and what is open, others how to link."""
    card = cards.status_card(PRINCIPAL, waiting=2, team_name="Work")
    assert "ada@example.com" in said(card)
    assert "2 requests are open" in said(card)
    assert "1 request is open" in said(cards.status_card(PRINCIPAL, waiting=1, team_name="Work"))
    assert "`/agent link`" in cards.status_card(None, waiting=0, team_name="Work").text


def test_the_list_of_actions_marks_approval_and_reach() -> None:
    """People see which actions ask first, and which their login does not reach."""
    free = an_action("list_orders", approval="none", sensitive=False, scopes=frozenset({"orders:read"}))
    beyond = an_action("wipe", scopes=frozenset({"admin:all"}))
    rows = texts(cards.actions_list([free, an_action(), beyond], PRINCIPAL), "mrkdwn")
    mine = {name: next(row for row in rows if row.startswith(f"`{name}`")) for name in ("list_orders", "refund_order")}
    assert "approval" not in mine["list_orders"]
    assert "asks for your approval" in mine["refund_order"]
    assert "beyond your login" not in mine["refund_order"]
    assert "beyond your login: `admin:all`" in rows[-1]
    assert "`amount` whole number · optional, else `1`" in mine["refund_order"]


def test_an_unlinked_person_sees_no_claim_about_reach() -> None:
    """Without a grant there is nothing to compare with."""
    assert "beyond" not in said(cards.actions_list([an_action()], None))


def test_empty_lists_say_so() -> None:
    """Nothing is a sentence, not an empty message."""
    assert cards.actions_list([], None).text
    assert cards.approvals_list([]).text
    assert cards.audit_list([]).text


def test_open_requests_are_listed_without_values() -> None:
    """Values are on the cards alone."""
    both = cards.approvals_list([ASKED, replace(ASKED, state=State.APPROVED)])
    assert "waits for your decision" in said(both)
    assert "is approved" in said(both)
    assert "A-7" not in said(both)


def test_the_audit_list_is_newest_first_in_words() -> None:
    """Codes are for machines; people read what happened, latest on top, each at its time."""
    entries = [
        {"seq": 1, "at": "2030-01-02T12:00:00.000Z", "type": "link.completed", "outcome": "ok"},
        {"seq": 2, "at": "2030-01-02T12:05:00.000Z", "type": "action.finished", "outcome": "failed"}
        | {"action": "refund_order", "reason": "http_500"},
    ]
    rows = texts(cards.audit_list(entries), "mrkdwn")[1:]
    assert [row.split(" · ")[1].replace("\u2060", "") for row in rows] == [
        "Ended `refund_order` (failed, http 500)",
        "Your account was linked",
    ]
    assert rows[0].startswith("<!date^1893585900^{date_short_pretty} {time}|2030-01-02 12:05 UTC>")


def test_every_type_of_the_contract_has_words() -> None:
    """No entry is shown by its code alone."""
    types = [
        "link.started",
        "link.completed",
        "link.refused",
        "link.revoked",
        "token.refreshed",
        "token.refused",
        "approval.requested",
        "approval.approved",
        "approval.denied",
        "approval.expired",
        "approval.cancelled",
        "action.started",
        "action.finished",
        "action.refused",
        "login.embedded",
        "logout.received",
        "install.added",
        "install.removed",
        "keys.rotated",
        "checkpoint",
    ]
    for type_ in types:
        assert f"`{type_}`" not in said(
            cards.audit_list([{"type": type_, "outcome": "ok", "at": "2030-01-02T12:00:00Z"}])
        )


def test_help_lists_every_command() -> None:
    """All words of the contract, with or without a language model; without one, `ask` is said to be off."""
    words = [
        "link",
        "code CODE",
        "unlink",
        "status",
        "actions",
        "run ACTION name=value …",
        "ask TEXT",
        "approvals",
        "audit",
        "help",
    ]
    for model in (True, False):
        card = cards.help_card(model=model)
        assert_sound(card)
        assert all(f"`/agent {word}`" in said(card) for word in words)
    assert "not available here" in said(cards.help_card(model=False))
    assert "not available here" not in said(cards.help_card(model=True))


def test_a_note_is_cut_rather_than_refused() -> None:
    """A sentence with very much in it is still said."""
    assert len(cards.note("x" * 50_000).text) <= limits.UPDATED_TEXT
    assert cards.note("short") == Message("short")
