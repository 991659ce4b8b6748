"""Forms that are not ours, headers, and made-up addresses of browsers, at the pages of a login by code."""

from __future__ import annotations

from ipaddress import ip_network

import pytest

from tests.conftest import HandClock
from tests.fakes.browser import VISIT, Page, Site, cookie_lines, serve
from tests.fakes.house import ADA, ADA_MAIL, PUBLIC_URL, House
from tests.fakes.own_login import own_login
from tests.fakes.typist import Typist, typist


@pytest.fixture
def home(clock: HandClock) -> House:
    """An empty house that takes codes on its own page."""
    return own_login(clock, trusted_proxies=(ip_network("127.0.0.0/8"),))


async def test_t55_the_link_is_in_no_address(site: Site) -> None:
    """Neither where the browser is sent nor in what the page links to (guard: the redirect of `EmbeddedPages.send`)."""
    ada, secret = typist(site), await site.home.start()
    await ada.opens(f"/link/{secret}")
    answer = await ada.browser.send("POST", f"/link/{secret}", data=ada.fields | {"way": "email", "email": ADA_MAIL})
    assert (answer.status, answer.headers["Location"]) == (303, f"{PUBLIC_URL}/link/code")
    await ada.opens("/link/code")
    addresses = [one.get(name) for _, one in ada.page.elements for name in ("href", "action", "src")]
    assert not [address for address in addresses if address and secret in address]
    for line in cookie_lines(answer).values():
        assert {"secure", "httponly", "samesite=lax", "path=/"} <= {part.strip() for part in line.split(";")}


async def test_t55_the_pages_are_guarded(site: Site) -> None:
    """The same headers as on every page, and nothing inline (guard: `Site.guarded`)."""
    ada, secret = typist(site), await site.home.start()
    answers = [await ada.asks(secret, "none"), await ada.asks(secret, ADA_MAIL), await ada.types("000000")]
    answers += [await ada.chooses("again"), await ada.chooses("provider")]
    for answer in answers:
        policy = answer.headers["Content-Security-Policy"]
        assert "default-src 'none'" in policy
        assert "frame-ancestors 'none'" in policy
        assert "unsafe" not in policy
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert answer.headers["Referrer-Policy"] == "no-referrer"
        assert answer.headers["Cache-Control"] == "no-store"
        assert answer.headers["Strict-Transport-Security"].startswith("max-age=31536000")
        page = Page(await answer.text())
        assert {script["src"] for script in page.all("script")} <= {"/link-pages/leave.js"}
        assert not [1 for _, attrs in page.elements if "style" in attrs or any(a.startswith("on") for a in attrs)]


@pytest.mark.parametrize(
    ("headers", "csrf"),
    [
        ({}, None), ({}, ""), ({}, "0" * 64), ({}, "\u00e9"), ({"Origin": "https://evil.example"}, "own"),
        ({"Sec-Fetch-Site": "cross-site"}, "own"), ({"Sec-Fetch-Site": "same-site"}, "own"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("way", ["code", "again", "provider"])
async def test_t57_a_form_that_is_not_ours_is_refused(
    site: Site, headers: dict[str, str], csrf: str | None, way: str
) -> None:
    """Without the token, with another one or from another origin: 403, an entry, and nothing is asked of the provider
    (guard: `EmbeddedPages._own`)."""
    ada, home = typist(site), site.home
    await ada.asks(await home.start(), ADA_MAIL)
    if csrf != "own":
        ada.fields = {name: value for name, value in ada.fields.items() if name != "csrf"}
        ada.fields |= {"csrf": csrf} if csrf is not None else {}
    before = home.store.dump()
    data = ada.fields | {"way": way, "otp": home.provider.mails[-1][1]}
    answer = await ada.browser.send("POST", "/link/code", data=data, headers=headers)
    assert answer.status == 403
    assert home.observer.entries()[-1] == ("link.refused", "denied", "request_forged")
    assert home.observer.recorded[-1].slack == ADA
    assert (len(home.provider.asked), home.provider.tried, home.provider.authorized) == (1, [], [])
    assert home.store.dump() == before


@pytest.mark.parametrize("headers", [{"Origin": "https://evil.example"}, {"Cookie": ""}, {"Cookie": f"{VISIT}=other"}])
async def test_t57_a_forged_wish_for_a_code_is_refused(site: Site, headers: dict[str, str]) -> None:
    """The link page's own guard holds for this button as well: no mail is sent (guard: `own_form` in `Pages.go_on`)."""
    ada, secret = typist(site), await site.home.start()
    await ada.opens(f"/link/{secret}")
    data = ada.fields | {"way": "email", "email": ADA_MAIL}
    assert (await ada.browser.send("POST", f"/link/{secret}", data=data, headers=headers)).status == 403
    assert site.home.provider.asked == []


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"", 403),
        (b"otp=123456", 403),
        (b"link=&otp=123456&csrf=x", 403),
        (b"\xff\xfe", 403),
        (b"link=%FF", 410),
        (b"link=unknown", 410),
    ],
)
async def test_t57_a_form_about_no_link_is_refused(site: Site, body: bytes, status: int) -> None:
    """It names nobody, so the entry names nobody (guard: the look at `link` in `EmbeddedPages._form`)."""
    ada = typist(site)
    await ada.asks(await site.home.start(), ADA_MAIL)
    answer = await ada.browser.send(
        "POST", "/link/code", data=body, headers={"Content-Type": "application/x-www-form-urlencoded"}
    )
    assert answer.status == status
    assert site.home.observer.entries()[-1][0] == "link.refused"
    assert site.home.observer.recorded[-1].slack is None
    assert site.home.provider.tried == []


async def test_a_file_in_place_of_a_field_is_no_text(site: Site) -> None:
    """A multipart form can hold files under any name."""
    ada, secret = typist(site), await site.home.start()
    await ada.opens(f"/link/{secret}")
    boundary = "x"
    parts = [("csrf", ada.fields["csrf"], ""), ("way", "email", ""), ("email", ADA_MAIL, '; filename="a.txt"')]
    body = "".join(
        f'--{boundary}\r\nContent-Disposition: form-data; name="{name}"{more}\r\n\r\n{value}\r\n'
        for name, value, more in parts
    )
    headers = {"Content-Type": f"multipart/form-data; boundary={boundary}"}
    answer = await ada.browser.send("POST", f"/link/{secret}", data=f"{body}--{boundary}--\r\n", headers=headers)
    assert answer.status == 400
    assert site.home.provider.asked == []


async def forwarded(ada: Typist, secret: str, line: str) -> None:
    """A login by code whose requests came through a proxy."""
    headers = {"X-Forwarded-For": line}
    await ada.asks(secret, ADA_MAIL, headers=headers)
    await ada.types("000000", headers=headers)


async def test_t77_the_provider_hears_of_the_browser(site: Site) -> None:
    """Both calls carry its address as our own proxy saw it, whatever the browser wrote before (guard: `browser_of` in
    `EmbeddedPages`)."""
    await forwarded(typist(site), await site.home.start(), "198.51.100.1, 203.0.113.7")
    provider = site.home.provider
    assert (provider.asked[-1][1], provider.tried[-1][2]) == ("203.0.113.7", "203.0.113.7")


async def test_t77_without_proxies_a_forwarded_address_is_made_up(home: House) -> None:
    """Then the one who connects is the browser."""
    async for site in serve(home.replica(embedded_login=True)):
        await forwarded(typist(site), await home.start(), "198.51.100.1")
        assert (home.provider.asked[-1][1], home.provider.tried[-1][2]) == ("127.0.0.1", "127.0.0.1")
