"""Lists fit, do nothing, and are in words."""

from __future__ import annotations

import re
from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st

from bot.approvals.model import State
from handlers import cards
from tests.fakes.reading import (
    ASKED,
    NASTY,
    PRINCIPAL,
    an_action,
    assert_sound,
    said,
    texts,
)


@given(NASTY, NASTY, st.integers(0, 30))
@settings(max_examples=50)
def test_t50_lists_are_inert_and_fit(name: str, text: str, count: int) -> None:
    """Lists of any length and of any content are taken by Slack."""
    schema = {"enum": [text, name], "description": text, "default": text}
    action = an_action(
        name, description=text, parameters={name: schema, "b": {"type": ["x"]}}, scopes=frozenset({text})
    )
    assert_sound(cards.actions_list([action] * count * 3, PRINCIPAL))
    assert_sound(cards.approvals_list([replace(ASKED, action=name)] * count * 3, ASKED.requester))
    entry = {"type": name, "outcome": text, "reason": text, "action": name, "at": text}
    assert_sound(cards.audit_list([entry] * count * 3))


def test_very_large_lists_fit() -> None:
    """A thousand actions with long words are cut where Slack would refuse, and counted."""
    many = [an_action(f"a{number}", description="x" * 500) for number in range(1000)]
    listed = cards.actions_list(many, PRINCIPAL)
    assert_sound(listed)
    assert re.search(r"and 9\d\d more", said(listed))


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


def test_the_list_of_actions_says_whose_account_is_used() -> None:
    """A third party's account is named, and its scopes are not looked for in the login."""
    events = an_action("list_events", scopes=frozenset({"events:read"}), connection="almanac")
    shown = said(cards.actions_list([events], PRINCIPAL))
    assert "with your `almanac` account" in shown
    assert "beyond your login" not in shown


def test_the_trail_tells_a_connected_account_from_a_link() -> None:
    """The types of the trail are few; that it was about a third party's account is in the reason."""
    entries = [
        {"type": "link.started", "outcome": "ok", "reason": "connect_almanac", "seq": 1},
        {"type": "link.refused", "outcome": "denied", "reason": "connect_almanac_account_differs", "seq": 2},
        {"type": "link.completed", "outcome": "ok", "reason": "connect_almanac", "seq": 3},
        {"type": "link.completed", "outcome": "ok", "seq": 4},
    ]
    rows = said(cards.audit_list(entries)).split("\n")[-4:]
    for row, words in zip(
        rows,
        (
            "Your account was linked",
            "Another account was connected (almanac)",
            "Another account was not connected (refused, almanac account differs)",
            "Connecting another account (almanac)",
        ),
        strict=True,
    ):
        assert row.endswith(words)


def test_an_unlinked_person_sees_no_claim_about_reach() -> None:
    """Without a grant there is nothing to compare with."""
    assert "beyond" not in said(cards.actions_list([an_action()], None))


def test_empty_lists_say_so() -> None:
    """Nothing is a sentence, not an empty message."""
    assert cards.actions_list([], None).text
    assert cards.approvals_list([], ASKED.requester).text
    assert cards.audit_list([]).text


def test_open_requests_are_listed_without_values() -> None:
    """Values are on the cards alone."""
    both = cards.approvals_list([ASKED, replace(ASKED, state=State.APPROVED)], ASKED.requester)
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
