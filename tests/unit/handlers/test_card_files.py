"""What a card has no room for is attached above it: whole, inert, and before anybody can agree."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.approvals import Copy, State, Verdict, Vote
from bot.approvals.model import Part
from bot.errors import CannotAttach, TooLargeToShow
from bot.sandbox.slack import SandboxSlack
from handlers import cards
from handlers.card_places import SlackCards
from handlers.errors import words
from handlers.inert import inert
from handlers.one_workspace import OneWorkspace
from handlers.post import Post, client
from tests.conftest import HandClock
from tests.fakes.reading import ADA, ASKED, MARK, NASTY, NOON, PRINCIPAL, assert_sound, said, values_shown

LONG = "".join(f"{number}: <!channel> *b*\u202e\n" for number in range(1, 1_500))
NOTED = replace(ASKED, requester=ADA, arguments={"order_id": "A-7", "note": LONG})
BOT = "xoxb-1"


@given(st.lists(NASTY, max_size=6), st.integers(0, 40_000), st.integers(0, 5))
@settings(max_examples=60)
def test_t50_what_is_not_on_the_card_is_in_a_file_whole(others: list[str], length: int, at: int) -> None:
    """Every value is on the card or in a file named there, and a file reads back as the value."""
    values = {f"v{number}": text for number, text in enumerate(others)} | {f"v{at}": "x\u202e" * (length // 2)}
    asked = replace(ASKED, arguments=values)
    files = cards.attached(asked)
    card = cards.approval_card(asked, files=dict.fromkeys(files, ""))
    assert_sound(card)
    found = values_shown(card)
    for number, (name, value) in enumerate(values.items(), 1):
        if (content := files.get(f"{number}-{name}.txt")) is None:
            assert found[name] == value
        else:
            assert MARK.sub(lambda mark: chr(int(mark[1], 16)), content) == value
            assert content == inert(value)
            assert f"`{number}-{name}.txt`" in said(card)


def test_t50_only_what_has_to_be_is_attached() -> None:
    """The longest first: what has room stays on the card, where it is read at once."""
    both = replace(ASKED, arguments={"short": "s" * 3_000, "note": LONG, "order_id": "A-7"})
    assert list(cards.attached(both)) == ["2-note.txt"]
    assert cards.attached(ASKED) == {}


def test_t50_what_the_service_said_is_attached_too() -> None:
    """A preview is seen before agreeing, like the values; its file cannot be taken for an argument's."""
    both = replace(ASKED, arguments={"note": LONG}, seen=(("note", LONG),))
    assert list(cards.attached(both)) == ["1-note.txt", "service-1-note.txt"]


@pytest.mark.parametrize(
    "arguments",
    [
        {"note": "x" * (1024 * 1024 + 1)},
        {f"n{number}": "x" * 13_000 for number in range(11)},
        {f"n{number}": "x" * 100 for number in range(200)},
        {"x" * 101: LONG},
    ],
)
def test_t50_what_no_file_holds_is_refused(arguments: dict[str, str]) -> None:
    """Too long for a snippet, too many of them, too many values, or a name that no card has room for."""
    with pytest.raises(TooLargeToShow):
        cards.attached(replace(ASKED, arguments=arguments))


@pytest.mark.parametrize("state", State)
def test_t50_the_same_is_attached_however_it_stands(state: State) -> None:
    """A card that is nearly full leaves room for what is said on it later (guard: `_SPARE`)."""
    for length in range(9_000, 13_000, 50):
        asked = replace(ASKED, arguments={"text": "x" * length})
        vote = Vote(ADA, "auth0|ada", "v1", Verdict.DENY, NOON)
        later = replace(asked, state=state, votes=(vote,), note="n" * 500, reason="http_500", not_before=NOON)
        files = cards.attached(later)
        assert files == cards.attached(asked)
        cards.approval_card(later, acting_as="x" * 254, files=dict.fromkeys(files, "https://x.example/" + "y" * 150))


@pytest.mark.parametrize("address", ["https://x|*Approve*> <https://y", "javascript:x", "", "https://x/\n"])
def test_what_is_no_address_is_no_link(address: str) -> None:
    """Slack says where the file is; whatever else it may be is not put into a link."""
    card = cards.approval_card(NOTED, files={"2-note.txt": address})
    assert "`2-note.txt`" in said(card)
    assert "Approve*" not in said(card)


class Here:
    """The links, of one person."""

    async def principal(self, _slack: object) -> Any:
        """Ada."""
        return PRINCIPAL


@pytest.fixture
async def slack(tmp_path: Path, clock: HandClock) -> AsyncIterator[SandboxSlack]:
    """A workspace that counts scopes and takes files as Slack does."""
    made = SandboxSlack(tmp_path, signing_secret="secret", bot_token=BOT, clock=clock)
    await made.start()
    yield made
    await made.stop()


@pytest.fixture
def places(slack: SandboxSlack) -> SlackCards:
    """Cards in it."""
    post = Post(OneWorkspace(client(BOT, slack.api_url)))
    return SlackCards(post, Here())  # type: ignore[arg-type]


def in_dm(slack: SandboxSlack) -> list[dict[str, Any]]:
    """What Ada sees."""
    return slack.messages(slack.dm(ADA.user), ADA.user)


async def test_t50_the_file_is_there_before_the_buttons(slack: SandboxSlack, places: SlackCards) -> None:
    """One step attaches, the next one posts the card with a way to the file (guard: the order in `_shown`)."""
    copy = Copy(Part.APPROVER, ADA.user)
    await places.check(NOTED)
    half = await places.show(NOTED, copy)
    (above,) = in_dm(slack)
    assert above["files"][0]["preview"] == inert(LONG)
    assert not half.posted
    whole = await places.show(NOTED, half)
    assert whole.shown == NOTED.revision
    _, card = in_dm(slack)
    assert [found["action_id"] for found in buttons_of_shown(card)] == ["approval.approve", "approval.deny"]
    assert f"<{above['files'][0]['permalink']}|2-note.txt>" in json.dumps(card)


async def test_t73_a_card_that_fails_does_not_attach_again(slack: SandboxSlack, places: SlackCards) -> None:
    """What the first step gave is enough for the next, also when the card changes later."""
    half = await places.show(NOTED, Copy(Part.APPROVER, ADA.user))
    whole = await places.show(NOTED, half)
    done = replace(NOTED, state=State.DENIED, revision=2)
    assert (await places.show(done, whole)).shown == 2
    assert [bool(one.get("files")) for one in in_dm(slack)] == [True, False]


async def test_t75_a_card_that_was_posted_whole_stays_whole(slack: SandboxSlack, places: SlackCards) -> None:
    """A former version posted it, fuller than we would, where no files are allowed: it still becomes true, and nothing
    is attached below it (guard: `posted` in `_shown`)."""
    slack.api.scopes = tuple(scope for scope in slack.api.scopes if scope != "files:write")
    full = replace(ASKED, requester=ADA, arguments={"text": "x" * 11_000})
    assert cards.attached(full)
    card = cards.approval_card(full, acting_as="ada@example.com")
    channel, ts = await places.post.dm(ADA, card)
    denied = replace(full, state=State.DENIED, revision=2)
    shown = await places.show(denied, Copy(Part.APPROVER, ADA.user, channel, ts, 1))
    assert (shown.shown, shown.files) == (2, ())
    (there,) = in_dm(slack)
    assert "Denied" in json.dumps(there)


async def test_where_no_files_are_allowed_nothing_is_asked(slack: SandboxSlack, places: SlackCards) -> None:
    """A workspace that installed an earlier version: the person hears what to do, and short values go on."""
    slack.api.scopes = tuple(scope for scope in slack.api.scopes if scope != "files:write")
    with pytest.raises(CannotAttach) as refusal:
        await places.check(NOTED)
    assert "files:write" in words(refusal.value)
    await places.check(ASKED)


def buttons_of_shown(message: dict[str, Any]) -> list[dict[str, Any]]:
    """The buttons of a message as Slack shows it."""
    return [found for block in message["blocks"] for found in block.get("elements", []) if "action_id" in found]
