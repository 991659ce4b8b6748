"""`/u/mail`: where a person in the demo reads the codes."""

from __future__ import annotations

import re
from typing import Any

CODE = re.compile(r'class="code">(\d{6})<')


async def page_of(app: Any) -> str:
    """The mailbox's text."""
    async with app.http.get(app.tenant.mailbox_url) as answer:
        assert answer.status == 200
        assert answer.headers["Cache-Control"] == "no-store"
        assert "default-src 'none'" in answer.headers["Content-Security-Policy"]
        return await answer.text()


async def test_an_empty_mailbox_says_so(app: Any) -> None:
    """With a way to look again."""
    text = await page_of(app)
    assert "Nothing has been sent yet." in text
    assert 'href="/u/mail"' in text


async def test_the_newest_code_comes_first_and_older_ones_are_called_replaced(app: Any) -> None:
    """Of each address, and the address that got one last is on top."""
    for address in ("ada@example.com", "bob@example.com", "ada@example.com"):
        await app.start(address)
    text = await page_of(app)
    adas, bobs = ([mail.code for mail in app.tenant.mail(f"{one}@example.com")] for one in ("ada", "bob"))
    assert CODE.findall(text) == [adas[1], adas[0], bobs[0]]
    assert text.index("ada@example.com") < text.index("bob@example.com")
    assert text.count("replaced by a newer one") == 1


async def test_each_code_says_how_long_it_is_good(app: Any, clock: Any) -> None:
    """Then that it has expired."""
    await app.start()
    clock.forward(seconds=55)
    text = await page_of(app)
    assert "good for another 2 min 5 s" in text
    assert "55 s ago" in text
    clock.forward(seconds=125)
    assert "expired" in await page_of(app)


async def test_a_link_is_told_from_a_code(app: Any) -> None:
    """Whoever forgot to ask for a code sees it here."""
    await app.start(send=None)
    text = await page_of(app)
    assert CODE.findall(text) == []
    assert "A link to sign in, and no code" in text


async def test_what_comes_from_outside_is_shown_inert(app: Any) -> None:
    """An address and a link's parameters may hold anything that an address may."""
    await app.start(
        "'><b>&x@example.com".replace("<b>", "").replace(">", ""), send="link", authParams={"state": '"><b>'}
    )
    text = await page_of(app)
    assert "<b>" not in text
    assert "&#39;&amp;x@example.com" in text
