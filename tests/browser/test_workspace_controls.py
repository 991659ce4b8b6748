"""Controls and modals in the page: what one presses and fills in, and what the bot gets of it."""

from __future__ import annotations

import asyncio
from typing import Any

from aiohttp import web
from playwright.async_api import expect

from tests.browser.desk import Desk
from tests.unit.bot.sandbox.slack.listener import Heard, actions, button, field, modal, plain


def option(value: str) -> dict[str, Any]:
    """An option that shows what it is worth."""
    return {"text": plain(value.title()), "value": value}


def opens(desk: Desk, *views: dict[str, Any]) -> None:
    """Let every command open the next of these modals."""
    left = list(views)

    async def answer(heard: Heard) -> web.Response:
        if "command" in heard.form:
            await desk.calls.ok("views.open", trigger_id=heard.form["trigger_id"], view=left.pop(0))
        return web.Response()

    desk.listener.answering = answer


async def test_a_button_waits_for_the_bot_and_shows_its_failure(desk: Desk) -> None:
    """Pressed twice it is sent once; a failure leaves a small warning, which the next press takes away."""
    await desk.post(actions(button(value="7")))
    go_on = asyncio.Event()

    async def slowly(_: Heard) -> web.Response:
        await go_on.wait()
        return web.Response(status=500)

    desk.listener.answering = slowly
    ada = await desk.sits()
    await ada.control("press").click()
    await expect(ada.control("press")).to_have_attribute("aria-busy", "true")
    await ada.page.keyboard.press("Enter")
    await desk.listener.hears(1)
    go_on.set()
    await expect(ada.last.locator(".failed")).to_contain_text("Countersign could not be reached")
    assert len(desk.listener.heard) == 1
    desk.listener.says({})
    await ada.control("press").click()
    await expect(ada.last.locator(".failed")).to_have_count(0)
    assert len(desk.listener.heard) == 2


async def test_a_confirmation_is_asked_first(desk: Desk) -> None:
    """Declined by button or Escape nothing is sent; a dangerous one is not what Enter does."""
    confirm = {"title": plain("Sure?"), "text": plain("Really?"), "confirm": plain("Do it"), "deny": plain("Leave it")}
    await desk.post(actions(button(style="danger", confirm={**confirm, "style": "danger"})))
    ada = await desk.sits()
    asked = ada.page.get_by_role("alertdialog", name="Sure?")
    for key in ("Escape", "Enter"):
        await ada.control("press").click()
        await expect(asked).to_contain_text("Really?")
        await ada.page.keyboard.press(key)
        await expect(asked).to_have_count(0)
        await expect(ada.control("press")).to_be_focused()
    assert desk.listener.heard == []
    await ada.control("press").click()
    await asked.get_by_role("button", name="Do it").click()
    assert (await desk.listener.hears(1))[0].payload["actions"][0]["action_id"] == "press"


async def test_a_link_button_opens_a_tab_and_tells_the_bot(desk: Desk) -> None:
    """The new tab has no way back into this one."""
    await desk.post(actions(button("go", url=f"{desk.slack.url}/static/icon.svg?x=1&y=2")))
    ada = await desk.sits()
    async with desk.context.expect_page() as opened:
        await ada.control("go").click()
    tab = await opened.value
    assert tab.url.endswith("?x=1&y=2")
    assert await tab.evaluate("window.opener") is None
    assert (await desk.listener.hears(1))[0].payload["actions"][0]["action_id"] == "go"


async def test_every_menu_sends_what_was_chosen(desk: Desk) -> None:
    """Each control in the shape that Slack sends, and what was chosen beside it in `state`."""
    options = [option("red"), option("green")]
    await desk.post(
        actions(
            {"type": "static_select", "action_id": "one", "options": options},
            {"type": "datepicker", "action_id": "day"},
            {"type": "users_select", "action_id": "who"},
            {"type": "radio_buttons", "action_id": "radio", "options": options},
            {"type": "checkboxes", "action_id": "boxes", "options": options},
            {"type": "overflow", "action_id": "more", "options": options},
            {"type": "multi_static_select", "action_id": "some", "options": options},
            block_id="row",
        )
    )
    ada = await desk.sits()
    await ada.control("one").select_option("green")
    await ada.control("day").fill("2030-01-02")
    await ada.control("who").select_option("U0CAROL")
    await ada.control("radio").get_by_label("Red").check()
    await ada.control("boxes").get_by_label("Red").check()
    await ada.control("more").click()
    await ada.page.get_by_role("menuitem", name="Green").click()
    await ada.control("some").click()
    await ada.page.locator(".multi").get_by_label("Red").check()
    await ada.page.locator(".multi").get_by_label("Green").check()
    await ada.page.keyboard.press("Escape")
    heard = await desk.listener.hears(7)
    used = {action["action_id"]: action for one in heard for action in one.payload["actions"]}
    assert used["one"]["selected_option"] == used["more"]["selected_option"] == options[1]
    assert (used["day"]["selected_date"], used["who"]["selected_user"]) == ("2030-01-02", "U0CAROL")
    assert used["radio"]["selected_option"] == options[0]
    assert used["boxes"]["selected_options"] == options[:1]
    assert used["some"]["selected_options"] == options
    assert heard[-1].payload["state"]["values"]["row"]["one"]["selected_option"] == options[1]


async def test_a_modal_is_filled_in_and_sent_once(desk: Desk) -> None:
    """Errors are under their inputs, the focus goes to the first, and what was typed is not lost."""
    opens(desk, modal(field("order"), field("note", multiline=True, optional=True), callback_id="form"))
    ada = await desk.sits()
    await ada.box.fill("/agent link")
    await ada.box.press("Enter")
    form = ada.page.get_by_role("dialog", name="Form")
    await expect(ada.control("order")).to_be_focused()
    await form.get_by_role("button", name="Send").click()
    await expect(form.locator('[data-input="order"] .error')).to_have_text("Please complete this required field.")
    await expect(ada.control("order")).to_be_focused()
    await expect(ada.control("order")).to_have_attribute("aria-invalid", "true")
    assert len(desk.listener.heard) == 1

    desk.listener.says({"response_action": "errors", "errors": {"order": "No such order"}})
    await form.get_by_label("order").fill("A-1")
    await form.get_by_label("note").fill("please")
    await form.get_by_role("button", name="Send").click()
    await expect(form.locator('[data-input="order"] .error')).to_have_text("No such order")
    await expect(form.get_by_label("note")).to_have_value("please")

    go_on = asyncio.Event()

    async def slowly(_: Heard) -> web.Response:
        await go_on.wait()
        return web.Response()

    desk.listener.answering = slowly
    await form.get_by_label("order").press("Enter")
    await expect(form.get_by_role("button", name="Send")).to_be_disabled()
    await form.get_by_label("order").press("Enter")
    heard = await desk.listener.hears(3)
    go_on.set()
    await expect(form).to_be_hidden()
    await expect(ada.box).to_be_focused()
    assert len(desk.listener.heard) == 3
    values = heard[-1].payload["view"]["state"]["values"]
    assert (values["order"]["order"]["value"], values["note"]["note"]["value"]) == ("A-1", "please")


async def test_the_keyboard_stays_in_a_modal_and_escape_closes_it(desk: Desk) -> None:
    """Tab goes round and round, also backwards; the bot hears of the closing where it asked to."""
    opens(desk, modal(field("order"), notify_on_close=True))
    ada = await desk.sits()
    await ada.box.fill("/agent link")
    await ada.box.press("Enter")
    form = ada.page.get_by_role("dialog", name="Form")
    await expect(ada.control("order")).to_be_focused()
    for key in ["Tab"] * 5 + ["Shift+Tab"] * 6:
        await ada.page.keyboard.press(key)
        assert await form.evaluate("dialog => dialog.contains(document.activeElement)")
    await ada.page.keyboard.press("Escape")
    await expect(form).to_be_hidden()
    assert (await desk.listener.hears(2))[-1].payload["type"] == "view_closed"


async def test_modals_stack_and_change_under_ones_hands(desk: Desk) -> None:
    """A pushed one has a way back; an update keeps what was typed where the input is still there."""
    opens(desk, modal(field("order"), actions(button("deeper"))))
    ada = await desk.sits()
    await ada.box.fill("/agent link")
    await ada.box.press("Enter")
    form = ada.page.get_by_role("dialog")
    await ada.control("order").fill("A-1")
    await ada.control("deeper").click()
    pressed = (await desk.listener.hears(2))[-1].payload
    assert pressed["view"]["state"]["values"]["order"]["order"]["value"] == "A-1"
    await desk.calls.ok("views.push", trigger_id=pressed["trigger_id"], view=modal(field("more"), title=plain("Below")))
    await expect(form.get_by_role("heading", name="Below")).to_be_visible()
    await form.get_by_label("Back", exact=True).click()
    await expect(form.get_by_role("heading", name="Form")).to_be_visible()
    await expect(ada.control("order")).to_have_value("A-1")
    changed = modal(field("order"), field("why"), title=plain("Changed"))
    await desk.calls.ok("views.update", view_id=pressed["view"]["id"], view=changed)
    await expect(form.get_by_role("heading", name="Changed")).to_be_visible()
    await expect(ada.control("order")).to_have_value("A-1")
