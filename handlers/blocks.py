"""Block Kit's parts, within the limits that Slack has (docs.slack.dev, "Blocks", "Composition objects").

Foreign text goes into `plain_text` or through `code` and `line`; mrkdwn is written here and by the cards alone.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Any

from handlers.inert import escaped, inert
from handlers.message import Block

MOST_BLOCKS = 50
# Slack adds up all blocks of a message with their JSON and refuses more than some 13,200 characters with
# `msg_blocks_too_long`; no document says so (slackapi/bolt-js issues 2509 and 2867).
MOST_TOGETHER = 13_000
SECTION = 3000
_HEADER = 150
_FIELDS = 10
_RESULT = 6000
_EDGE = len("⟨U+000000⟩")
_SEARCHED = 200


def plain(text: str) -> Block:
    """Text in which nothing is interpreted; `text` must be inert already."""
    return {"type": "plain_text", "text": text, "emoji": False}


def mrkdwn(text: str) -> Block:
    """Our own markup. `verbatim` keeps Slack from making links and mentions out of what only looks like them."""
    return {"type": "mrkdwn", "text": text, "verbatim": True}


def header(text: str) -> Block:
    """A heading, cut to what fits."""
    return {"type": "header", "text": plain(short(inert(text), _HEADER))}


def section(text: str) -> Block:
    """A paragraph of mrkdwn."""
    return {"type": "section", "text": mrkdwn(cut(text, SECTION))}


def paragraph(text: str) -> Block:
    """A paragraph of plain text, inert already."""
    return {"type": "section", "text": plain(text)}


def context(text: str) -> Block:
    """Small print in mrkdwn."""
    return {"type": "context", "elements": [mrkdwn(cut(text, SECTION))]}


def fields(texts: Sequence[Block]) -> list[Block]:
    """Text objects in two columns, in as many sections as they need."""
    return [{"type": "section", "fields": list(texts[at : at + _FIELDS])} for at in range(0, len(texts), _FIELDS)]


def buttons(*elements: Block) -> Block:
    """A row of buttons."""
    return {"type": "actions", "elements": list(elements)}


def button(action_id: str, label: str, *, style: str | None = None, **more: Any) -> Block:
    """A button; `more` is its `value`, `url` or `confirm`."""
    made: Block = {"type": "button", "action_id": action_id, "text": plain(label)} | more
    return made | ({"style": style} if style else {})


def preformatted(text: str) -> list[Block]:
    """What a service said, inert and in a fixed pitch; nothing for an empty text. Long texts are cut, visibly."""
    shown = inert(text).strip("\n")
    if not shown.strip():
        return []
    if len(shown) > _RESULT:
        shown = f"{shown[:_RESULT]}\n… (cut)"
    inside = [{"type": "text", "text": shown[at : at + SECTION]} for at in range(0, len(shown), SECTION)]
    return [{"type": "rich_text", "elements": [{"type": "rich_text_preformatted", "elements": inside}]}]


def passages(text: str, most: int = SECTION) -> list[str]:
    """`text` inert and whole, in pieces of at most `most` characters.

    White space at an end of a piece might be trimmed, so pieces end elsewhere where they can; where they cannot, and
    at the ends of the text, the outermost white space is shown by its code point.
    """
    rest, found = inert(text), []
    while len(rest) > most - 2 * _EDGE:
        at = _cut_at(rest, most - 2 * _EDGE)
        found.append(_edged(rest[:at]))
        rest = rest[at:]
    return [*found, _edged(rest)] if rest or not found else found


def code(text: str) -> str:
    """Foreign text in mrkdwn's fixed pitch, character by character."""
    safe = inert(text).replace("\n", "⟨U+000A⟩").replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return f"`{safe.replace('`', 'ˋ')}`" if safe.strip() else "_empty_"


def line(text: str, most: int = 200) -> str:
    """Foreign text as part of a sentence in mrkdwn: one line, cut to `most` characters."""
    return escaped(short(" ".join(text.split()), most))


def short(text: str, most: int) -> str:
    """`text`, or its beginning and an ellipsis."""
    return text if len(text) <= most else f"{text[: most - 1]}…"


def cut(text: str, most: int) -> str:
    """Safe mrkdwn, shortened without leaving half an entity or half a `<…>`."""
    if len(text) <= most:
        return text
    kept = text[: most - 1]
    for opening, closing in (("<", ">"), ("&", ";")):
        if kept.rfind(opening) > kept.rfind(closing):
            kept = kept[: kept.rfind(opening)]
    return f"{kept}…"


def moment(at: datetime, shape: str = "{time}") -> str:
    """A time in the reader's own zone (docs.slack.dev, "Formatting text", dates)."""
    at = at.astimezone(UTC)
    stated = f"{at:%H:%M} UTC" if shape == "{time}" else f"{at:%Y-%m-%d %H:%M} UTC"
    return f"<!date^{int(at.timestamp())}^{shape}|{stated}>"


def day(at: datetime) -> str:
    """A day and a time in the reader's own zone."""
    return moment(at, "{date_short_pretty} {time}")


def together(blocks: Iterable[Block]) -> int:
    """How much of `MOST_TOGETHER` these blocks take."""
    return len(json.dumps(list(blocks), ensure_ascii=False, separators=(",", ":")))


def listed(paragraphs: Sequence[str], left_out: str, taken: int = 0) -> list[Block]:
    """Paragraphs of mrkdwn as sections. `left_out` (with `{count}`) is said if some do not fit; `taken` is what else
    the message holds, in blocks and in hundreds of characters."""
    made: list[Block] = []
    used = 200 + 100 * taken
    for number, text in enumerate(paragraphs):
        one = section(text)
        used += together([one])
        if len(made) >= MOST_BLOCKS - taken - 1 or used > MOST_TOGETHER:
            return [*made, context(left_out.format(count=len(paragraphs) - number))]
        made.append(one)
    return made


def _cut_at(text: str, most: int) -> int:
    for at in range(most, max(most - _SEARCHED, 1), -1):
        in_mark = text.rfind("⟨", max(at - _EDGE, 0), at) > text.rfind("⟩", max(at - _EDGE, 0), at)
        if not (text[at - 1].isspace() or text[at].isspace() or in_mark):
            return at
    return most


def _edged(text: str) -> str:
    if not text:
        return text
    first, last = _visible(text[0]), _visible(text[-1])
    return first if len(text) == 1 else f"{first}{text[1:-1]}{last}"


def _visible(letter: str) -> str:
    return f"⟨U+{ord(letter):04X}⟩" if letter.isspace() else letter
