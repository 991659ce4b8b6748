"""Foreign text does nothing and hides nothing."""

from __future__ import annotations

import re
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from handlers.inert import escaped, inert

MARK = re.compile(r"⟨U\+([0-9A-F]{4,6})⟩")


def test_ordinary_text_stays_as_it_is() -> None:
    """Letters of any script, marks, signs, emoji and line breaks are shown as they were typed."""
    text = "Überweisung 12,50 € an שלום / 你好 & <b> *x* 👍\nzweite Zeile"
    assert inert(text) == text


@pytest.mark.parametrize(
    "letter",
    [
        "\u202e",
        "\u2066",
        "\u200b",
        "\u2060",
        "\ufeff",
        "\x00",
        "\x1b",
        "\r",
        "\t",
        "\u2028",
        "\u2029",
        "\ue000",
        "\ud800",
        "\u3164",
        "\u115f",
        "\u2800",
        "\u034f",
        "\ufe0f",
        "\U000e0100",
    ],
)
def test_what_deceives_the_eye_is_shown_by_its_code_point(letter: str) -> None:
    """Characters that reorder, hide or break lines become visible, one mark each."""
    assert inert(f"a{letter}b") == f"a⟨U+{ord(letter):04X}⟩b"


@given(st.text(st.characters()))
def test_nothing_is_lost(text: str) -> None:
    """Every text can be read back from what is shown, so it is shown whole."""
    assert MARK.sub(lambda mark: chr(int(mark[1], 16)), inert(text)) == text


def test_t50_a_mark_cannot_be_forged() -> None:
    """Text that looks like our mark is told from a real one (guard: `⟨` in _UNSEEN)."""
    assert inert("⟨U+202E⟩") != inert("\u202e")


@given(st.text(st.characters()))
def test_nothing_hidden_is_left(text: str) -> None:
    """No control, format, private or surrogate character gets through, and no line but by a line break."""
    left = {unicodedata.category(letter) for letter in inert(text) if letter != "\n"}
    assert not left & {"Cc", "Cf", "Co", "Cs", "Zl", "Zp"}


@given(st.text(st.characters()))
def test_escaped_text_has_no_markup(text: str) -> None:
    """No mention, link or entity can begin in it, and every formatting character is held apart from its text."""
    shown = escaped(text)
    assert not re.search(r"[<>]|&(?!amp;|lt;|gt;)", shown)
    assert not re.search(r"[*_~`@#:](?!\u2060)", shown)


def test_escaped_text_says_the_same() -> None:
    """A mention is shown as the text that it is."""
    assert escaped("<!channel> & <@U1>").replace("\u2060", "") == "&lt;!channel&gt; &amp; &lt;@U1&gt;"
