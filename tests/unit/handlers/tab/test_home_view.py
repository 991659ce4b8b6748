"""The Home tab fits, does nothing by itself, and offers a button for what can be done and for nothing else."""

from __future__ import annotations

import json
import re
import unicodedata
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.actions.model import ActionResult
from bot.approvals.model import Approval, Copy, Part, State
from bot.sandbox.slack import limits
from handlers import cards, lists
from handlers.message import Block, Message
from handlers.tab import view as home_view
from handlers.tab.view import Picture
from oauth import Identity, Subject
from tests.fakes.reading import ASKED, NASTY, NOON, OURS, PRINCIPAL, an_action, said, texts

LINKED = Picture("Work", PRINCIPAL)
UNLINKED = Picture("Work", None)


def read(blocks: list[Block]) -> str:
    """All that a person reads."""
    return said(Message("", tuple(blocks)))


def elements(blocks: list[Block]) -> list[Block]:
    """Every control, in reading order."""
    found = [each for block in blocks for each in [*block.get("elements", []), block.get("accessory")]]
    return [each for each in found if each and "action_id" in each]


def ids(blocks: list[Block]) -> list[str]:
    """The ids of all controls, in reading order."""
    return [str(each["action_id"]) for each in elements(blocks)]


def shown(picture: Picture) -> list[Block]:
    """The tab, taken by Slack, and nothing foreign in it can do anything."""
    blocks = home_view.home(picture)
    limits.view({"type": "home", "blocks": blocks}, "home")
    assert_inert(blocks)
    return blocks


def assert_inert(blocks: list[Block]) -> None:
    """No markup but ours, no letter that is not seen."""
    for text in texts(Message("", tuple(blocks)), "mrkdwn"):
        assert not re.search(r"[<>]", OURS.sub("", text)), text
    for text in read(blocks).split("\n"):
        hidden = [letter for letter in text if unicodedata.category(letter) in {"Cc", "Cf", "Co", "Cs", "Zl", "Zp"}]
        assert set(hidden) <= {"\u2060"}


def asked(number: int, **more: Any) -> Approval:
    """An open request of its own; its card is in the direct messages."""
    return replace(
        ASKED, id=f"{number:024x}", copies=(Copy(Part.APPROVER, ASKED.requester.user, "D1", "1.1", 1),), **more
    )


def entry(seq: int, type_: str, outcome: str = "ok", **more: Any) -> dict[str, Any]:
    """An entry of the trail."""
    return {"seq": seq, "at": f"2030-01-02T12:{seq:02d}:00.000Z", "type": type_, "outcome": outcome} | more


def test_who_is_not_linked_has_one_thing_to_do() -> None:
    """One sentence, one primary button, and the link itself is nowhere: it is in the direct messages alone."""
    blocks = shown(UNLINKED)
    assert ids(blocks) == ["home.link", "home.refresh"]
    assert [each["style"] for each in elements(blocks) if "style" in each] == ["primary"]
    assert "You are not linked in Work" in read(blocks)
    assert '"url"' not in json.dumps(blocks)


def test_who_may_not_be_linked_is_told_so_and_has_no_button() -> None:
    """Guests and people of other workspaces read the words that they get everywhere."""
    blocks = shown(replace(UNLINKED, outsider=True))
    assert read(blocks).strip() == cards.OUTSIDERS
    assert ids(blocks) == []


def test_a_login_link_that_was_sent_is_said_with_its_time() -> None:
    """Where it is, how long it is valid, and the ways on: the code, or a fresh link."""
    blocks = shown(replace(UNLINKED, login_until=NOON))
    assert ids(blocks) == ["link.enter_code", "home.link", "home.refresh"]
    assert "is in *Messages*, valid until <!date^1893585600^{time}|12:00 UTC>" in read(blocks)
    assert '"url"' not in json.dumps(blocks)


def test_what_was_just_said_of_the_login_link_is_not_said_twice() -> None:
    """The answer to the click has the time already."""
    just = cards.note("I sent you a login link, valid until <!date^1893585600^{time}|12:00 UTC>.")
    text = read(shown(replace(UNLINKED, login_until=NOON, said=just)))
    assert text.count("valid until") == 1


def test_whoever_has_signed_in_is_named_before_a_code_is_entered() -> None:
    """It may be somebody else to whom the link was forwarded; then a fresh link ends that login."""
    for picture in (UNLINKED, LINKED):
        blocks = shown(replace(picture, login_until=NOON, signed_in="mallory@elsewhere.example"))
        assert "`mallory@elsewhere.example` has signed in" in read(blocks)
        assert "link.enter_code" in ids(blocks)
        assert "home.link" in ids(blocks)


def test_who_is_linked_sees_the_account_and_what_may_be_used() -> None:
    """Account, since when, and every scope; the end of the link asks once more."""
    blocks = shown(LINKED)
    for part in ("`ada@example.com` (Ada)", "since <!date^1893585600^", "`orders:read`, `orders:refund`"):
        assert part in read(blocks)
    assert ids(blocks)[:3] == ["home.refresh", "home.link", "home.unlink"]
    unlink = next(each for each in elements(blocks) if each["action_id"] == "home.unlink")
    assert (unlink["style"], unlink["confirm"]["style"]) == ("danger", "danger")


def test_each_action_within_reach_has_a_button_to_run_it() -> None:
    """What is beyond the login is marked and cannot be pressed: it could only be refused."""
    free = an_action("list_orders", approval="none", sensitive=False, scopes=frozenset({"orders:read"}))
    beyond = an_action("wipe", scopes=frozenset({"admin:all"}))
    blocks = shown(replace(LINKED, actions=[beyond, free, an_action()]))
    runs = [each for each in elements(blocks) if each["action_id"] == "home.run"]
    assert [each["value"] for each in runs] == ["list_orders", "refund_order"]
    rows = {name: next(t for t in read(blocks).split("\n`") if name in t) for name in ("list_orders", "refund_order")}
    assert "approval" not in rows["list_orders"]
    assert "asks for your approval first" in rows["refund_order"]
    assert "beyond your login, which lacks `admin:all`" in read(blocks)


def test_an_action_with_a_connection_can_be_run_and_names_the_account() -> None:
    """Its scopes are the third party's: whoever is linked can ask for it, and is led through connecting."""
    events = an_action("list_events", approval="none", scopes=frozenset({"events:read"}), connection="almanac")
    blocks = shown(replace(LINKED, actions=[events]))
    assert [each["value"] for each in elements(blocks) if each["action_id"] == "home.run"] == ["list_events"]
    assert "with your `almanac` account" in read(blocks)


def test_two_hundred_actions_fit_and_none_is_lost() -> None:
    """The first have a button, a menu has a hundred more, and the rest is counted."""
    many = [an_action(f"action_{number}", description="<*&>" * 200) for number in range(200)]
    blocks = shown(replace(LINKED, actions=many))
    buttons = [each["value"] for each in elements(blocks) if each["action_id"] == "home.run"]
    (menu,) = [each for each in elements(blocks) if each["action_id"] == "home.run_other"]
    offered = [option["value"] for option in menu["options"]]
    assert [*buttons, *offered] == [one.name for one in many[: len(buttons) + len(offered)]]
    assert len(buttons) == 20
    assert "… and 80 more. `/agent actions` lists them" in read(blocks)


def test_an_open_request_is_there_as_its_card() -> None:
    """The very blocks of the card, with its very buttons, whose value is the id and nothing else."""
    blocks = shown(replace(LINKED, waiting=[asked(1)]))
    card = list(cards.approval_card(asked(1), acting_as="ada@example.com").blocks)
    at = blocks.index(card[0])
    assert blocks[at : at + len(card)] == card
    deciding = [(e["action_id"], e["value"]) for e in elements(blocks) if e["action_id"].startswith("approval.")]
    assert deciding == [("approval.approve", asked(1).id), ("approval.deny", asked(1).id)]


def test_a_hundred_open_requests_fit_and_none_is_lost() -> None:
    """Some as cards, some as rows, the rest counted; with as many actions and entries as there can be."""
    actions = [an_action(f"action_{number}", description="<*&>" * 200) for number in range(200)]
    entries = [entry(n % 60, "action.finished", action="<&>" * 60, run=str(n), reason="_" * 200) for n in range(50)]
    waiting = [asked(number) for number in range(100)]
    said_last = cards.result_card("list_orders", ActionResult(True, "\u4e00" * 4_000))
    full = Picture("Work", PRINCIPAL, False, said_last, NOON, "x" * 500, waiting, actions, entries)
    blocks = shown(full)
    denied = [each["value"] for each in elements(blocks) if each["action_id"] == "approval.deny"]
    assert denied == [one.id for one in waiting[: len(denied)]]
    assert f"… and {100 - len(denied)} more. Their cards are in *Messages*" in read(blocks)
    assert len(denied) >= 10


ARGUMENT = NASTY | st.integers(1, 4_000).map(lambda count: "ж*" * count)


@given(st.lists(st.dictionaries(st.sampled_from(["order_id", "reason", "note"]), ARGUMENT), max_size=8))
@settings(max_examples=60, deadline=None)
def test_t50_approve_is_offered_only_under_the_whole_card(values: list[dict[str, str]]) -> None:
    """What you see is what runs: no Approve without every argument (guard: `_row` has none)."""
    made = [asked(number, arguments=arguments) for number, arguments in enumerate(values)]
    waiting = [one for one in made if cards_whole(one)]
    blocks = shown(replace(LINKED, waiting=waiting))
    offered = {each["value"] for each in elements(blocks) if each["action_id"] == "approval.approve"}
    for approval in waiting:
        card = cards_whole(approval)
        inside = any(blocks[at : at + len(card)] == card for at in range(len(blocks)))
        assert inside == (approval.id in offered)
        assert approval.id in {each.get("value") for each in elements(blocks)} | offered


def cards_whole(approval: Approval) -> list[Block]:
    """The card's blocks; none where it would never have been asked."""
    try:
        return list(cards.approval_card(approval, acting_as="ada@example.com").blocks)
    except Exception:
        return []


def test_a_request_whose_card_is_too_large_can_be_denied_here_and_opened() -> None:
    """No Approve, since the arguments are not here; the way to the card, which has them all."""
    huge = asked(1, arguments={f"line_{number}": "word\n" * 50 for number in range(20)})
    blocks = shown(replace(LINKED, waiting=[huge]))
    found = {each["action_id"]: each for each in elements(blocks)}
    assert "approval.approve" not in found
    assert found["approval.deny"]["value"] == huge.id
    assert found["home.card"]["url"] == "slack://channel?team=T1&id=D1"
    unsent = replace(huge, copies=())
    assert "home.card" not in ids(shown(replace(LINKED, waiting=[unsent])))


def test_what_is_approved_already_has_no_buttons() -> None:
    """It begins in a moment, and says so."""
    blocks = shown(replace(LINKED, waiting=[asked(1, state=State.APPROVED)]))
    assert "`refund_order` is approved" in read(blocks)
    assert not [each for each in ids(blocks) if each.startswith("approval.")]


def test_what_cannot_be_opened_any_more_cannot_be_approved() -> None:
    """As on the card, which has no buttons then."""
    blocks = shown(replace(LINKED, waiting=[asked(1, readable=False, arguments={})]))
    assert not [each for each in ids(blocks) if each.startswith("approval.")]


def test_the_answer_to_the_last_click_is_on_top() -> None:
    """Whole where it fits, else by its first sentence, which says that there is more."""
    short = shown(replace(LINKED, said=cards.result_card("list_orders", ActionResult(True, "A-1001"))))
    assert "`list_orders` is done" in read(short[:1])
    assert "A-1001" in json.dumps(short[1])
    long = shown(replace(LINKED, said=cards.result_card("list_orders", ActionResult(True, "👍" * 6_000))))
    assert "`list_orders` is done" in read(long[:1])
    assert "too long for this page" in read(long[1:2])


def test_of_one_action_the_latest_entry_says_how_it_stands() -> None:
    """People read what became of it, not each step; steps and renewals are in the trail."""
    entries = [
        entry(1, "link.completed"),
        entry(2, "approval.requested", action="refund_order", run="r1"),
        entry(3, "approval.approved", action="refund_order", run="r1"),
        entry(4, "token.refreshed"),
        entry(5, "action.started", action="refund_order", run="r1"),
        entry(6, "action.finished", action="refund_order", run="r1"),
        entry(7, "action.finished", "failed", action="list_orders", run="r2", reason="http_500"),
        entry(8, "action.finished", "unknown", action="ship", run="r3", reason="no_answer"),
        entry(9, "action.refused", "denied", action="wipe", reason="scope_refused"),
        entry(10, "approval.requested", action="refund_order", run="r4"),
    ]
    deeds = [row.replace("\u2060", "").split(" · ")[0] for row in lists.deeds(entries, 8)]
    assert deeds == [
        "⏳ `refund_order` waits for your approval",
        "✗ `wipe` was refused (scope refused)",
        "⚠ `ship`: whether it was done is not known (no answer)",
        "✗ `list_orders` failed (http 500)",
        "✓ `refund_order` is done",
        "✓ Your account was linked",
    ]
    assert len(lists.deeds(entries, 3)) == 3
    blocks = shown(replace(LINKED, entries=entries))
    assert ids(blocks)[-1] == "home.trail"
    assert "12:10 UTC" in read(blocks)


def test_no_deeds_no_heading() -> None:
    """Nothing is shown of nothing."""
    assert "lately" not in read(shown(LINKED))
    assert "home.trail" not in ids(shown(LINKED))


@pytest.mark.parametrize("count", [0, 1, 50])
def test_the_trail_is_a_window_with_every_entry(count: int) -> None:
    """Fifty entries fit, each in words at its time, newest first."""
    view = home_view.trail([entry(n % 60, "action.finished", action="<&>" * 60) for n in range(count)])
    limits.view(view, "modal")
    assert_inert(view["blocks"])
    assert read(view["blocks"]).count("Ended") == count


@given(NASTY, NASTY, st.integers(0, 30))
@settings(max_examples=60, deadline=None)
def test_t50_nothing_foreign_acts_in_the_tab(name: str, text: str, count: int) -> None:
    """Names, descriptions, accounts and entries of any content are shown, and do nothing."""
    identity = Identity("https://idp.example/", Subject(name or "s"), text or None, name or None)
    action = an_action(f"a{name}", description=text, scopes=frozenset({text} if count % 2 else ()))
    record = {"type": name, "outcome": text, "reason": text, "action": name, "at": text, "run": name}
    shown(
        Picture(
            team_name=text,
            principal=replace(PRINCIPAL, identity=identity, scopes=frozenset({name, text})),
            said=cards.result_card(f"a{name[:40]}", ActionResult(True, text)),
            login_until=NOON + timedelta(minutes=count),
            signed_in=text or "s",
            waiting=[asked(n, action=f"a{name[:40]}", arguments={"v": text}, description=text) for n in range(count)],
            actions=[action] * count * 2,
            entries=[record] * count,
        )
    )
    shown(Picture(text, None, False, cards.note("x"), NOON, name or "s", entries=[record]))


def test_where_another_proof_is_asked_for_there_is_no_code_to_enter() -> None:
    """A login under way is said, with the buttons that help."""
    blocks = shown(replace(UNLINKED, login_until=NOON, codes=False))
    assert "link.enter_code" not in ids(blocks)
    assert "home.link" in ids(blocks)
