"""What somebody typed, in Slack's markup (docs.slack.dev, "Formatting message text")."""

from __future__ import annotations

import re

from .state import Workspace
from .team import APP_NAME

_BROADCASTS = ("channel", "here", "everyone")
# An address ends before what more likely ends the sentence.
_MARKS = re.compile(r"(?P<url>https?://[^\s<>|]*[^\s<>|.,;:!?'\")\]])|(?<![\w&])(?P<sign>[@#])(?P<word>\w+)")


def encoded(text: str, workspace: Workspace) -> str:
    """The same text as an app gets it: `@Ada` becomes `<@U0ADA>`, `#support` a channel, an address a link."""
    text = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    names = {APP_NAME.lower(): workspace.team.bot_user} | {p.name: p.id for p in workspace.people.values()}
    rooms = {c.name: c.id for c in workspace.channels.values() if not c.is_im}

    def marked(found: re.Match[str]) -> str:
        if found["url"]:
            return f"<{found['url']}>"
        sign, word = found["sign"], found["word"].lower()
        if sign == "#":
            return f"<#{rooms[word]}|{word}>" if word in rooms else found[0]
        if word in names:
            return f"<@{names[word]}>"
        return f"<!{word}>" if word in _BROADCASTS else found[0]

    return _MARKS.sub(marked, text)
