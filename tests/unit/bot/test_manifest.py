"""The app manifest: every address is the bot's, and it asks Slack for the least."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from bot.errors import ConfigurationError
from bot.manifest import manifest, rendered

ROOT = Path(__file__).parents[3]


def test_the_file_is_what_the_command_prints() -> None:
    """`manifest.yml`, which people paste into Slack, cannot fall behind the code."""
    assert (ROOT / "manifest.yml").read_text(encoding="utf-8") == rendered("https://bot.example.com") + "\n"


def test_the_text_holds_the_whole_manifest() -> None:
    """What is printed reads back as what was made, by any reader of JSON or YAML."""
    assert json.loads(rendered("https://a.example")) == manifest("https://a.example")


def test_slack_sends_everything_to_one_address() -> None:
    """Commands, events and clicks all go to the route that the contract names, without a doubled slash."""
    made = manifest("https://a.example/bot/")
    wanted = "https://a.example/bot/slack/events"
    (command,) = made["features"]["slash_commands"]
    assert (command["command"], command["url"]) == ("/agent", wanted)
    assert made["settings"]["event_subscriptions"]["request_url"] == wanted
    assert made["settings"]["interactivity"] == {"is_enabled": True, "request_url": wanted}


def test_slack_sends_browsers_back_to_us_alone() -> None:
    """Signing in and installing end at our two addresses, and Slack redirects to no other."""
    made = manifest("https://a.example/bot/")
    assert made["oauth_config"]["redirect_urls"] == [
        "https://a.example/bot/oauth/slack",
        "https://a.example/bot/slack/oauth_redirect",
    ]


def test_it_asks_for_the_least() -> None:
    """These permissions and events and no more; a further one is a decision that this test makes visible."""
    made = manifest("https://a.example")
    assert made["oauth_config"]["scopes"] == {
        "bot": [
            "app_mentions:read",
            "chat:write",
            "commands",
            "files:write",
            "im:history",
            "im:write",
            "usergroups:read",
            "users:read",
            "users:read.email",
        ]
    }
    assert made["settings"]["event_subscriptions"]["bot_events"] == [
        "app_home_opened",
        "app_mention",
        "app_uninstalled",
        "message.im",
        "tokens_revoked",
        "user_change",
    ]


def test_slacks_connect_ui_is_declared_for_whoever_asks_for_it() -> None:
    """The host alone, one scope and one event more; the rest of the manifest is the same."""
    least, made = manifest("https://a.example:8443/bot"), manifest("https://a.example:8443/bot", connect_ui=True)
    assert made["features"].pop("user_connections") == {"auth_hosts": ["a.example"]}
    scopes, events = made["oauth_config"]["scopes"]["bot"], made["settings"]["event_subscriptions"]["bot_events"]
    assert (scopes, events) == (sorted(scopes), sorted(events))
    scopes.remove("users:write")
    events.remove("user_connection")
    assert made == least
    assert json.loads(rendered("https://a.example", connect_ui=True)) == manifest("https://a.example", connect_ui=True)


def test_slacks_connect_ui_wants_https() -> None:
    """Slack opens nothing else, so such a manifest would only fail later."""
    with pytest.raises(ConfigurationError) as caught:
        manifest("http://a.example", connect_ui=True)
    assert caught.value.problems == ["--connect-ui: Slack opens https addresses alone. Give --url one."]


def test_slack_would_take_its_texts() -> None:
    """Slack refuses a manifest whose texts are longer than its reference allows."""
    made = manifest("https://a.example")
    (command,) = made["features"]["slash_commands"]
    assert len(made["display_information"]["name"]) <= 35
    assert len(made["display_information"]["description"]) <= 140
    assert len(made["features"]["bot_user"]["display_name"]) <= 80
    assert len(command["description"]) <= 2000
    assert len(command["usage_hint"]) <= 1000


@pytest.mark.parametrize(
    "url",
    ["bot.example.com", "ftp://a.example", "https://", "https://a.example?x=1", "https://a:b@c.example", "https://[a"],
)
def test_what_is_no_address_is_refused(url: str) -> None:
    """A manifest with a wrong address would only fail in Slack, later and with fewer words."""
    with pytest.raises(ConfigurationError) as caught:
        manifest(url)
    assert caught.value.problems == ["--url: must be an address such as https://bot.example.com."]
