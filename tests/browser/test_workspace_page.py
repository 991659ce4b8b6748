"""The workspace's page by itself, used as a person uses it, with a bot written by hand behind it."""

from __future__ import annotations

from playwright.async_api import expect

from tests.browser.desk import Desk
from tests.unit.bot.sandbox.slack.listener import actions, button, plain, section

HOSTILE = '<img src=x onerror="document.title=1"> <script>document.title=2</script> &lt;b&gt;x&lt;/b&gt; &amp;lt;'


# -- what is shown


async def test_text_of_a_bot_never_becomes_html(desk: Desk) -> None:
    """Neither in text, nor in any block, nor in a label; entities are decoded once; a bad address is no link."""
    evil = "<javascript:alert(1)|click> <https://example.com/?a=1&amp;b=2|good>"
    await desk.post(
        section(f"{HOSTILE} {evil}"),
        {"type": "header", "text": plain(HOSTILE)},
        {"type": "markdown", "text": f"{HOSTILE} [click](javascript:alert(1))"},
        {
            "type": "rich_text",
            "elements": [{"type": "rich_text_section", "elements": [{"type": "text", "text": HOSTILE}]}],
        },
        {"type": "image", "alt_text": HOSTILE, "image_url": "https://example.com/x.png"},
        actions(button(text=plain(HOSTILE[:70]))),
    )
    ada = await desk.sits()
    await expect(ada.last.locator("h2")).to_contain_text("<img src=x")
    assert await ada.last.locator("img, script, b:not(.name)").count() == 0
    await expect(ada.last.locator("h2")).to_contain_text("<b>x</b> &lt;")
    links = await ada.last.locator("a").evaluate_all("all => all.map(a => [a.href, a.rel, a.textContent])")
    assert links == [["https://example.com/?a=1&b=2", "noopener noreferrer", "good"]]
    assert "#general" in await ada.page.title()


async def test_marks_are_shown_as_what_they_mean(desk: Desk) -> None:
    """Bold, italic, strike, code, fence, quote, people, places; and in plain text every mark stands for itself."""
    marks = "*bold* _it_ ~no~ `a*b*` <@U0BOB> <#C0SUPPORT> <!here> :lock: 2*3*4 snake_case_name\n> quoted\n```*raw*```"
    await desk.post(section(marks), {"type": "header", "text": plain("*not bold* `x` <@U0BOB>")})
    ada = await desk.sits()
    said = ada.last.locator(".section .said")
    for tag, text in (("strong", "bold"), ("em", "it"), ("s", "no"), ("code", "a*b*"), ("pre", "*raw*")):
        await expect(said.locator(tag)).to_have_text(text)
    await expect(said.locator("blockquote")).to_have_text("quoted")
    assert await said.locator(".mention").all_text_contents() == ["@Bob Okafor", "#support", "@here"]
    await expect(said.get_by_role("img", name="lock")).to_be_visible()
    await expect(said).to_contain_text("2*3*4 snake_case_name")
    await expect(ada.last.locator("h2")).to_have_text("*not bold* `x` <@U0BOB>")


async def test_task_cards_fill_while_somebody_looks_on(desk: Desk) -> None:
    """Each with a state that has a name, its title as plain text; in the thread of the message that they answer."""

    def task(number: int, status: str) -> dict[str, str]:
        return {"type": "task_update", "id": f"t{number}", "title": f"{number} {HOSTILE}", "status": status}

    ts = await desk.post(text="It is running")
    ada = await desk.sits()
    where = {"channel": "C0GENERAL", "recipient_user_id": "U0ADA", "recipient_team_id": "T0COUNTER"}
    first = [{"type": "plan_update", "title": HOSTILE[:200]}, task(1, "in_progress"), task(2, "pending")]
    begun = await desk.calls.ok("chat.startStream", **where, thread_ts=ts, task_display_mode="plan", chunks=first)
    await ada.page.get_by_role("button", name="1 reply").click()
    plan = ada.page.locator(".block.plan")
    await expect(plan.get_by_role("img", name="going on")).to_have_count(1)
    at = {"channel": begun["channel"], "ts": begun["ts"]}
    await desk.calls.ok("chat.appendStream", **at, chunks=[task(1, "complete"), task(2, "error")])
    await expect(plan.get_by_role("img", name="done")).to_have_count(1)
    await expect(plan.get_by_role("img", name="failed")).to_have_count(1)
    await expect(plan.locator(".task .said").first).to_contain_text("1 <img src=x")
    assert await plan.locator("img, script").count() == 0


async def test_an_ephemeral_is_seen_by_one_and_can_be_dismissed(desk: Desk) -> None:
    """Bob never sees it; Ada does until she dismisses it."""
    ada, bob = await desk.sits(), await desk.sits("U0BOB")
    await desk.calls.ok("chat.postEphemeral", channel="C0GENERAL", user="U0ADA", text="psst")
    await desk.post(text="for all")
    await expect(bob.last).to_contain_text("for all")
    assert await bob.page.get_by_text("psst").count() == 0
    await expect(ada.page.get_by_text("Only visible to you")).to_be_visible()
    await ada.page.get_by_role("button", name="Dismiss").click()
    await expect(ada.page.get_by_text("psst", exact=True)).to_have_count(0)


async def test_a_change_is_seen_at_once_and_read_out(desk: Desk) -> None:
    """New, edited, deleted; a screen reader hears of what is new."""
    ada = await desk.sits()
    ts = await desk.post(text="first *words*")
    message = ada.page.locator(f'[data-ts="{ts}"]')
    await expect(message.locator(".badge")).to_have_text("APP")
    await expect(ada.page.locator("#news")).to_have_text("Countersign: first words")
    await desk.calls.ok("chat.update", channel="C0GENERAL", ts=ts, text="second")
    await expect(message).to_contain_text("second (edited)")
    await desk.calls.ok("chat.delete", channel="C0GENERAL", ts=ts)
    await expect(message).to_have_count(0)


# -- who and where


async def test_two_tabs_are_two_people(desk: Desk) -> None:
    """Each tab remembers its own person, also over a reload without the address, and shows who one is."""
    ada, bob = await desk.sits(), await desk.sits("U0BOB")
    for seat, name in ((ada, "Ada"), (bob, "Bob")):
        await seat.page.goto(desk.slack.url)
        await expect(seat.page.locator("[data-user][aria-pressed=true]")).to_contain_text(name)
    await bob.box.fill("I am Bob")
    await bob.box.press("Enter")
    await expect(ada.last).to_contain_text("Bob Okafor")
    await expect(ada.last).to_contain_text("I am Bob")


async def test_what_is_unread_is_counted_until_looked_at(desk: Desk) -> None:
    """In the list for oneself, and on the others for whoever plays them all."""
    ada = await desk.sits()
    await desk.post(channel="D0ADA", text="for Ada")
    await desk.post(channel="D0BOB", text="for Bob")
    direct = ada.page.locator('[data-channel="D0ADA"]')
    await expect(direct.locator(".count")).to_contain_text("1")
    await expect(ada.page.locator('[data-user="U0BOB"] .count')).to_contain_text("1")
    await direct.click()
    await expect(direct.locator(".count")).to_have_count(0)
    await ada.page.locator('[data-user="U0BOB"]').click()
    await expect(ada.page.locator('[data-channel="D0BOB"]')).to_have_attribute("aria-current", "page")
    await expect(ada.last).to_contain_text("for Bob")
    assert "user=U0BOB" in ada.page.url


async def test_the_app_has_a_home(desk: Desk) -> None:
    """Opening it tells the bot; what the bot publishes is there, with working controls."""
    ada = await desk.sits(more="&channel=D0ADA")
    await ada.page.get_by_role("tab", name="Home").click()
    await expect(ada.page.locator("#home")).to_contain_text("has not put anything here yet")
    view = {"type": "home", "blocks": [section("Your account"), actions(button("unlink"))]}
    await desk.calls.ok("views.publish", user_id="U0ADA", view=view)
    await ada.control("unlink").click()
    heard = await desk.listener.hears(3)
    assert [one.envelope["event"]["tab"] for one in heard[:2]] == ["messages", "home"]
    assert heard[2].payload["view"]["type"] == "home"


async def test_a_thread_opens_beside_the_conversation(desk: Desk) -> None:
    """Replies are counted in the conversation, read in the thread, and answered there."""
    root = await desk.slack.say("Bob", "C0GENERAL", "<@U0BOT> help")
    await desk.calls.ok("chat.postMessage", channel="C0GENERAL", text="How?", thread_ts=root)
    ada = await desk.sits()
    await ada.page.get_by_role("button", name="1 reply").click()
    thread = ada.page.get_by_role("complementary", name="Thread")
    await expect(thread).to_contain_text("How?")
    await thread.get_by_label("Reply", exact=True).fill("@Countersign like this")
    await thread.get_by_label("Reply", exact=True).press("Enter")
    await expect(thread.locator(".message").last).to_contain_text("like this")
    heard = await desk.listener.hears(2)
    assert heard[-1].envelope["event"]["thread_ts"] == root
    await ada.page.keyboard.press("Escape")
    await expect(thread).to_be_hidden()
    await expect(ada.page.get_by_role("button", name="2 replies")).to_be_focused()


# -- what one types


async def test_commands_are_completed_by_keyboard(desk: Desk) -> None:
    """Arrows choose, Tab takes, Escape declines, Enter takes what is unfinished and sends what is whole."""
    ada = await desk.sits()
    offers = ada.page.get_by_role("listbox")
    await ada.box.press_sequentially("/ag")
    await expect(offers.get_by_role("option")).to_have_count(1)
    await ada.box.press("Tab")
    await expect(ada.box).to_have_value("/agent ")
    await expect(offers.get_by_role("option")).to_have_count(3)
    await ada.box.press("ArrowDown")
    await ada.box.press("Enter")
    await expect(ada.box).to_have_value("/agent run refund_order ")
    await expect(ada.page.locator(".offers.note").first).to_contain_text("order_id=A-1001")
    await ada.box.fill("/agent sta")
    await ada.box.press("Escape")
    await expect(offers).to_be_hidden()
    await ada.box.press_sequentially("tus")
    await ada.box.press("Enter")
    (heard,) = await desk.listener.hears(1)
    assert (heard.form["command"], heard.form["text"], heard.form["user_id"]) == ("/agent", "status", "U0ADA")
    await expect(ada.box).to_have_value("")


async def test_people_are_completed_by_name(desk: Desk) -> None:
    """What is typed is a name, what is sent is a mention."""
    ada = await desk.sits()
    await ada.box.press_sequentially("ask @co")
    await ada.box.press("Enter")
    await expect(ada.box).to_have_value("ask @Countersign ")
    await ada.box.press_sequentially("and @bob")
    await ada.box.press("Enter")
    (heard,) = await desk.listener.hears(1)
    assert heard.envelope["event"]["text"] == "ask <@U0BOT> and <@U0BOB>"
    await expect(ada.last.locator(".mention").last).to_have_text("@Bob Okafor")


async def test_what_could_not_be_sent_is_given_back(desk: Desk) -> None:
    """The text is in the box again, and the page says why."""
    ada = await desk.sits()
    await ada.box.fill("x" * 40_001)
    await ada.box.press("Enter")
    await expect(ada.page.get_by_role("alert").filter(has_text="msg_too_long")).to_be_visible()
    assert len(await ada.box.input_value()) == 40_001
    ada.complaints.clear()
