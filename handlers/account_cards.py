"""Messages about a person's account at a third party, which is connected through the identity provider."""

from __future__ import annotations

from datetime import datetime

from handlers.blocks import button, buttons, code, context, line, moment, section
from handlers.message import Message

ACCOUNT_CONNECT = "account.connect"

_NAME = 100
_MOST = 20


def your_account(connection: str) -> str:
    """The person's own account there, in mrkdwn."""
    return f"your {code(connection[:_NAME])} account"


def connect_card(
    url: str, expires_at: datetime, team_name: str, connection: str, scopes: frozenset[str], acting_as: str
) -> Message:
    """The way to connect it. For direct messages alone; the fallback text does not hold the link.

    `acting_as` is the account that the person is linked to, which the other one will belong to.
    """
    account = your_account(connection)
    return Message(
        f"Connect {account} so that I can go on. The link is in this message.",
        (
            section(
                f"*Connect {account}*\n"
                f"What you asked for in {line(team_name, 100)} needs it. Sign in once more as "
                f"{code(acting_as[:320])}, then allow it there. {_asks(scopes)}After that I go on by myself."
            ),
            buttons(button(ACCOUNT_CONNECT, "Connect the account", style="primary", url=url)),
            context(
                f"Valid until {moment(expires_at)}, once. "
                "*Never forward this link*: it is for you alone, whoever asks for it."
            ),
        ),
    )


def account_connected(connection: str) -> Message:
    """It is done."""
    return Message(
        f"✓ Now {your_account(connection)} is connected. I use it for you and nobody else, "
        "and only in what you ask for."
    )


def _asks(scopes: frozenset[str]) -> str:
    shown = [code(scope[:80]) for scope in sorted(scopes)]
    left = f" and {len(shown) - _MOST} more" if len(shown) > _MOST else ""
    return f"I ask for {', '.join(shown[:_MOST])}{left} there. " if shown else ""
