"""Sign in with Slack: who is offered, who is sent back with what, and what is refused before anybody chooses."""

from __future__ import annotations

import hashlib
import hmac
import re

import aiohttp
import pytest

from bot.sandbox.slack import SECOND, SandboxSlack
from bot.sandbox.slack.authorize import may_return
from bot.sandbox.tenant import Browser, PageRefused
from tests.unit.bot.sandbox.slack.visitor import App, came_back


async def test_whoever_allows_goes_back_with_a_code(app: App) -> None:
    """And with the state, to the address that was asked for."""
    async with Browser() as browser:
        answer = came_back(await browser.sign_in(app.sign_in(), "T0COUNTER:U0ADA"))
    assert answer.keys() == {"code", "state"}
    assert answer["state"] == "the state"


async def test_whoever_cancels_goes_back_without_one(app: App) -> None:
    """Slack's word for it is access_denied."""
    async with Browser() as browser:
        answer = came_back(await browser.cancel(app.sign_in()))
    assert answer == {"error": "access_denied", "state": "the state"}


async def test_what_the_app_sent_comes_back_to_the_letter(app: App) -> None:
    """Signs that mean something in an address are kept apart; a state that was empty or missing stays so."""
    strange = "a&b=c#d%20e+ü"
    async with Browser() as browser:
        assert came_back(await browser.cancel(app.sign_in(state=strange)))["state"] == strange
        assert "state" not in came_back(await browser.cancel(app.sign_in(state=None)))
        assert (await browser.cancel(app.sign_in(state=""))).endswith("&state=")


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"client_id": None}, "invalid_client_id"),
        ({"client_id": "3333.4444"}, "invalid_client_id"),
        ({"redirect_uri": "https://evil.example/back"}, "did not match any configured URIs"),
        ({"redirect_uri": "http://127.0.0.1:99/back"}, "did not match any configured URIs"),
        ({"redirect_uri": "//evil.example"}, "did not match any configured URIs"),
        ({"redirect_uri": "javascript:alert(1)//"}, "did not match any configured URIs"),
        ({"scope": None}, "invalid_scope"),
        ({"scope": "email profile"}, "invalid_scope"),
        ({"scope": "openid chat:write"}, "invalid_scope"),
        ({"response_type": None}, "invalid_response_type"),
        ({"response_type": "token"}, "invalid_response_type"),
        ({"code_challenge": "short", "code_challenge_method": "S256"}, "invalid_code_challenge"),
        ({"code_challenge": "a" * 43}, "invalid_code_challenge"),
        ({"code_challenge": "a" * 43, "code_challenge_method": "plain"}, "invalid_code_challenge"),
    ],
)
async def test_a_request_that_is_not_in_order_goes_nowhere(
    app: App, changes: dict[str, str | None], words: str
) -> None:
    """The person is told, and the browser is sent to no address that the request named."""
    async with Browser() as browser:
        with pytest.raises(PageRefused) as refused:
            await browser.sign_in(app.sign_in(**changes), "T0COUNTER:U0ADA")
    assert refused.value.status == 400
    assert words in refused.value.text


async def test_an_address_is_shown_inert(app: App) -> None:
    """What the request said is text on the page and nothing else."""
    async with Browser() as browser:
        with pytest.raises(PageRefused) as refused:
            await browser.open(app.sign_in(redirect_uri="https://evil.example/<script>"))
    assert "&lt;script&gt;" in refused.value.text
    assert "<script" not in refused.value.text


@pytest.mark.parametrize(
    ("uri", "fits"),
    [
        ("https://app.example/slack", True),
        ("https://app.example/slack/", True),
        ("https://app.example/slack/back?x=1", True),
        ("https://app.example/", False),
        ("https://app.example/slackers", False),
        ("https://app.example/slack/../evil", False),
        ("https://app.example:8443/slack", False),
        ("http://app.example/slack", False),
        ("https://app.example.evil.example/slack", False),
        ("https://app.example@evil.example/slack", False),
        ("https://app.example/slack#x", False),
        ("", False),
    ],
)
def test_a_browser_returns_to_a_registered_address_or_under_it(uri: str, fits: bool) -> None:
    """As Slack documents it: the same scheme, host and port, and a path that begins with the registered one."""
    assert may_return(uri, ["https://other.example/x", "https://app.example/slack"]) is fits


async def test_without_an_address_the_first_registered_one_counts(app: App) -> None:
    """It may be left out; with none registered there is nowhere to go."""
    async with Browser() as browser:
        assert "code" in came_back(await browser.sign_in(app.sign_in(redirect_uri=None), "T0COUNTER:U0ADA"))
        app.slack.registration.redirect_uris = ()
        with pytest.raises(PageRefused):
            await browser.open(app.sign_in(redirect_uri=None))


async def test_everybody_who_is_active_is_offered(slack: SandboxSlack, app: App) -> None:
    """The people of the workspaces that are there; not whoever is deactivated."""
    slack.add_person("Mallory", team="T0OTHER")
    slack.add_person("Eve", deleted=True)
    async with Browser() as browser:
        page = (await browser.open(app.sign_in()))[1]
        assert offered(page) == ["T0COUNTER:U0ADA", "T0COUNTER:U0BOB", "T0COUNTER:U0CAROL", "T0OTHER:U0MALLORY"]
        slack.other(SECOND.id)
        page = (await browser.open(app.sign_in()))[1]
        assert offered(page)[-2:] == ["T0SECOND:U0BOB", "T0SECOND:U0DAN"]


async def test_a_workspace_can_be_asked_for(app: App) -> None:
    """Then only its people are offered, also where nobody had used it yet; an organization's count in each."""
    async with Browser() as browser:
        assert offered((await browser.open(app.sign_in(team="T0SECOND")))[1]) == ["T0SECOND:U0BOB", "T0SECOND:U0DAN"]
        assert offered((await browser.open(app.sign_in(team="T0SOUTH")))[1]) == ["T0SOUTH:U0EVE", "T0SOUTH:U0DAN"]
        assert offered((await browser.open(app.sign_in(team="T0NOWHERE")))[1])[0] == "T0COUNTER:U0ADA"


@pytest.mark.parametrize("hint", ["U0BOB", "u0bob", "BOB@example.com", "T0COUNTER:U0BOB"])
async def test_a_hint_chooses_beforehand(app: App, hint: str) -> None:
    """By id or address; the person still has to allow it."""
    async with Browser() as browser:
        page = (await browser.open(app.sign_in(login_hint=hint)))[1]
        assert chosen(page) == ["T0COUNTER:U0BOB"]
        assert chosen((await browser.open(app.sign_in(login_hint="nobody@example.com")))[1]) == []


async def test_whoever_is_not_on_the_page_cannot_be_chosen(slack: SandboxSlack, app: App) -> None:
    """A form that was filled in by hand, or that is older than the deactivation, gets nowhere."""
    slack.add_person("Eve", deleted=True)
    async with Browser() as browser:
        for person in ("T0COUNTER:U0EVE", "T0SECOND:U0DAN", "U0ADA", ""):
            _, status, _ = await browser.submit(app.sign_in(), person=person, action="accept")
            assert status == 400
        _, status, _ = await browser.submit(app.sign_in(), person="T0COUNTER:U0ADA")
        assert status == 400


async def test_the_page_is_one_form_that_anybody_can_read(app: App, http: aiohttp.ClientSession) -> None:
    """One form; each choice is labelled and grouped; nothing inline; the form may lead to the app and nowhere else."""
    async with http.get(app.sign_in()) as response:
        page, policy = await response.text(), response.headers["Content-Security-Policy"]
    assert page.count("<form ") == 1
    assert page.count("<legend>") == page.count("<fieldset>") == 1
    assert page.count("<label ") == page.count('type="radio"') == 3
    assert "<script" not in page
    assert " style=" not in page
    assert "form-action 'self' http://127.0.0.1:9" in policy
    assert "frame-ancestors 'none'" in policy


@pytest.mark.parametrize("wrong", ["no cookie", "computed without one", "another browser", "csrf", "request", "origin"])
async def test_a_form_that_its_page_did_not_send_is_refused(app: App, http: aiohttp.ClientSession, wrong: str) -> None:
    """Another site cannot let a browser sign in as whom it likes."""
    async with http.get(app.sign_in()) as response:
        cookie = response.cookies["sandbox-slack-visit"].value
        form = hidden(await response.text())
    fields = {**form, "person": "T0COUNTER:U0ADA", "action": "accept"}
    headers = {"Cookie": f"sandbox-slack-visit={cookie}", "Origin": app.slack.url}
    if wrong in ("no cookie", "computed without one"):
        del headers["Cookie"]
    if wrong == "computed without one":
        fields["csrf"] = hmac.new(b"", fields["request"].encode(), hashlib.sha256).hexdigest()
    if wrong == "another browser":
        headers["Cookie"] = "sandbox-slack-visit=another"
    if wrong == "csrf":
        fields["csrf"] = "0" * 64
    if wrong == "request":
        fields["request"] += "&nonce=another"
    if wrong == "origin":
        headers["Origin"] = "http://evil.example"
    async with http.post(
        f"{app.slack.url}/openid/connect/authorize", data=fields, headers=headers, allow_redirects=False
    ) as response:
        assert response.status == 403


async def test_the_page_answers_only_under_its_own_name(app: App, http: aiohttp.ClientSession) -> None:
    """A name of somebody else's that leads here (DNS rebinding) gets nothing, neither the page nor its form."""
    for ask in (http.get, http.post):
        async with ask(app.sign_in(), headers={"Host": "evil.example"}) as response:
            assert response.status == 403


async def test_looking_changes_nothing(app: App) -> None:
    """However often the page is fetched, there is no code until somebody allows it."""
    async with Browser() as browser:
        for _ in range(3):
            await browser.open(app.sign_in())
        assert came_back(await browser.sign_in(app.sign_in(), "T0COUNTER:U0BOB"))["code"]


def offered(page: str) -> list[str]:
    """The values of all choices, in order."""
    return re.findall(r'name="person" value="([^"]+)"', page)


def chosen(page: str) -> list[str]:
    """The values of what is chosen already."""
    return re.findall(r'name="person" value="([^"]+)" required checked', page)


def hidden(page: str) -> dict[str, str]:
    """The hidden fields."""
    found = re.findall(r'type="hidden" name="(\w+)" value="([^"]*)"', page)
    return {name: value.replace("&amp;", "&") for name, value in found}
