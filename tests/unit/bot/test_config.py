"""Settings: everything wrong is named at once, and nothing secret is repeated."""

from __future__ import annotations

import json
import stat
from pathlib import Path

import pytest
from joserfc.jwk import OKPKey
from pydantic import SecretStr

from bot import keyring
from bot.config import load
from bot.errors import ConfigurationError

GOOD = {
    "PUBLIC_URL": "https://bot.example.com",
    "SLACK_SIGNING_SECRET": "s3cret",
    "SLACK_BOT_TOKEN": "xoxb-1",
    "AUTH0_DOMAIN": "tenant.eu.auth0.com",
    "AUTH0_CLIENT_ID": "client",
    "AUTH0_CLIENT_SECRET": "hush",
    "AUTH0_AUDIENCE": "https://api.example.com",
    "AUTH0_SCOPES": "orders:read orders:refund",
}


def problems(**changes: str) -> list[str]:
    with pytest.raises(ConfigurationError) as caught:
        load({**GOOD, **changes})
    return caught.value.problems


def test_a_complete_environment_is_accepted() -> None:
    """The contract's names suffice, and the issuer of a domain gets Auth0's slash."""
    settings = load(GOOD)
    assert settings.issuer == "https://tenant.eu.auth0.com/"
    assert settings.auth0_scopes == ("orders:read", "orders:refund")
    assert settings.embedded


def test_t60_people_from_outside_are_denied_unless_the_operator_says_so() -> None:
    """Of EXTERNAL_USERS nothing but `allow` lets them in (guard: the default of `Settings.external_users`)."""
    assert load(GOOD).external_users == "deny"
    assert load({**GOOD, "EXTERNAL_USERS": "allow"}).external_users == "allow"
    assert [line.partition(":")[0] for line in problems(EXTERNAL_USERS="yes")] == ["EXTERNAL_USERS"]


def test_an_exact_issuer_is_left_as_it_is() -> None:
    """AUTH0_ISSUER is compared to the letter with tokens, so nothing is added to it."""
    assert load({**GOOD, "AUTH0_ISSUER": "http://127.0.0.1:9"}).issuer == "http://127.0.0.1:9"


def test_everything_missing_is_named_at_once() -> None:
    """An empty environment yields a line for each required setting."""
    with pytest.raises(ConfigurationError) as caught:
        load({})
    named = {line.partition(":")[0] for line in caught.value.problems}
    assert named >= {"PUBLIC_URL", "AUTH0_DOMAIN", "AUTH0_CLIENT_ID", "AUTH0_AUDIENCE", "SLACK_BOT_TOKEN"}


def test_wrong_and_missing_settings_are_named_together() -> None:
    """A wrong port does not hide that the client id is missing."""
    named = {line.partition(":")[0] for line in problems(PORT="eighty", LINK_PROOF="magic", AUTH0_CLIENT_ID="")}
    assert named == {"PORT", "LINK_PROOF", "AUTH0_CLIENT_ID"}


def test_a_database_of_ones_own_needs_keys_of_ones_own() -> None:
    """With MONGODB_URI replicas must share their keys, so none is made up."""
    named = {line.partition(":")[0] for line in problems(MONGODB_URI="mongodb://127.0.0.1:1")}
    assert named == {"TOKEN_KEYS", "AUDIT_KEY"}


def test_a_wrong_key_is_named_and_not_shown() -> None:
    """A key that does not parse is a sentence without the key's text."""
    (line,) = problems(TOKEN_KEYS='{"keys":[{"kty":"RSA","n":"canary-canary"}]}')
    assert line.startswith("TOKEN_KEYS:")
    assert "canary" not in line


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("TOKEN_KEYS", "{}"),
        ("TOKEN_KEYS", '{"keys": []}'),
        ("TOKEN_KEYS", '{"keys": ["canary"]}'),
        ("TOKEN_KEYS", '{"keys": [{"kty": "oct", "kid": "canary", "k": "Y2FuYXJ5"}]}'),
        ("TOKEN_KEYS", '{"keys": [{"kty": "oct", "kid": "canary"}]}'),
        ("TOKEN_KEYS", "[" * 100_000),
        ("AUDIT_KEY", '["canary"]'),
        ("AUDIT_KEY", '{"kty": "OKP", "crv": "Ed25519", "x": "Y2FuYXJ5"}'),
        ("AUDIT_KEY", '{"kty": "OKP", "crv": "X25519", "x": "Y2FuYXJ5", "d": "Y2FuYXJ5"}'),
        ("AUDIT_KEY", "/no/such/canary"),
    ],
)
def test_a_key_that_would_fail_later_is_refused_now(name: str, value: str) -> None:
    """Too short, without its private part, of another curve: a sentence at the start, not an error later on."""
    (line,) = problems(**{name: value})
    assert line.startswith(f"{name}: ")
    assert line.endswith("Make one with: countersign keys new")
    assert "canary" not in line


def test_only_the_private_half_of_the_right_curve_signs() -> None:
    """The public half of a good key, and a key for agreement instead of signatures, are no audit keys."""
    public = {name: value for name, value in keyring.new_audit_key().items() if name != "d"}
    agreement = dict(OKPKey.generate_key("X25519", private=True).as_dict(private=True))
    another = keyring.new_audit_key() | {"kty": "EC"}
    for key in (public, agreement, another):
        (line,) = problems(AUDIT_KEY=json.dumps(key))
        assert line.startswith("AUDIT_KEY: must be one Ed25519 JWK with its private part.")


def test_a_key_without_a_name_gets_a_lasting_one() -> None:
    """A JWK need not have a `kid`, but what is sealed or signed names its key, the same at each start."""
    sealing, signing = keyring.new_token_keys(), keyring.new_audit_key()
    del sealing["keys"][0]["kid"], signing["kid"]
    settings = load({**GOOD, "TOKEN_KEYS": json.dumps(sealing), "AUDIT_KEY": json.dumps(signing)})
    found = [keyring.token_keys(settings.token_keys, Path())["keys"][0] for _ in range(2)]
    assert found[0] == found[1]
    assert found[0]["kid"]
    assert keyring.audit_key(settings.audit_key, Path())["kid"]


def test_a_made_key_is_kept_and_private(tmp_path: Path) -> None:
    """The first start makes the key, later starts find it, and only the owner can read it."""
    first = keyring.token_keys(None, tmp_path)
    assert keyring.token_keys(None, tmp_path) == first
    assert stat.S_IMODE((tmp_path / "token-keys.json").stat().st_mode) == 0o600


def test_a_key_may_be_a_file(tmp_path: Path) -> None:
    """TOKEN_KEYS takes a path as well as JSON."""
    path = tmp_path / "keys.json"
    path.write_text(json.dumps(keyring.new_token_keys()))
    assert keyring.token_keys(SecretStr(str(path)), tmp_path) == json.loads(path.read_text())


def test_given_settings_ignore_the_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """Settings that are given as a mapping are all there is: the demo must not use the shell's database."""
    monkeypatch.setenv("MONGODB_DATABASE", "somebody_elses")
    assert load(GOOD).mongodb_database == "countersign"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("AGENT_MODEL", "openai:gpt-5"),
        ("METRICS_PORT", "9000"),
    ],
)
def test_what_this_version_cannot_do_is_refused(name: str, value: str) -> None:
    """A setting that would be ignored is an error of one line instead: somebody relies on it."""
    (line,) = problems(**{name: value})
    assert line.startswith(f"{name}: ")
    assert line.endswith("is not part of this version. Unset it.")


def test_login_on_our_own_page_is_by_email_or_off() -> None:
    """`email` switches it on; no other connection is known, and an organization would refuse everybody."""
    assert load({**GOOD, "EMBEDDED_LOGIN": "email"}).embedded_login == "email"
    for off in ("off", "", " Off "):
        assert load({**GOOD, "EMBEDDED_LOGIN": off}).embedded_login is None
    for other in ("sms", "on", "email,sms"):
        assert problems(EMBEDDED_LOGIN=other) == ["EMBEDDED_LOGIN: must be off, or email."]
    (line,) = problems(EMBEDDED_LOGIN="email", AUTH0_ORGANIZATION="org_1")
    assert line.startswith("EMBEDDED_LOGIN: ")
    assert "AUTH0_ORGANIZATION" in line


def test_switched_off_is_as_good_as_unset() -> None:
    """The contract's own defaults may be written down."""
    load({**GOOD, "EMBEDDED_LOGIN": "off", "SLACK_CONNECT_UI": "off", "AGENT_MODEL": "", "METRICS_PORT": ""})


@pytest.mark.parametrize("left_out", ["SLACK_CLIENT_ID", "SLACK_CLIENT_SECRET"])
def test_installing_by_oauth_takes_the_place_of_a_bot_token(left_out: str) -> None:
    """Both of the app's credentials, or one bot token; half of the former is named."""
    client = {"SLACK_CLIENT_ID": "1.2", "SLACK_CLIENT_SECRET": "hush"}
    assert load({**GOOD, "SLACK_BOT_TOKEN": "", **client}).slack_client_id == "1.2"
    load({**GOOD, **client})
    assert [line.partition(":")[0] for line in problems(SLACK_BOT_TOKEN="", **(client | {left_out: ""}))] == [left_out]
    assert [line.partition(":")[0] for line in problems(SLACK_BOT_TOKEN="")] == ["SLACK_BOT_TOKEN"]


def test_signing_in_with_slack_needs_the_app_at_slack() -> None:
    """Both are named, a line each, and beside the bot's token they are settings like any other."""
    lines = problems(LINK_PROOF="slack")
    assert [line.partition(":")[0] for line in lines] == ["SLACK_CLIENT_ID", "SLACK_CLIENT_SECRET"]
    assert all("LINK_PROOF=slack" in line for line in lines)
    client = {"SLACK_CLIENT_ID": "1.2", "SLACK_CLIENT_SECRET": "hush"}
    assert load({**GOOD, **client, "LINK_PROOF": "slack"}).link_proof == "slack"


@pytest.mark.parametrize(("given", "meant"), [("on", "on"), (" ON ", "on"), ("off", "off"), ("", "off"), (None, "off")])
def test_slacks_own_connect_ui_is_switched_on_by_one_word(given: str | None, meant: str) -> None:
    """Off unless somebody says so: the app's manifest must declare it."""
    asked = {} if given is None else {"SLACK_CONNECT_UI": given}
    assert load({**GOOD, **asked}).slack_connect_ui == meant


def test_slacks_own_connect_ui_is_nothing_but_on_or_off() -> None:
    """Any other word is a sentence that names both."""
    (line,) = problems(SLACK_CONNECT_UI="perhaps")
    assert line == "SLACK_CONNECT_UI: Input should be 'off' or 'on'."


@pytest.mark.parametrize("url", ["http://bot.example.com", "http://10.0.0.1:8300", "http://127.example.com"])
def test_slack_opens_no_address_without_tls(url: str) -> None:
    """Slack would refuse each of our links, so that is one sentence at the start; on this machine it is a trial."""
    (line,) = problems(SLACK_CONNECT_UI="on", PUBLIC_URL=url)
    assert line.startswith("SLACK_CONNECT_UI: ")
    assert "https" in line
    load({**GOOD, "PUBLIC_URL": url})
    for here in ("http://127.0.0.1:8300", "http://localhost:8300", "http://[::1]:8300"):
        load({**GOOD, "SLACK_CONNECT_UI": "on", "PUBLIC_URL": here})


def test_slacks_issuer_is_left_as_it_is() -> None:
    """It is compared to the letter with tokens, so nothing is added to it or taken away; unset, it is Slack's own."""
    for given in ("http://127.0.0.1:9", "http://127.0.0.1:9/", "https://slack.example/x"):
        assert load({**GOOD, "SLACK_OIDC_ISSUER": given}).slack_oidc_issuer == given
    assert load({**GOOD, "SLACK_OIDC_ISSUER": " "}).slack_oidc_issuer == "https://slack.com"
    (line,) = problems(SLACK_OIDC_ISSUER="slack.com")
    assert line == "SLACK_OIDC_ISSUER: must be the issuer's address, such as https://slack.com."


def test_given_settings_are_all_there_is(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The demo takes nothing from the environment of whoever tries it, nor from their `.env`."""
    monkeypatch.setenv("AUTH0_ORGANIZATION", "org_of_the_shell")
    (tmp_path / ".env").write_text("SLACK_APP_TOKEN=xapp-of-the-file\n")
    monkeypatch.chdir(tmp_path)
    settings = load(GOOD)
    assert settings.auth0_organization is None
    assert settings.slack_app_token is None


def test_the_process_wins_over_the_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """What is exported for one run overrides `.env`, which fills in the rest."""
    (tmp_path / ".env").write_text("\n".join(f"{name}='{value}'" for name, value in GOOD.items()) + "\nPORT=1\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PORT", "2")
    settings = load()
    assert settings.port == 2
    assert settings.auth0_client_id == "client"


def test_an_auditor_needs_the_database_and_the_key_of_the_trail() -> None:
    """Commands that only read the trail ask for nothing of Slack's or the provider's, and still for its key."""
    assert load({}, data_only=True).embedded
    with pytest.raises(ConfigurationError) as caught:
        load({"MONGODB_URI": "mongodb://127.0.0.1"}, data_only=True)
    assert [line.partition(":")[0] for line in caught.value.problems] == ["AUDIT_KEY"]
