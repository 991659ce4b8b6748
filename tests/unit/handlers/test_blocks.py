"""Block Kit's parts keep to Slack's limits and lose nothing on the way."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.sandbox.slack import limits
from handlers import blocks

MARK = re.compile(r"⟨U\+([0-9A-F]{4,6})⟩")
ANY = st.text(st.characters()).map(lambda text: text.replace("⟨", "("))
SPACED = st.text(st.sampled_from(" \n\u3000ab\u202e"), max_size=400)


def unmarked(text: str) -> str:
    """What was there before its hidden characters were shown."""
    return MARK.sub(lambda mark: chr(int(mark[1], 16)), text)


@given(ANY | SPACED, st.integers(40, 120))
def test_passages_are_the_whole_text(text: str, most: int) -> None:
    """Joined and read back they are the text; each fits, and none has white space at an end that could be trimmed."""
    found = blocks.passages(text, most)
    assert unmarked("".join(found)) == text
    assert all(len(one) <= most for one in found)
    assert all(one == one.strip() for one in found)


def test_passages_end_between_words_letters_and_never_inside_a_mark() -> None:
    """A cut falls neither at white space nor inside a shown code point, so that joining the pieces gives the text."""
    text = "ab \u202e" * 500
    found = blocks.passages(text, 100)
    assert len(found) > 10
    assert all(one.count("⟨") == one.count("⟩") for one in found)
    assert "".join(found) == "ab ⟨U+202E⟩" * 500


def test_an_empty_text_is_one_empty_passage() -> None:
    """There is always something to show."""
    assert blocks.passages("") == [""]


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("ada@example.com", "`ada@example.com`"),
        ("a`b", "`aˋb`"),
        ("<!here>&", "`&lt;!here&gt;&amp;`"),
        ("two\nlines", "`two⟨U+000A⟩lines`"),
        ("", "_empty_"),
        ("  ", "_empty_"),
    ],
)
def test_code_keeps_every_character_and_ends_nowhere_else(text: str, shown: str) -> None:
    """An address can be copied as it is, and nothing inside ends the code or begins a mention."""
    assert blocks.code(text) == shown


def test_a_line_is_one_line_without_markup() -> None:
    """Foreign words in a sentence cannot begin a paragraph of their own."""
    assert blocks.line("a\n\n*b*  <!channel>").replace("\u2060", "") == "a *b* &lt;!channel&gt;"
    assert len(blocks.line("x" * 500, 50)) == 50


@pytest.mark.parametrize("tail", ["&amp;&amp;&amp;", "<!date^1893585600^{time}|12:00 UTC>"])
def test_cut_leaves_no_half_of_anything(tail: str) -> None:
    """Wherever the limit falls, no entity and no `<…>` is left open."""
    text = f"abc {tail}"
    for most in range(2, len(text)):
        shown = blocks.cut(text, most)
        assert len(shown) <= most
        assert not re.search(r"&(?!amp;)", shown)
        assert shown.count("<") == shown.count(">")


def test_a_time_is_the_readers_own_and_says_utc_otherwise() -> None:
    """Slack shows it in the reader's zone; the fallback is in UTC whatever zone it came in."""
    at = datetime(2030, 1, 2, 12, 5, tzinfo=UTC)
    assert blocks.moment(at) == "<!date^1893585900^{time}|12:05 UTC>"
    assert blocks.moment(at.astimezone(timezone(timedelta(hours=3)))) == blocks.moment(at)
    assert blocks.day(at) == "<!date^1893585900^{date_short_pretty} {time}|2030-01-02 12:05 UTC>"


def test_what_a_service_said_is_shown_as_text_alone() -> None:
    """A result is a preformatted block, inert, in elements that Slack takes, and visibly cut where it is too long."""
    (one,) = blocks.preformatted("<!channel>\u202e\n" * 2000)
    texts = [part["text"] for part in one["elements"][0]["elements"]]
    assert one["elements"][0]["type"] == "rich_text_preformatted"
    assert all(0 < len(text) <= 3000 for text in texts)
    assert "".join(texts).startswith("<!channel>⟨U+202E⟩\n")
    assert texts[-1].endswith("… (cut)")
    assert blocks.preformatted(" \n ") == []


def test_lists_end_where_slack_would_refuse() -> None:
    """Fifty blocks and the sum of all blocks are kept, and what is left out is counted."""
    few = blocks.listed(["x"] * 200, "{count} more", taken=1)
    assert len(few) == 49
    assert few[-1]["elements"][0]["text"] == "152 more"
    large = blocks.listed(["x" * 2900] * 20, "{count} more")
    assert blocks.together(large) <= blocks.MOST_TOGETHER
    assert large[-1]["elements"][0]["text"] == "16 more"
    assert limits.message_blocks(few)
    assert limits.message_blocks(large)
