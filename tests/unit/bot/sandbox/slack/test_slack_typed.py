"""What somebody types, as an app gets it."""

from __future__ import annotations

import pytest

from bot.sandbox.slack.state import Workspace
from bot.sandbox.slack.typed import encoded


@pytest.mark.parametrize(
    ("typed", "sent"),
    [
        ("hello", "hello"),
        ("@Ada", "<@U0ADA>"),
        ("(@bob), @CAROL's", "(<@U0BOB>), <@U0CAROL>'s"),
        ("@Countersign do it", "<@U0BOT> do it"),
        ("@nobody #nowhere", "@nobody #nowhere"),
        ("mail ada@ada now", "mail ada@ada now"),
        ("see #general", "see <#C0GENERAL|general>"),
        ("@channel and @here", "<!channel> and <!here>"),
        ("a < b && b > c", "a &lt; b &amp;&amp; b &gt; c"),
        ("<@U0BOB>", "&lt;<@U0BOB>&gt;".replace("<@U0BOB>", "@U0BOB")),
        ("see https://example.com/a?b=1&c=2.", "see <https://example.com/a?b=1&amp;c=2>."),
        ("(http://example.com/x)", "(<http://example.com/x>)"),
        ("https://example.com/@ada", "<https://example.com/@ada>"),
        ("javascript:alert(1)", "javascript:alert(1)"),
    ],
)
def test_mentions_places_and_addresses_are_marked(typed: str, sent: str) -> None:
    """And whatever could be taken for a mark is encoded, so that nobody can type one."""
    assert encoded(typed, Workspace()) == sent
