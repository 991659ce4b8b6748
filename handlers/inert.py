"""Foreign text made harmless: it is shown whole, and does nothing.

In a `plain_text` object Slack interprets neither mrkdwn nor mentions (docs.slack.dev, "Text object"). What is left
are characters that deceive the eye: they reorder, hide or break lines. They are shown by their code point.
"""

from __future__ import annotations

import re
import unicodedata

_HIDDEN = {"Cc", "Cf", "Co", "Cs", "Zl", "Zp"}
_KEPT = {"\n"}
# Letters by their category, and yet nothing is seen of them (Unicode, Default_Ignorable_Code_Point; and the blank
# Braille pattern). The mark that we show code points with is itself shown so, or it could be forged.
_UNSEEN = re.compile(
    "[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u2800\u3164\ufe00-\ufe0f\uffa0\U000e0100-\U000e01ef⟨]"
)


def inert(text: str) -> str:
    """`text` with every control, format, private and line-breaking character but `\\n` shown as `⟨U+202E⟩`."""
    return "".join(f"⟨U+{ord(letter):04X}⟩" if _is_unseen(letter) else letter for letter in text)


def _is_unseen(letter: str) -> bool:
    if letter in _KEPT:
        return False
    return unicodedata.category(letter) in _HIDDEN or _UNSEEN.match(letter) is not None


def escaped(text: str) -> str:
    """`text` for the inside of mrkdwn: no mention, no link, no formatting (docs.slack.dev, "Formatting text")."""
    safe = inert(text).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    # A word joiner between a marker and its text keeps Slack from taking it for formatting.
    return "".join(f"{letter}\u2060" if letter in "*_~`@#:" else letter for letter in safe)
