"""The Slack app manifest (docs.slack.dev, "App manifest reference") for one public address.

It asks for the least that the handlers need. `manifest.yml` is what this gives for https://bot.example.com.
"""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import urlsplit

from bot.errors import ConfigurationError

BOT_SCOPES = (
    "app_mentions:read",
    "chat:write",
    "commands",
    "files:write",
    "im:history",
    "im:write",
    "usergroups:read",
    "users:read",
    "users:read.email",
)
# What Slack's own connect UI needs beside it (docs.slack.dev, "Connection reporting").
CONNECT_UI_SCOPE, CONNECT_UI_EVENT = "users:write", "user_connection"
BOT_EVENTS = ("app_home_opened", "app_mention", "app_uninstalled", "message.im", "tokens_revoked", "user_change")


def manifest(url: str, *, connect_ui: bool = False) -> dict[str, Any]:
    """The manifest for the bot at `url`, if wanted with Slack's own connect UI.

    Raises ConfigurationError where that is no address of a site, or none that Slack's connect UI opens.
    """
    site = _site(url)
    made = _least(site)
    if connect_ui:
        parts = urlsplit(site)
        if parts.scheme != "https":
            raise ConfigurationError(["--connect-ui: Slack opens https addresses alone. Give --url one."])
        made["features"]["user_connections"] = {"auth_hosts": [parts.hostname]}
        made["oauth_config"]["scopes"]["bot"] = sorted({*BOT_SCOPES, CONNECT_UI_SCOPE})
        made["settings"]["event_subscriptions"]["bot_events"] = sorted({*BOT_EVENTS, CONNECT_UI_EVENT})
    return made


def _least(site: str) -> dict[str, Any]:
    events = f"{site}/slack/events"
    return {
        "display_information": {
            "name": "Countersign",
            "description": "Acts for you under your own name, and asks before it matters",
            "background_color": "#1d3d36",
        },
        "features": {
            "app_home": {
                "home_tab_enabled": True,
                "messages_tab_enabled": True,
                "messages_tab_read_only_enabled": False,
            },
            "bot_user": {"display_name": "Countersign", "always_online": True},
            "slash_commands": [
                {
                    "command": "/agent",
                    "url": events,
                    "description": "What the agent may do for you, and what it did",
                    "usage_hint": "[link | run ACTION | status | help …]",
                    "should_escape": False,
                }
            ],
        },
        "oauth_config": {
            "redirect_urls": [f"{site}/oauth/slack", f"{site}/slack/oauth_redirect"],
            "scopes": {"bot": list(BOT_SCOPES)},
        },
        "settings": {
            "event_subscriptions": {"request_url": events, "bot_events": list(BOT_EVENTS)},
            "interactivity": {"is_enabled": True, "request_url": events},
            "org_deploy_enabled": False,
            "socket_mode_enabled": False,
            "token_rotation_enabled": False,
        },
    }


def rendered(url: str, *, connect_ui: bool = False) -> str:
    """The manifest as text: JSON, which is YAML too, so that both of Slack's editors and any script take it."""
    return json.dumps(manifest(url, connect_ui=connect_ui), indent=2, ensure_ascii=False)


def _site(url: str) -> str:
    try:
        parts = urlsplit(url.strip())
        fits = parts.scheme in {"http", "https"} and parts.hostname and parts.port != 0
    except ValueError:
        fits = False
    if not fits or parts.query or parts.fragment or parts.username is not None:
        raise ConfigurationError(["--url: must be an address such as https://bot.example.com."])
    return url.strip().rstrip("/")
