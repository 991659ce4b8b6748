"""Foreign text made harmless: it is shown whole, and does nothing.

In a `plain_text` object Slack interprets neither mrkdwn nor mentions (docs.slack.dev, "Text object"). What is left
are characters that deceive the eye: they reorder, hide or break lines. They are shown by their code point.
"""

from __future__ import annotations

import unicodedata

_HIDDEN = {"Cc", "Cf", "Co", "Cs", "Zl", "Zp"}
_KEPT = {"\n"}


def inert(text: str) -> str:
    """`text` with every control, format, private and line-breaking character but `\\n` shown as `⟨U+202E⟩`."""
    return "".join(
        letter if letter in _KEPT or unicodedata.category(letter) not in _HIDDEN else f"⟨U+{ord(letter):04X}⟩"
        for letter in text
    )


def escaped(text: str) -> str:
    """`text` for the inside of mrkdwn: no mention, no link, no formatting (docs.slack.dev, "Formatting text")."""
    safe = inert(text).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    # A word joiner between a marker and its text keeps Slack from taking it for formatting.
    return "".join(f"{letter}\u2060" if letter in "*_~`@#:" else letter for letter in safe)


def pieces(text: str, most: int) -> list[str]:
    """`text` cut into pieces of at most `most` characters; joined they are the whole."""
    return [text[at : at + most] for at in range(0, len(text), most)] or [""]
