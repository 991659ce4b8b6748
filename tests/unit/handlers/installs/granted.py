"""What Slack grants, and the key that it is sealed under."""

from __future__ import annotations

from slack_sdk.oauth.installation_store import Installation

CANARY = "xoxb-canary"
KEYS = {"keys": [{"kty": "oct", "k": "A" * 42 + "E", "kid": "one"}]}


def granted(
    team: str | None = "T1",
    enterprise: str | None = None,
    *,
    token: str = CANARY,
    **more: object,
) -> Installation:
    """What an installation brings."""
    fields: dict[str, object] = {
        "app_id": "A1", "team_id": team, "team_name": "Work", "enterprise_id": enterprise, "bot_token": token,
        "bot_id": "B1", "bot_user_id": "UBOT", "bot_scopes": "chat:write", "user_id": "U0ADA",
        "is_enterprise_install": team is None, "installed_at": 1_700_000_000.0,
    }  # fmt: skip
    return Installation(**(fields | more))
