"""No page of the product is missing in the table."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from oauth import IdentityError
from oauth.accounts.words import words_for as words_of_accounts
from oauth.step_up.words import words_for as words_of_step_ups
from oauth.words import words_for
from tests.browser.pages.table import PAGES

ROOT = Path(__file__).parents[3]
FOLDERS = ("oauth", "handlers", "bot")


def templates() -> dict[str, str]:
    """The templates that people get to see, by name: not the sandbox's, and not those that others are built on."""
    found = {
        path.name: path.read_text(encoding="utf-8")
        for folder in FOLDERS
        for path in (ROOT / folder).rglob("pages/*.html")
        if "sandbox" not in path.parts
    }
    parts = {
        name for text in found.values() for name in re.findall(r'{% (?:extends|include|import|from) "([^"]+)"', text)
    }
    return {name: text for name, text in found.items() if name not in parts}


def refusals(of: type[IdentityError] = IdentityError) -> Iterator[IdentityError]:
    """An error of each class."""
    for kind in of.__subclasses__():
        yield kind.__new__(kind)
        yield from refusals(kind)


def test_every_template_is_in_the_table() -> None:
    """Whoever adds a template gets its page looked at, or this fails."""
    assert {shown.template for shown in PAGES} == set(templates())


def test_every_page_of_the_table_comes_from_its_template() -> None:
    """The heading by which a page is known is one that its template makes."""
    for shown in PAGES:
        text = templates()[shown.template]
        heading = re.search("<h1[^>]*>(.*?)</h1>", text, re.DOTALL)
        assert heading is not None
        pattern = "".join(".+" if "{{" in part else re.escape(part) for part in re.split("({{.*?}})", heading[1]))
        assert re.fullmatch(pattern, shown.heading), shown.name


def test_everything_that_a_refusal_may_say_is_in_the_table() -> None:
    """Each heading that an error can have on a page is seen."""
    said = {words(error).title for error in refusals() for words in (words_for, words_of_accounts, words_of_step_ups)}
    assert said - {shown.heading for shown in PAGES} == set()


def test_names_are_used_once() -> None:
    """A name is a test's id and a picture's file."""
    names = [shown.name for shown in PAGES]
    assert sorted(set(names)) == sorted(names)
