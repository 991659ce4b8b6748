"""Forms that are not ours, headers, cookies, and HTML in names: what a page must withstand."""

from __future__ import annotations

import pytest

from oauth import SlackProfile
from tests.fakes.browser import LOGIN, VISIT, Page, Site, cookie_lines, serve
from tests.fakes.house import ADA, ADA_MAIL, BOB, EVE_MAIL, PUBLIC_URL, House


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
    """Without the token, with another one, from another origin or without the cookie: 403, an entry, no login (guards:
    `Origin`, `Sec-Fetch-Site`, the visit's cookie and `compare_digest` of the token in `Site.own_form`)."""
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
    """Browsers send our origin, none, or under `no-referrer` the word null (guard: the list in `Site.own_form`, which
    must hold all three)."""
    headers = {"Origin": origin} if origin else {}
    answer = await site.browser().go_on(await site.home.start(), headers=headers | {"Sec-Fetch-Site": "same-origin"})
    assert answer.status == 303


async def test_t57_a_token_is_good_for_its_own_link(site: Site) -> None:
    """The token of one link does not open another in the same browser (guard: `about` in `csrf`)."""
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
    """Link, redirect, code, linked, refused, sent anew and logout: the same headers on each (guard: `Site.guarded`)."""
    browser, secret = site.browser(), await site.home.start()
    answers = [await browser.send("GET", f"/link/{secret}"), await browser.go_on(secret)]
    answers.append(await site.comes_back(browser, EVE_MAIL))
    answers.append(await browser.go_on(secret))
    answers.append(await site.comes_back(browser, ADA_MAIL))
    answers += [await browser.send("GET", path) for path in ("/link/unknown", "/link", "/oauth/callback")]
    over = Page(await answers[-2].text())
    answers.append(await browser.send("POST", f"/link/{secret}/again", data={"csrf": over.csrf}))
    answers.append(await browser.send("POST", "/oauth/backchannel-logout"))
    assert [answer.status for answer in answers] == [200, 303, 200, 303, 200, 410, 410, 400, 200, 400]
    for answer in answers:
        policy = dict(part.split(maxsplit=1) for part in answer.headers["Content-Security-Policy"].split("; "))
        assert policy["default-src"] == policy["frame-ancestors"] == policy["base-uri"] == "'none'"
        assert policy["script-src"] == policy["style-src"] == policy["img-src"] == "'self'"
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert answer.headers["Referrer-Policy"] == "no-referrer"
        assert answer.headers["Cache-Control"] == "no-store"
        assert answer.headers["Strict-Transport-Security"].startswith("max-age=31536000")


async def test_t55_the_pages_need_nothing_inline(site: Site) -> None:
    """No inline script, no style attribute, nothing from elsewhere: what the policy forbids is not there (guard: the
    templates, whose script and style are files)."""
    browser, secret = site.browser(), await site.home.start()
    texts = [await (await browser.send("GET", f"/link/{secret}")).text()]
    await browser.go_on(secret)
    texts.append(await (await site.comes_back(browser, EVE_MAIL)).text())
    texts.append(await (await browser.send("GET", "/link/unknown")).text())
    for text in texts:
        page = Page(text)
        assert {script["src"] for script in page.all("script")} <= {"/link-pages/leave.js"}
        assert not page.all("style")
        assert not [1 for _, attrs in page.elements if "style" in attrs or any(a.startswith("on") for a in attrs)]
        assert [link["href"] for link in page.all("link")] == ["/link-pages/mark.svg", "/link-pages/style.css"]
    kinds = {"style.css": "text/css", "mark.svg": "image/svg+xml", "leave.js": "text/javascript"}
    for name, kind in kinds.items():
        answer = await browser.send("GET", f"/link-pages/{name}")
        assert (answer.status, answer.content_type) == (200, kind)
    for name in ("link.html", "..%2Froutes.py", "%2e%2e/routes.py", "stylexcss"):
        assert (await browser.send("GET", f"/link-pages/{name}")).status == 404


async def test_t55_the_page_loads_again_without_its_link(site: Site) -> None:
    """The link leaves the address bar, and reloading still shows the page of the link looked at last (guard: the
    script of link.html, and the cookie of `Site.visit`)."""
    browser, secret = site.browser(), await site.home.start()
    shown = Page(await (await browser.send("GET", f"/link/{secret}")).text())
    assert [script["data-to"] for script in shown.all("script")] == ["/link"]
    again = await browser.send("GET", "/link")
    page = Page(await again.text())
    assert again.status == 200
    assert [form["action"] for form in page.all("form")] == [f"/link/{secret}"]
    assert (await browser.send("POST", f"/link/{secret}", data={"csrf": page.csrf})).status == 303
    assert (await site.browser().send("GET", "/link")).status == 410


async def test_cookies_are_bound_to_the_host(site: Site) -> None:
    """On https: `__Host-`, Secure, HttpOnly, Lax, whole site, no domain."""
    browser, secret = site.browser(), await site.home.start()
    shown = await browser.send("GET", f"/link/{secret}")
    went_on = await browser.go_on(secret)
    for line in (*cookie_lines(shown).values(), cookie_lines(went_on)[LOGIN]):
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
    """A display name, a workspace and an e-mail full of HTML are shown as they are, and do nothing (guard: `autoescape`
    in `_templates`)."""
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
