"""Modals and Home tabs: triggers, the stack, what a submission's answer does, what is kept while one types."""

from __future__ import annotations

from typing import Any

import pytest

from bot.sandbox.slack import NoSuchThing, SandboxSlack
from tests.conftest import HandClock
from tests.unit.bot.sandbox.slack.listener import Calls, Listener, actions, button, field, modal, plain, section


async def trigger(slack: SandboxSlack, listener: Listener, who: str = "Ada") -> str:
    """The trigger_id of a command that somebody just typed."""
    await slack.command(who, "/agent run")
    return listener.heard[-1].form["trigger_id"]


async def opened(slack: SandboxSlack, listener: Listener, calls: Calls, *blocks: Any, **more: Any) -> str:
    """The id of a modal that is open for Ada."""
    view = modal(*(blocks or (field(),)), **more)
    answer = await calls.ok("views.open", trigger_id=await trigger(slack, listener), view=view)
    return str(answer["view"]["id"])


def shown(slack: SandboxSlack, who: str = "Ada") -> dict[str, Any]:
    """The modal in front of this person, which there must be."""
    view = slack.view_for(who)
    assert view is not None
    return view


async def test_a_trigger_opens_a_modal_for_who_pulled_it(slack: SandboxSlack, listener: Listener, calls: Calls) -> None:
    """For Bob and for nobody else."""
    answer = await calls.ok("views.open", trigger_id=await trigger(slack, listener, "Bob"), view=modal(field()))
    assert shown(slack, "Bob")["id"] == answer["view"]["id"]
    assert slack.view_for("Ada") is None


async def test_a_trigger_works_once(slack: SandboxSlack, listener: Listener, calls: Calls) -> None:
    """The second use has its own error."""
    pulled = await trigger(slack, listener)
    await calls.ok("views.open", trigger_id=pulled, view=modal(field()))
    assert await calls.error("views.open", trigger_id=pulled, view=modal(field())) == "exchanged_trigger_id"


async def test_a_trigger_lives_three_seconds(
    slack: SandboxSlack, listener: Listener, calls: Calls, clock: HandClock
) -> None:
    """Three are enough, more are too many."""
    pulled = await trigger(slack, listener)
    clock.forward(seconds=3)
    await calls.ok("views.open", trigger_id=pulled, view=modal(field()))
    pulled = await trigger(slack, listener)
    clock.forward(seconds=3.1)
    assert await calls.error("views.open", trigger_id=pulled, view=modal(field())) == "expired_trigger_id"


async def test_an_invented_trigger_is_refused(calls: Calls) -> None:
    """Nobody opens a modal without a gesture."""
    assert await calls.error("views.open", trigger_id="1.2.3", view=modal(field())) == "invalid_trigger_id"
    assert await calls.error("views.open", view=modal(field())) == "invalid_arguments"


async def test_a_faulty_view_does_not_spend_the_trigger(slack: SandboxSlack, listener: Listener, calls: Calls) -> None:
    """The bot may try again with a better one."""
    pulled = await trigger(slack, listener)
    assert await calls.error("views.open", trigger_id=pulled, view={"type": "modal"}) == "invalid_arguments"
    await calls.ok("views.open", trigger_id=pulled, view=modal(field()))


async def test_three_modals_are_the_most(slack: SandboxSlack, listener: Listener, calls: Calls) -> None:
    """The fourth is refused, and closing one shows the one below."""
    first = await opened(slack, listener, calls, field(), actions(button()))
    ids = [first]
    for _ in range(2):
        await slack.click_view("Ada", ids[-1], "press")
        pulled = listener.heard[-1].payload["trigger_id"]
        answer = await calls.ok("views.push", trigger_id=pulled, view=modal(field(), actions(button())))
        assert (answer["view"]["root_view_id"], answer["view"]["previous_view_id"]) == (first, ids[-1])
        ids.append(answer["view"]["id"])
    await slack.click_view("Ada", ids[-1], "press")
    pulled = listener.heard[-1].payload["trigger_id"]
    assert await calls.error("views.push", trigger_id=pulled, view=modal(field())) == "push_limit_reached"
    await slack.close("Ada", ids[-1])
    assert shown(slack)["id"] == ids[1]


async def test_a_push_needs_a_gesture_in_a_modal(slack: SandboxSlack, listener: Listener, calls: Calls) -> None:
    """A command's trigger opens, it does not push."""
    await opened(slack, listener, calls)
    pulled = await trigger(slack, listener)
    assert await calls.error("views.push", trigger_id=pulled, view=modal(field())) == "invalid_trigger_id"


async def test_a_stale_hash_is_a_conflict(slack: SandboxSlack, listener: Listener, calls: Calls) -> None:
    """Of two updates that know the same version, the second is refused."""
    name = await opened(slack, listener, calls)
    known = shown(slack)["hash"]
    await calls.ok("views.update", view_id=name, hash=known, view=modal(field(), title=plain("New")))
    assert await calls.error("views.update", view_id=name, hash=known, view=modal(field())) == "hash_conflict"
    assert shown(slack)["title"]["text"] == "New"


async def test_a_closed_modal_cannot_be_updated(slack: SandboxSlack, listener: Listener, calls: Calls) -> None:
    """And the bot is told so."""
    name = await opened(slack, listener, calls)
    await slack.close("Ada", name)
    assert await calls.error("views.update", view_id=name, view=modal(field())) == "not_found"


async def test_an_external_id_names_one_view(slack: SandboxSlack, listener: Listener, calls: Calls) -> None:
    """It can be updated by it, and not be used twice."""
    await opened(slack, listener, calls, external_id="mine")
    more = {"external_id": "mine", "view": modal(field(), title=plain("New"), external_id="mine")}
    assert (await calls.ok("views.update", **more))["view"]["title"]["text"] == "New"
    pulled = await trigger(slack, listener, "Bob")
    again = modal(field(), external_id="mine")
    assert await calls.error("views.open", trigger_id=pulled, view=again) == "duplicate_external_id"


async def test_a_submission_carries_what_was_entered(slack: SandboxSlack, listener: Listener, calls: Calls) -> None:
    """Values by block and action, the metadata and the callback id; the modal then closes."""
    name = await opened(slack, listener, calls, field(), private_metadata="m", callback_id="c")
    done = await slack.submit("Ada", name, {"amount": "5"})
    payload = listener.heard[-1].payload
    assert payload["type"] == "view_submission"
    assert payload["view"]["state"]["values"] == {"amount": {"amount": {"type": "plain_text_input", "value": "5"}}}
    assert (payload["view"]["private_metadata"], payload["view"]["callback_id"]) == ("m", "c")
    assert done.errors == {}
    assert slack.view_for("Ada") is None


async def test_what_slack_itself_refuses_the_bot_never_hears(
    slack: SandboxSlack, listener: Listener, calls: Calls
) -> None:
    """An empty required field, too short a text and no number end at the client."""
    blocks = (
        field("name"),
        field("note", optional=True, min_length=3),
        field("count", "number_input", is_decimal_allowed=False, min_value="1"),
    )
    name = await opened(slack, listener, calls, *blocks)
    heard = len(listener.heard)
    done = await slack.submit("Ada", name, {"note": "ab", "count": "0"})
    assert set(done.errors) == set(shown(slack)["errors"]) == {"name", "note", "count"}
    assert done.delivery is None
    assert len(listener.heard) == heard
    assert set((await slack.submit("Ada", name, {"name": "x", "count": "1.5"})).errors) == {"count"}
    assert set((await slack.submit("Ada", name, {"name": "x", "count": "many"})).errors) == {"count"}


async def test_the_bots_errors_are_shown(slack: SandboxSlack, listener: Listener, calls: Calls) -> None:
    """`response_action: errors` keeps the modal, with what was typed."""
    name = await opened(slack, listener, calls)
    listener.says({"response_action": "errors", "errors": {"amount": "Too much"}})
    done = await slack.submit("Ada", name, {"amount": "5"})
    assert done.errors == shown(slack)["errors"] == {"amount": "Too much"}
    assert shown(slack)["state"]["values"]["amount"]["amount"]["value"] == "5"


@pytest.mark.parametrize("errors", [{}, {"other": "No"}, {"amount": "No", "other": "No"}])
async def test_an_error_for_no_input_is_trouble(
    slack: SandboxSlack, listener: Listener, calls: Calls, errors: dict[str, str]
) -> None:
    """As at Slack, the person sees only that something went wrong."""
    name = await opened(slack, listener, calls)
    listener.says({"response_action": "errors", "errors": errors})
    await slack.submit("Ada", name, {"amount": "5"})
    assert "trouble" in shown(slack)["trouble"]
    assert shown(slack)["errors"] == {}


async def test_a_bot_that_fails_leaves_the_modal_open(slack: SandboxSlack, listener: Listener, calls: Calls) -> None:
    """With a sentence, and with what was typed."""
    name = await opened(slack, listener, calls)
    listener.says({}, status=500)
    await slack.submit("Ada", name, {"amount": "5"})
    assert shown(slack)["trouble"] == "We had some trouble connecting. Try again?"


async def test_a_submission_may_update_push_or_clear(slack: SandboxSlack, listener: Listener, calls: Calls) -> None:
    """The other three response actions."""
    name = await opened(slack, listener, calls)
    listener.says({"response_action": "update", "view": modal(field(), title=plain("Second"))})
    await slack.submit("Ada", name, {"amount": "5"})
    assert (shown(slack)["id"], shown(slack)["title"]["text"]) == (name, "Second")
    listener.says({"response_action": "push", "view": modal(field(), title=plain("Third"))})
    await slack.submit("Ada", name, {"amount": "5"})
    assert (shown(slack)["previous_view_id"], shown(slack)["title"]["text"]) == (name, "Third")
    listener.says({"response_action": "clear"})
    await slack.submit("Ada", shown(slack)["id"], {"amount": "5"})
    assert slack.view_for("Ada") is None


async def test_a_faulty_view_in_an_answer_is_trouble(slack: SandboxSlack, listener: Listener, calls: Calls) -> None:
    """The old one stays."""
    name = await opened(slack, listener, calls)
    listener.says({"response_action": "update", "view": {"type": "modal"}})
    await slack.submit("Ada", name, {"amount": "5"})
    assert (shown(slack)["id"], bool(shown(slack)["trouble"])) == (name, True)


async def test_an_update_keeps_what_was_typed(slack: SandboxSlack, listener: Listener, calls: Calls) -> None:
    """Where the block is still there; what is gone is gone."""
    name = await opened(slack, listener, calls, field("amount"), field("note"), actions(button()))
    await slack.gestures.click_view("Ada", name, "press", entered={"amount": "5", "note": "x"})
    await calls.ok("views.update", view_id=name, view=modal(field("amount"), field("reason")))
    assert set(shown(slack)["state"]["values"]) == {"amount"}


@pytest.mark.parametrize("asked", [True, False])
async def test_a_closed_modal_is_reported_where_asked_for(
    slack: SandboxSlack, listener: Listener, calls: Calls, asked: bool
) -> None:
    """`notify_on_close` decides."""
    name = await opened(slack, listener, calls, notify_on_close=asked)
    heard = len(listener.heard)
    await slack.close("Ada", name)
    assert [h.payload["type"] for h in listener.heard[heard:]] == (["view_closed"] if asked else [])


async def test_nobody_uses_the_modal_of_another(slack: SandboxSlack, listener: Listener, calls: Calls) -> None:
    """Bob cannot submit, click or close what is in front of Ada."""
    name = await opened(slack, listener, calls, field(), actions(button()))
    with pytest.raises(NoSuchThing):
        await slack.submit("Bob", name, {"amount": "5"})
    with pytest.raises(NoSuchThing):
        await slack.click_view("Bob", name, "press")
    with pytest.raises(NoSuchThing):
        await slack.close("Bob", name)


async def test_a_home_tab_is_for_one_person(slack: SandboxSlack, listener: Listener, calls: Calls) -> None:
    """It keeps its id, is checked by hash, and comes with the event when it is looked at again."""
    home = {"type": "home", "blocks": [section("Yours"), actions(button())]}
    first = (await calls.ok("views.publish", user_id="U0ADA", view=home))["view"]
    second = (await calls.ok("views.publish", user_id="U0ADA", view=home, hash=first["hash"]))["view"]
    assert first["id"] == second["id"]
    assert await calls.error("views.publish", user_id="U0ADA", view=home, hash=first["hash"]) == "hash_conflict"
    assert slack.home_for("Bob") is None
    await slack.open_home("Ada")
    assert listener.heard[-1].envelope["event"]["view"]["id"] == first["id"]
    await slack.click_view("Ada", first["id"], "press")
    assert listener.heard[-1].payload["view"]["type"] == "home"


async def test_a_home_tab_is_no_modal(calls: Calls) -> None:
    """Neither type passes for the other."""
    assert await calls.error("views.publish", user_id="U0ADA", view=modal(field())) == "invalid_arguments"
    assert await calls.error("views.publish", user_id="U0NOBODY", view={"type": "home", "blocks": []}) == (
        "invalid_arguments"
    )
