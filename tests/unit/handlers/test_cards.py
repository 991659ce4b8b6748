"""What people see about their link is inert and says what to do next."""

from __future__ import annotations

import re
from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from bot.sandbox.slack import limits
from handlers import cards
from handlers.message import Message
from oauth import Identity, Subject
from tests.fakes.reading import (
    NASTY,
    NOON,
    PRINCIPAL,
    assert_sound,
    buttons_of,
    said,
)


@given(NASTY, NASTY, st.text(st.characters(), max_size=300))
def test_t50_identities_and_teams_are_inert(name: str, team: str, address: str) -> None:
    """What a provider or a workspace calls itself cannot act in our words."""
    identity = Identity("https://idp.example/", Subject(name or "s"), address or None, team or None)
    principal = replace(PRINCIPAL, identity=identity, scopes=frozenset({name, team}))
    assert_sound(cards.linked_receipt(principal, team))
    assert_sound(cards.status_card(principal, waiting=1, team_name=team))
    assert_sound(cards.status_card(None, waiting=0, team_name=team))
    assert_sound(cards.link_card("https://bot.example/link/t", NOON, team))


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


def test_the_status_says_who_and_what_waits() -> None:
    """Linked people see their account and what is open, others how to link."""
    card = cards.status_card(PRINCIPAL, waiting=2, team_name="Work")
    assert "ada@example.com" in said(card)
    assert "2 requests are open" in said(card)
    assert "1 request is open" in said(cards.status_card(PRINCIPAL, waiting=1, team_name="Work"))
    assert "`/agent link`" in cards.status_card(None, waiting=0, team_name="Work").text


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


def test_where_another_proof_is_asked_for_no_code_is() -> None:
    """Neither the button nor the words, with Slack's own block and without."""
    for connect_ui in (False, True):
        card = cards.link_card("https://bot.example/link/t", NOON, "Work", connect_ui=connect_ui, codes=False)
        assert "code" not in said(card)
        assert cards.LINK_ENTER_CODE not in repr(card.blocks)
        assert cards.LINK_OPEN in repr(card.blocks)
