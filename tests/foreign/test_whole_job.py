"""The whole job, from `/agent link` to `/agent unlink`, with nothing of ours on the other side."""

from __future__ import annotations

import asyncio
import json
import re
import signal
from pathlib import Path
from typing import Any

from tests.foreign.people import Message, Person, control
from tests.foreign.product import World, world

ENDED = "refund_order.*(is done|is not known)"


async def asked(person: Person, text: str) -> str:
    """Type a command; its answer, in the ack or later."""
    return await person.types(text) or await person.hears(".")


async def card_for_refund(person: Person, action: str = "refund_order") -> Message:
    """Ask for a refund; the card that wants agreement."""
    assert "needs your approval" in await asked(person, f"run {action} order_id=A-1 amount=500")
    return await person.sees_control("approval.approve", saying=action)


async def entries(built: World, kind: str, action: str | None = "refund_order") -> list[dict[str, Any]]:
    """What `audit export` prints of this type about this action of Ada's, or about none."""
    code, printed = await built.product.command("audit", "export", "--user", "person-ada")
    assert code == 0, printed
    found = [json.loads(line) for line in printed.splitlines()]
    return [each for each in found if each["type"] == kind and each.get("action") == action]


async def assert_trail_holds(built: World) -> None:
    """`audit verify` finds nothing."""
    code, verdict = await built.product.command("audit", "verify")
    assert code == 0, verdict


async def assert_no_secret_is_left(built: World, *more: str) -> None:
    """Neither the database nor the log holds a token, a ticket, a code, or a secret of the settings."""
    issued = await built.provider.issued()
    tokens = [each[name] for each in issued for name in ("access_token", "refresh_token", "id_token") if each.get(name)]
    settings = [built.environment[name] for name in ("SLACK_BOT_TOKEN", "SLACK_SIGNING_SECRET", "AUTH0_CLIENT_SECRET")]
    stored = await built.stored()
    assert b"link.started" in stored, "not the right database"
    for secret in [*tokens, *settings, *more]:
        assert secret.encode() not in stored
        assert secret not in built.product.said


async def test_the_whole_job(mongo_uri: str, tmp_path: Path) -> None:
    """Link, read, refund after approval, unlink: each call under Ada's own narrow token, and nothing left behind."""
    async with world(mongo_uri, tmp_path) as built:
        ada = built.workspace.person("ada")
        link, code = await built.links(ada)
        await ada.sees_control("link.not_me")
        assert [each["state"] for each in await built.provider.issued()] == ["live"]

        assert "Countess" in await asked(ada, "run show_order order_id=A-1")
        (shown,) = await built.shop.calls()
        assert (shown["sub"], shown["scope"], shown["status"]) == ("person-ada", "orders:read", 200)

        card = await card_for_refund(ada)
        assert await built.shop.refunds() == []
        await asyncio.gather(ada.clicks(card, "approval.approve"), ada.clicks(card, "approval.approve"))
        await ada.sees("refund_order.* is done", after=card["ts"])
        await ada.clicks(card, "approval.approve")
        for _ in range(2):
            await ada.hears("approved already")
        (refund,) = await built.shop.refunds()
        assert (refund["sub"], refund["scope"], refund["status"]) == ("person-ada", "orders:refund", 200)
        (started,) = await entries(built, "action.started")
        assert (started["sub"], started["token_jti"]) == ("person-ada", refund["jti"])
        assert started["run"] == refund["idempotency_key"]
        await assert_no_secret_is_left(built, link.rpartition("/")[2], code)

        assert "unlinked" in await ada.types("unlink")
        assert {each["state"] for each in await built.provider.issued()} == {"gone"}
        assert "not linked" in await asked(ada, "run show_order order_id=A-1")
        assert len(await built.shop.calls()) == 2

        assert await built.product.end() == 0
        await assert_trail_holds(built)
        await assert_no_secret_is_left(built, link.rpartition("/")[2], code)


async def test_a_link_is_of_no_use_to_others(mongo_uri: str, tmp_path: Path) -> None:
    """Mallory signs in through Ada's link and types the code as himself: nobody is linked, and nobody can act."""
    async with world(mongo_uri, tmp_path) as built:
        ada, mallory = built.workspace.person("ada"), built.workspace.person("mallory")
        link = await built.login_link(ada)
        page = await built.signs_in(link, "mallory")
        assert page.code
        await assert_no_secret_is_left(built, link.rpartition("/")[2], page.code)
        assert "are linked" not in await mallory.types(f"code {page.code}")
        for person in (ada, mallory):
            assert "not linked" in await asked(person, "run show_order order_id=A-1")
        assert await built.shop.calls() == []


async def test_what_was_asked_goes_on_after_linking(mongo_uri: str, tmp_path: Path) -> None:
    """Bob asks before he is linked: he gets a login link, enters the code in a modal, and has his answer."""
    async with world(mongo_uri, tmp_path) as built:
        bob = built.workspace.person("bob")
        assert "not linked" in await asked(bob, "run show_order order_id=A-1")
        card = await bob.sees_control("link.open")
        page = await built.signs_in(control(card, "link.open")["url"], "bob")
        await bob.clicks(card, "link.enter_code")
        assert await bob.submits("link.code", code=page.code) == ""
        await bob.sees("Countess")
        assert [(c["sub"], c["scope"]) for c in await built.shop.calls()] == [("person-bob", "orders:read")]


async def test_t50_what_no_card_has_room_for_is_attached(mongo_uri: str, tmp_path: Path) -> None:
    """The file is above the card, holds all of it, and is what the shop gets; it is there once."""
    note = "".join(f"{number}:<!channel>" for number in range(1_300))
    async with world(mongo_uri, tmp_path) as built:
        ada = built.workspace.person("ada")
        await built.links(ada)
        assert "needs your approval" in await asked(ada, f"run explain_refund order_id=A-1 amount=500 note={note}")
        card = await ada.sees_control("approval.approve")
        (above,) = [message for message in await ada.messages() if message.get("files")]
        (file,) = above["files"]
        assert above["ts"] < card["ts"]
        assert f"<{file['permalink']}|3-note.txt>" in str(card)
        assert await built.workspace.content(file) == note
        await ada.clicks(card, "approval.approve")
        await ada.sees("explain_refund.* is done", after=card["ts"])
        (refund,) = await built.shop.refunds()
        assert refund["body"] == {"amount": 500, "note": note}
        assert len([message for message in await ada.messages() if message.get("files")]) == 1


async def test_killed_after_the_ack_of_a_click(mongo_uri: str, tmp_path: Path) -> None:
    """Killed right after the click was acknowledged: done once, or said to be unknown; never twice, never silent."""
    async with world(mongo_uri, tmp_path) as built:
        ada = built.workspace.person("ada")
        await built.links(ada)
        card = await card_for_refund(ada)
        await ada.clicks(card, "approval.approve")
        await built.product.end(signal.SIGKILL)
        await built.product.start()
        end = await ada.sees(ENDED, after=card["ts"])
        refunds = await built.shop.refunds()
        assert len(refunds) <= 1
        if not refunds:
            assert re.search("not known", str(end))
        await assert_trail_holds(built)


async def test_killed_in_mid_call(mongo_uri: str, tmp_path: Path) -> None:
    """Killed while the shop held its answers: said to be unknown, or, where the file allows it, repeated by its key."""
    async with world(mongo_uri, tmp_path) as built:
        ada = built.workspace.person("ada")
        await built.links(ada)
        await built.shop.gate(open_=False)
        for count, action in enumerate(("refund_order", "refund_surely"), 1):
            card = await card_for_refund(ada, action)
            await ada.clicks(card, "approval.approve")
            await built.shop.reached(count)
        await built.product.end(signal.SIGKILL)
        await built.shop.gate(open_=True)
        await built.product.start()
        await ada.sees("refund_order.* is not known", after=card["ts"])
        await ada.sees("refund_surely.* is done", after=card["ts"])
        once, first, again = [refund["idempotency_key"] for refund in await built.shop.refunds()]
        assert first == again != once
        for action, outcome in (("refund_order", "unknown"), ("refund_surely", "ok")):
            assert [each["outcome"] for each in await entries(built, "action.finished", action)] == [outcome]
        await assert_trail_holds(built)
