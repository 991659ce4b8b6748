"""The pages of a login, as a browser and whoever stands behind it see them."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from dataclasses import replace
from html.parser import HTMLParser
from http.cookies import SimpleCookie
from typing import Any

import pytest
from aiohttp import ClientResponse, ClientSession, web

from oauth import SlackProfile
from oauth.verify import LOGOUT_EVENT
from tests.fakes.house import ADA, ADA_MAIL, BOB, BOB_MAIL, EVE_MAIL, PEOPLE, PUBLIC_URL, House
from tests.fakes.provider import CLIENT_ID, ISSUER, SCOPES, sign

LOGIN, VISIT = "__Host-countersign", "__Host-countersign-visit"


class Page(HTMLParser):
    """What a browser makes of a page: its elements, and the text of those with an id."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.text = text
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.by_id: dict[str, str] = {}
        self._open: str | None = None
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Remember the element."""
        self.elements.append((tag, dict(attrs)))
        self._open = dict(attrs).get("id")

    def handle_data(self, data: str) -> None:
        """Remember the text."""
        if self._open:
            self.by_id.setdefault(self._open, data)

    def all(self, tag: str) -> list[dict[str, str | None]]:
        """The attributes of all elements of one kind."""
        return [attrs for name, attrs in self.elements if name == tag]

    @property
    def csrf(self) -> str:
        """The hidden field of the form."""
        return next(str(field["value"]) for field in self.all("input") if field["name"] == "csrf")


class Browser:
    """Cookies, and no redirects that it was not told to follow."""

    def __init__(self, address: str, session: ClientSession) -> None:
        self.address = address
        self.session = session
        self.cookies: dict[str, str] = {}

    async def send(self, method: str, path: str, **how: Any) -> ClientResponse:
        """One request; what is set and deleted is remembered."""
        headers = {"Cookie": "; ".join(f"{name}={value}" for name, value in self.cookies.items())}
        headers |= how.pop("headers", {})
        answer = await self.session.request(
            method, f"{self.address}{path}", headers=headers, allow_redirects=False, **how
        )
        await answer.read()
        for line in answer.headers.getall("Set-Cookie", []):
            for name, morsel in SimpleCookie(line).items():
                if morsel["max-age"] == "0":
                    self.cookies.pop(name, None)
                else:
                    self.cookies[name] = morsel.value
        return answer

    async def go_on(self, secret: str, **how: Any) -> ClientResponse:
        """Look at a link and press the button."""
        page = Page(await (await self.send("GET", f"/link/{secret}")).text())
        return await self.send("POST", f"/link/{secret}", data={"csrf": page.csrf}, **how)


class Site:
    """The pages, served on a port of their own."""

    def __init__(self, home: House, address: str, session: ClientSession) -> None:
        self.home = home
        self.address = address
        self.session = session

    def browser(self) -> Browser:
        """A browser without cookies."""
        return Browser(self.address, self.session)

    async def comes_back(self, browser: Browser, email: str, **query: str) -> ClientResponse:
        """The person signs in at the provider, which sends the browser back."""
        asked = self.home.provider.authorized[-1]
        url = f"{ISSUER}authorize?nonce={asked['nonce']}&code_challenge={asked['challenge']}"
        code = self.home.provider.sign_in(url, email)
        return await browser.send("GET", "/oauth/callback", params={"state": asked["state"], "code": code} | query)


@pytest.fixture
async def site(home: House) -> AsyncIterator[Site]:
    """The pages as they are behind https."""
    async for found in serve(home):
        yield found


async def serve(home: House) -> AsyncIterator[Site]:
    """The pages of a house."""
    app = web.Application()
    home.rooms.pages.add_to(app)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    async with ClientSession() as session:
        yield Site(home, f"http://127.0.0.1:{runner.addresses[0][1]}", session)
    await runner.cleanup()


def cookie_lines(answer: ClientResponse) -> dict[str, str]:
    """The attributes of each cookie that is set."""
    return {line.partition("=")[0]: line.lower() for line in answer.headers.getall("Set-Cookie", [])}


# the link page


async def test_t14_the_page_names_person_workspace_and_scopes(site: Site) -> None:
    """Before any login it is said whose link it is and what it allows; the only way on is one form, by POST."""
    page = Page(await (await site.browser().send("GET", f"/link/{await site.home.start()}")).text())
    assert all(text in page.text for text in ("Ada", "Corp", *SCOPES))
    assert [form.get("method") for form in page.all("form")] == ["post"]
    assert not [link for link in page.all("a") if "oauth" in str(link.get("href"))]


@pytest.mark.parametrize("method", ["GET", "HEAD"])
async def test_t11_fetching_a_link_consumes_nothing(site: Site, method: str) -> None:
    """Previews and scanners, twenty times over, leave every record as it was; then the person links."""
    secret = await site.home.start()
    before = site.home.store.dump()
    for _ in range(20):
        assert (await site.browser().send(method, f"/link/{secret}")).status == 200
    assert site.home.store.dump() == before
    browser = site.browser()
    await browser.go_on(secret)
    assert (await site.comes_back(browser, ADA_MAIL)).status == 200


async def test_a_whole_login_in_the_browser(site: Site) -> None:
    """From the link to the provider and back: the page says who acts as whom, and the login's cookie is gone."""
    browser = site.browser()
    answer = await browser.go_on(await site.home.start())
    assert answer.status == 303
    assert answer.headers["Location"].startswith(f"{ISSUER}authorize?")
    back = await site.comes_back(browser, ADA_MAIL)
    assert "You are linked" in await back.text()
    assert ADA_MAIL in await back.text()
    assert LOGIN not in browser.cookies
    assert await site.home.rooms.links.principal(ADA) is not None


async def test_the_code_is_on_the_page(site: Site) -> None:
    """Another address: the page shows whose account it is and the code, in the element that tests rely on."""
    browser = site.browser()
    await browser.go_on(await site.home.start())
    page = Page(await (await site.comes_back(browser, EVE_MAIL)).text())
    assert EVE_MAIL in page.text
    assert (await site.home.rooms.linking.enter_code(ADA, page.by_id["code"])).identity.email == EVE_MAIL


async def test_looking_again_does_not_disturb_a_login_under_way(site: Site) -> None:
    """A second tab with the same link, or another one, sets no cookie that the way back relies on."""
    browser, ada, bob = site.browser(), await site.home.start(ADA), await site.home.start(BOB)
    await browser.go_on(ada)
    for secret in (ada, bob):
        assert (await browser.send("GET", f"/link/{secret}")).status == 200
    assert "You are linked" in await (await site.comes_back(browser, ADA_MAIL)).text()


@pytest.mark.parametrize("state", ["expired", "superseded", "unlinked", "unknown", "used"])
async def test_t15_a_link_that_is_over_shows_the_way_onward(site: Site, state: str) -> None:
    """A page and not an error: what happened, and what to type in Slack."""
    home, browser = site.home, site.browser()
    secret = await home.start()
    match state:
        case "expired":
            home.clock.forward(minutes=10)
        case "superseded":
            await home.start()
        case "unlinked":
            await home.rooms.links.unlink(ADA, "unlink")
        case "unknown":
            secret = "unknown"
        case "used":
            await home.rooms.linking.returned(**await home.sign_in(secret, ADA_MAIL))
    for method in ("GET", "POST"):
        answer = await browser.send(method, f"/link/{secret}")
        assert answer.status in {410, 403}
        assert "<li>" in await answer.text()
        assert "<code>/agent link</code>" in await answer.text() or answer.status == 403
    assert home.provider.exchanges == (1 if state == "used" else 0)


# the way back


@pytest.mark.parametrize("cookie", [None, "somebody else's", "planted"])
async def test_t18_the_right_state_in_another_browser_is_refused(site: Site, cookie: str | None) -> None:
    """The cookie's comparison refuses it: no token call, one entry, and the right browser can still finish."""
    right, wrong = site.browser(), site.browser()
    if cookie == "somebody else's":
        await wrong.go_on(await site.home.start(BOB))
    elif cookie:
        wrong.cookies[LOGIN] = cookie
    await right.go_on(await site.home.start(ADA))
    answer = await site.comes_back(wrong, ADA_MAIL)
    assert answer.status == 403
    assert "another browser" in await answer.text()
    assert site.home.provider.exchanges == 0
    assert [e[2] for e in site.home.observer.entries() if e[0] == "link.refused"] == ["wrong_browser"]
    assert (await site.comes_back(right, ADA_MAIL)).status == 200


async def test_t19_an_answer_works_once(site: Site) -> None:
    """Reloaded, with the cookie put back, it is refused in plain words, and the link stays."""
    browser = site.browser()
    await browser.go_on(await site.home.start())
    kept = dict(browser.cookies)
    first = await site.comes_back(browser, ADA_MAIL)
    browser.cookies = kept
    again = await browser.send("GET", str(first.url.relative()))
    assert again.status == 400
    assert "This login is over" in await again.text()
    assert site.home.provider.exchanges == 1
    assert await site.home.rooms.links.principal(ADA) is not None


@pytest.mark.parametrize(
    "query",
    [
        f"&iss={ISSUER}&iss={ISSUER}", "&state=second", "&code=second", "&error=a&error=b", "&x=1&x=2",
        "&long=" + "x" * 4097,
    ],
)  # fmt: skip
async def test_t21_doubled_or_endless_parameters_stop_before_the_token_call(site: Site, query: str) -> None:
    """RFC 6749 section 3.1: nothing may come twice. The login is not spent by it."""
    browser = site.browser()
    await browser.go_on(await site.home.start())
    state = site.home.provider.authorized[-1]["state"]
    answer = await browser.send("GET", f"/oauth/callback?state={state}&code=c&iss={ISSUER}{query}")
    assert answer.status == 400
    assert site.home.provider.exchanges == 0
    assert (await site.comes_back(browser, ADA_MAIL, iss=ISSUER)).status == 200


async def test_t22_a_refusal_of_the_provider_is_a_page(site: Site) -> None:
    """HTML in what it sent is inert, and the same link can be used again."""
    browser, secret = site.browser(), await site.home.start()
    await browser.go_on(secret)
    state = site.home.provider.authorized[-1]["state"]
    evil = "<script>alert(1)</script>"
    answer = await browser.send(
        "GET", "/oauth/callback", params={"state": str(state), "error": evil, "error_description": evil}
    )
    page = Page(await answer.text())
    assert answer.status == 403
    assert not page.all("script")
    assert evil not in page.text
    await browser.go_on(secret)
    assert (await site.comes_back(browser, ADA_MAIL)).status == 200


@pytest.mark.parametrize(
    "query", ["", "?code=c", "?state=", "?state=%ED%A0%80&code=c", "?state=%00&code=c", "?state=%FF"]
)
async def test_t19_a_callback_out_of_nowhere_is_refused(site: Site, query: str) -> None:
    """Without a state, or with one that nobody began: one entry, no call."""
    answer = await site.browser().send("GET", f"/oauth/callback{query}")
    assert answer.status == 400
    assert site.home.observer.entries() == [("link.refused", "denied", "state_unknown")]
    assert site.home.provider.exchanges == 0


@pytest.mark.parametrize(
    "headers",
    [
        {"Host": "evil.example"}, {"X-Forwarded-Host": "evil.example"}, {"X-Forwarded-Proto": "http"},
        {"Forwarded": "host=evil.example"}, {"Referer": "https://evil.example/"},
    ],
)  # fmt: skip
async def test_t23_no_header_or_parameter_moves_an_address(site: Site, headers: dict[str, str]) -> None:
    """Where the browser is sent, and what the form is for, is fixed; `returnTo` means nothing."""
    browser, secret = site.browser(), await site.home.start()
    shown = await browser.send("GET", f"/link/{secret}?returnTo=https://evil.example", headers=headers)
    page = Page(await shown.text())
    answer = await browser.send(
        "POST", f"/link/{secret}?returnTo=https://evil.example", headers=headers, data={"csrf": page.csrf}
    )
    assert answer.status == 303
    assert answer.headers["Location"].startswith(f"{ISSUER}authorize?")
    assert "evil" not in page.text + answer.headers["Location"] + str(answer.headers)


async def test_t25_a_planted_cookie_is_rotated(site: Site) -> None:
    """What was there before the login is not what the login is tied to."""
    browser = site.browser()
    browser.cookies = {LOGIN: "planted", VISIT: "planted"}
    await browser.go_on(await site.home.start())
    assert "planted" not in browser.cookies.values()
    mallory = site.browser()
    mallory.cookies = {LOGIN: "planted", VISIT: "planted"}
    assert (await site.comes_back(mallory, ADA_MAIL)).status == 403
    first = browser.cookies[LOGIN]
    await browser.go_on(await site.home.start())
    assert browser.cookies[LOGIN] != first


# forms


@pytest.mark.parametrize(
    ("headers", "form"),
    [
        ({}, {}), ({}, {"csrf": ""}), ({}, {"csrf": "0" * 64}), ({}, {"csrf": "\u00e9"}),
        ({"Origin": "https://evil.example"}, None), ({"Origin": "http://bot.example"}, None),
        ({"Origin": "https://bot.example.evil.example"}, None), ({"Sec-Fetch-Site": "cross-site"}, None),
        ({"Sec-Fetch-Site": "same-site"}, None), ({"Cookie": ""}, None), ({"Cookie": f"{VISIT}=other"}, None),
    ],
)  # fmt: skip
async def test_t57_a_form_that_is_not_ours_is_refused(
    site: Site, headers: dict[str, str], form: dict[str, str] | None
) -> None:
    """Without the token, with another one, from another origin or without the cookie: 403, an entry, no login."""
    browser, secret = site.browser(), await site.home.start()
    page = Page(await (await browser.send("GET", f"/link/{secret}")).text())
    data = {"csrf": page.csrf} if form is None else form
    answer = await browser.send("POST", f"/link/{secret}", headers=headers, data=data)
    assert answer.status == 403
    assert site.home.provider.authorized == []
    assert site.home.observer.entries()[-1] == ("link.refused", "denied", "request_forged")
    assert site.home.observer.recorded[-1].slack == ADA


@pytest.mark.parametrize("origin", [PUBLIC_URL, "null", None])
async def test_t57_our_own_form_goes_through(site: Site, origin: str | None) -> None:
    """Browsers send our origin, none, or under `no-referrer` the word null."""
    headers = {"Origin": origin} if origin else {}
    answer = await site.browser().go_on(await site.home.start(), headers=headers | {"Sec-Fetch-Site": "same-origin"})
    assert answer.status == 303


async def test_t57_a_token_is_good_for_its_own_link(site: Site) -> None:
    """The token of one link does not open another in the same browser."""
    browser = site.browser()
    ada, bob = await site.home.start(ADA), await site.home.start(BOB)
    page = Page(await (await browser.send("GET", f"/link/{ada}")).text())
    assert (await browser.send("POST", f"/link/{bob}", data={"csrf": page.csrf})).status == 403


@pytest.mark.parametrize(
    "content_type", ["application/x-www-form-urlencoded; charset=nope", "multipart/form-data", "text/plain"]
)
@pytest.mark.parametrize("path", ["/link/{secret}", "/oauth/backchannel-logout"])
async def test_a_body_that_is_no_form_is_refused(site: Site, content_type: str, path: str) -> None:
    """An unknown charset or a broken multipart is the sender's mistake and no failure of ours."""
    secret = await site.home.start()
    answer = await site.browser().send(
        "POST", path.format(secret=secret), data=b"csrf=%FF&x", headers={"Content-Type": content_type}
    )
    assert answer.status in {400, 403}


async def test_of_several_posts_the_last_browser_owns_the_link(site: Site) -> None:
    """Two browsers with one link: the first one's answer is refused, the second one links."""
    first, second, secret = site.browser(), site.browser(), await site.home.start()
    await first.go_on(secret)
    asked = site.home.provider.authorized[-1]
    await second.go_on(secret)
    answer = await first.send("GET", "/oauth/callback", params={"state": str(asked["state"]), "code": "c"})
    assert answer.status == 400
    assert (await site.comes_back(second, ADA_MAIL)).status == 200


# headers and cookies


async def test_t55_every_page_is_guarded(site: Site) -> None:
    """Link, redirect, code, linked, refused and logout: the same headers on each."""
    browser, secret = site.browser(), await site.home.start()
    answers = [await browser.send("GET", f"/link/{secret}"), await browser.go_on(secret)]
    answers.append(await site.comes_back(browser, EVE_MAIL))
    answers += [await browser.send("GET", path) for path in ("/link/unknown", "/oauth/callback")]
    answers.append(await browser.send("POST", "/oauth/backchannel-logout"))
    for answer in answers:
        policy = answer.headers["Content-Security-Policy"]
        assert "default-src 'none'" in policy
        assert "frame-ancestors 'none'" in policy
        assert "base-uri 'none'" in policy
        assert "unsafe" not in policy
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert answer.headers["Referrer-Policy"] == "no-referrer"
        assert answer.headers["Cache-Control"] == "no-store"
        assert answer.headers["Strict-Transport-Security"].startswith("max-age=31536000")


async def test_t55_the_pages_need_nothing_inline(site: Site) -> None:
    """No script, no style attribute, nothing from elsewhere: what the policy forbids is not there."""
    browser, secret = site.browser(), await site.home.start()
    texts = [await (await browser.send("GET", f"/link/{secret}")).text()]
    await browser.go_on(secret)
    texts.append(await (await site.comes_back(browser, EVE_MAIL)).text())
    texts.append(await (await browser.send("GET", "/link/unknown")).text())
    for text in texts:
        page = Page(text)
        assert not page.all("script")
        assert not page.all("style")
        assert not [1 for _, attrs in page.elements if "style" in attrs or any(a.startswith("on") for a in attrs)]
        assert [link["href"] for link in page.all("link")] == ["/link-pages/mark.svg", "/link-pages/style.css"]
    for name, kind in (("style.css", "text/css"), ("mark.svg", "image/svg+xml")):
        answer = await browser.send("GET", f"/link-pages/{name}")
        assert (answer.status, answer.content_type) == (200, kind)
    for name in ("link.html", "..%2Froutes.py", "%2e%2e/routes.py", "stylexcss"):
        assert (await browser.send("GET", f"/link-pages/{name}")).status == 404


async def test_cookies_are_bound_to_the_host(site: Site) -> None:
    """On https: `__Host-`, Secure, HttpOnly, Lax, whole site, no domain."""
    browser, secret = site.browser(), await site.home.start()
    shown = await browser.send("GET", f"/link/{secret}")
    went_on = await browser.go_on(secret)
    for line in (cookie_lines(shown)[VISIT], cookie_lines(went_on)[LOGIN]):
        assert {"secure", "httponly", "samesite=lax", "path=/"} <= {part.strip() for part in line.split(";")}
        assert "domain" not in line


async def test_on_plain_http_cookies_are_plain(home: House) -> None:
    """On this machine alone: no prefix and no Secure, which browsers would refuse; and no HSTS."""
    plain = home.replica(public_url="http://127.0.0.1:8300")
    async for site in serve(plain):
        browser = site.browser()
        answer = await browser.go_on(await plain.start())
        line = cookie_lines(answer)["countersign"]
        assert {"httponly", "samesite=lax"} <= {part.strip() for part in line.split(";")}
        assert "secure" not in line
        assert "Strict-Transport-Security" not in answer.headers
        assert (await site.comes_back(browser, ADA_MAIL)).status == 200


async def test_t56_names_and_addresses_are_inert(site: Site) -> None:
    """A display name, a workspace and an e-mail full of HTML are shown as they are, and do nothing."""
    evil = "<img src=x onerror=alert(1)>\"'"
    started = await site.home.rooms.linking.start(ADA, SlackProfile(evil, evil, evil), fresh=True)
    secret = str(started.url).rpartition("/")[2]
    browser = site.browser()
    texts = [await (await browser.send("GET", f"/link/{secret}")).text()]
    await browser.go_on(secret)
    texts.append(await (await site.comes_back(browser, f"{evil}@corp.example")).text())
    for text in texts:
        assert "&lt;img src=x" in text
        assert not Page(text).all("img")


async def test_a_path_in_the_public_address_is_kept(home: House) -> None:
    """Behind a proxy under a path, the style sheet is asked for there."""
    nested = home.replica(public_url="https://bot.example/agent")
    async for site in serve(nested):
        text = await (await site.browser().send("GET", f"/link/{await nested.start()}")).text()
        assert 'href="/agent/link-pages/style.css"' in text


# when something is away


@pytest.mark.parametrize("what", ["store", "provider", "trail"])
async def test_t68_a_part_that_is_away_is_a_page_that_says_so(site: Site, what: str) -> None:
    """Database, provider or trail: 503, guarded, with nothing of the failure in it, and later it works."""
    browser, secret = site.browser(), await site.home.start()
    await browser.go_on(secret)
    home = site.home
    home.store.away, home.provider.away, home.observer.away = what == "store", what == "provider", what == "trail"
    answer = await site.comes_back(browser, ADA_MAIL)
    assert answer.status == 503
    assert "cannot be finished now" in await answer.text()
    assert answer.headers["Cache-Control"] == "no-store"
    home.store.away = home.provider.away = home.observer.away = False
    assert await home.rooms.links.principal(ADA) is None
    await browser.go_on(await home.start())
    assert (await site.comes_back(browser, ADA_MAIL)).status == 200


async def test_t17_the_page_says_that_the_account_is_taken(site: Site) -> None:
    """With what to do about it."""
    await site.home.link(ADA)
    browser = site.browser()
    started = await site.home.rooms.linking.start(BOB, replace(PEOPLE[BOB], email=ADA_MAIL), fresh=True)
    await browser.go_on(str(started.url).rpartition("/")[2])
    answer = await site.comes_back(browser, ADA_MAIL)
    assert answer.status == 409
    assert "linked already" in await answer.text()
    assert "/agent unlink" in await answer.text()


# back-channel logout


def logout_token(home: House, **changed: Any) -> str:
    """A logout token for Ada."""
    now = home.clock().timestamp()
    claims = {"iss": ISSUER, "sub": f"auth0|{ADA_MAIL}", "aud": CLIENT_ID, "iat": now, "exp": now + 120}
    return sign(claims | {"jti": "jti-1", "events": {LOGOUT_EVENT: {}}} | changed, typ="logout+jwt")


async def test_t32_a_logout_ends_the_link_and_is_answered(site: Site) -> None:
    """200 with nothing cached; the same token again is 400."""
    await site.home.link(ADA)
    await site.home.link(BOB)
    form = {"logout_token": logout_token(site.home)}
    answer = await site.browser().send("POST", "/oauth/backchannel-logout", data=form)
    assert (answer.status, answer.headers["Cache-Control"]) == (200, "no-store")
    assert [p.identity.email async for p in site.home.rooms.links.principals()] == [BOB_MAIL]
    assert (await site.browser().send("POST", "/oauth/backchannel-logout", data=form)).status == 400


@pytest.mark.parametrize("form", [{}, {"logout_token": ""}, {"logout_token": "x"}, {"logout_token": "a.b.c"}])
async def test_t32_what_is_no_logout_token_is_400(site: Site, form: dict[str, str]) -> None:
    """Nothing, nonsense, a file in its place."""
    await site.home.link(ADA)
    answer = await site.browser().send("POST", "/oauth/backchannel-logout", data=form)
    assert answer.status == 400
    assert (await answer.json())["error"] == "invalid_request"
    assert await site.home.rooms.links.principal(ADA) is not None


@pytest.mark.parametrize("what", ["store", "trail", "keys"])
async def test_t32_a_logout_that_could_not_be_done_is_sent_again(home: House, what: str) -> None:
    """503 while a part is away, and the same token works afterwards."""
    await home.link(ADA)
    async for site in serve(home.replica()):
        home.store.away, home.observer.away = what == "store", what == "trail"
        home.provider.away_for_keys = what == "keys"
        form = {"logout_token": logout_token(home)}
        assert (await site.browser().send("POST", "/oauth/backchannel-logout", data=form)).status == 503
        home.store.away = home.observer.away = home.provider.away_for_keys = False
        home.clock.forward(seconds=6)
        assert (await site.browser().send("POST", "/oauth/backchannel-logout", data=form)).status == 200
    assert await home.rooms.links.principal(ADA) is None


async def test_t78_no_secret_reaches_a_page_or_a_log(site: Site, capsys: pytest.CaptureFixture[str]) -> None:
    """Tokens, verifier and nonce of a login that breaks off are nowhere to be read."""
    browser = site.browser()
    await browser.go_on(await site.home.start())
    nonce, verifier = site.home.opened(ADA, "login")
    site.home.observer.away = True
    text = await (await site.comes_back(browser, ADA_MAIL)).text()
    shown = text + "".join(capsys.readouterr())
    grant = site.home.provider.grants[0]
    assert not [s for s in (nonce, verifier, grant.current, browser.cookies[LOGIN]) if re.search(re.escape(s), shown)]
