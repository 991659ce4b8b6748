"""Settings: the only place where the environment is read. Every problem is reported at once, a line each."""

from __future__ import annotations

from collections.abc import Mapping
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from pydantic import BeforeValidator, Field, SecretStr, ValidationError, field_validator
from pydantic_settings import BaseSettings, NoDecode, PydanticBaseSettingsSource, SettingsConfigDict

from bot import keyring
from bot.errors import ConfigurationError

Network = IPv4Network | IPv6Network


def _blank_is_unset(value: object) -> object:
    return None if isinstance(value, str) and not value.strip() else value


def _words(value: object) -> object:
    return tuple(value.split()) if isinstance(value, str) else value


def _listed(value: object) -> object:
    return tuple(part for part in value.replace(",", " ").split()) if isinstance(value, str) else value


def _absent(value: object) -> object:
    if value is None or str(value).strip().lower() in {"", "off"}:
        return None
    raise ValueError(_NOT_YET)


def _connection(value: object) -> object:
    """A passwordless connection at the provider. Those by text message are not part of this version."""
    name = "off" if value is None else str(value).strip().lower()
    if name not in {"", "off", "email"}:
        raise ValueError("must be off, or email")
    return name if name == "email" else None


def _switch(value: object) -> object:
    return (value.strip().lower() or "off") if isinstance(value, str) else value


def _is_plain(url: str) -> bool:
    """Whether this is HTTP without TLS, beyond this machine; on this machine there is nothing to listen to."""
    parts = urlsplit(url)
    host = parts.hostname or ""
    try:
        local = ip_address(host).is_loopback
    except ValueError:
        local = host == "localhost"
    return parts.scheme == "http" and not local


_NOT_YET = "is not part of this version. Unset it"
Text = Annotated[str | None, BeforeValidator(_blank_is_unset)]
Secret = Annotated[SecretStr | None, BeforeValidator(_blank_is_unset)]
Absent = Annotated[None, BeforeValidator(_absent)]


class Settings(BaseSettings):
    """The contract's environment, read from the process and from `.env` (the process wins)."""

    model_config = SettingsConfigDict(env_file=".env", extra="ignore", hide_input_in_errors=True)

    public_url: str = ""
    host: str = "127.0.0.1"
    port: int = Field(default=8300, ge=0, le=65535)

    slack_signing_secret: Secret = None
    slack_bot_token: Secret = None
    slack_client_id: Text = None
    slack_client_secret: Secret = None
    slack_app_token: Secret = None
    slack_api_url: str = "https://slack.com/api/"
    slack_oidc_issuer: str = "https://slack.com"
    slack_connect_ui: Annotated[Literal["off", "on"], BeforeValidator(_switch)] = "off"

    auth0_domain: Text = None
    auth0_issuer: Text = None
    auth0_client_id: Text = None
    auth0_client_secret: Secret = None
    auth0_client_key: Secret = None
    auth0_audience: Text = None
    auth0_scopes: Annotated[tuple[str, ...], NoDecode, BeforeValidator(_words)] = ()
    auth0_organization: Text = None
    link_proof: Literal["auto", "code", "email", "slack"] = "auto"
    embedded_login: Annotated[Literal["email"] | None, BeforeValidator(_connection)] = None

    mongodb_uri: Secret = None
    mongodb_database: str = "countersign"
    data_dir: Path = Path("data")
    token_keys: Secret = None
    audit_key: Secret = None

    actions_file: Path | None = None
    actions_modules: Annotated[tuple[str, ...], NoDecode, BeforeValidator(_listed)] = ()
    agent_model: Absent = None

    external_users: Literal["deny", "allow"] = "deny"
    trusted_proxies: Annotated[tuple[Network, ...], NoDecode] = ()
    metrics_port: Absent = None
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    log_format: Literal["console", "json"] | None = None

    @field_validator("actions_file", mode="before")
    @classmethod
    def _no_file(cls, value: object) -> object:
        return _blank_is_unset(value)

    @field_validator("log_level", mode="before")
    @classmethod
    def _any_case(cls, value: object) -> object:
        return value.lower() if isinstance(value, str) else value

    @field_validator("public_url", "slack_api_url")
    @classmethod
    def _an_address(cls, value: str, info: Any) -> str:
        parts = urlsplit(value)
        if value and (parts.scheme not in {"http", "https"} or not parts.hostname):
            raise ValueError("must be an address such as https://bot.example.com")
        return value.rstrip("/") + ("/" if info.field_name == "slack_api_url" else "")

    @field_validator("slack_oidc_issuer", mode="before")
    @classmethod
    def _an_issuer(cls, value: object) -> object:
        """Left to the letter, since tokens are compared with it."""
        value = _blank_is_unset(value) or cls.model_fields["slack_oidc_issuer"].default
        parts = urlsplit(str(value))
        if parts.scheme not in {"http", "https"} or not parts.hostname:
            raise ValueError("must be the issuer's address, such as https://slack.com")
        return value

    @field_validator("trusted_proxies", mode="before")
    @classmethod
    def _networks(cls, value: object) -> object:
        if not isinstance(value, str):
            return value
        try:
            return tuple(ip_network(part) for part in value.replace(",", " ").split())
        except ValueError:
            raise ValueError("must be networks such as 10.0.0.0/8, separated by commas") from None

    @property
    def issuer(self) -> str:
        """The issuer exactly as the provider writes it; Auth0's own ends with a slash."""
        if self.auth0_issuer:
            return self.auth0_issuer
        return f"https://{(self.auth0_domain or '').removeprefix('https://').strip('/')}/"

    @property
    def embedded(self) -> bool:
        """Whether the program starts a database of its own."""
        return self.mongodb_uri is None

    def missing(self) -> list[str]:
        """What cannot be defaulted and is not there, or cannot be used, a sentence each."""
        needs = {
            "PUBLIC_URL": (
                self.public_url,
                "where browsers and Slack reach the bot, e.g. https://bot.example.com",
            ),
            "AUTH0_DOMAIN": (
                self.auth0_domain or self.auth0_issuer,
                "the tenant's domain; or set AUTH0_ISSUER",
            ),
            "AUTH0_CLIENT_ID": (self.auth0_client_id, "the application's client id"),
            "AUTH0_CLIENT_SECRET": (
                self.auth0_client_secret or self.auth0_client_key,
                "the application's secret; or set AUTH0_CLIENT_KEY for private key JWT",
            ),
            "AUTH0_AUDIENCE": (self.auth0_audience, "the identifier of the API that tokens are for"),
            "SLACK_BOT_TOKEN": (
                self.slack_bot_token or self.slack_client_id or self.slack_client_secret,
                "the bot token of the workspace, xoxb-…; or set SLACK_CLIENT_ID and SLACK_CLIENT_SECRET for many",
            ),
            "SLACK_SIGNING_SECRET": (
                self.slack_signing_secret or self.slack_app_token,
                "the app's signing secret; or set SLACK_APP_TOKEN for Socket Mode",
            ),
        }
        if self.link_proof == "slack":
            why = "which LINK_PROOF=slack signs people in with"
            needs |= {
                "SLACK_CLIENT_ID": (self.slack_client_id, f"the Slack app's client id, {why}"),
                "SLACK_CLIENT_SECRET": (self.slack_client_secret, f"the Slack app's client secret, {why}"),
            }
        problems = [f"{name}: missing. Set it to {what}." for name, (value, what) in needs.items() if not value]
        installing = not self.slack_bot_token and (self.slack_client_id or self.slack_client_secret)
        if installing and self.link_proof != "slack":  # else both are asked for above
            installs = {"SLACK_CLIENT_ID": self.slack_client_id, "SLACK_CLIENT_SECRET": self.slack_client_secret}
            problems += [
                f"{name}: missing. Set it to what the app's settings at Slack show; both are needed for installation."
                for name, value in installs.items()
                if not value
            ]
        if self.slack_connect_ui == "on" and _is_plain(self.public_url):
            problems.append(
                "SLACK_CONNECT_UI: Slack’s own block and window open https addresses alone, and PUBLIC_URL is http. "
                "Set it to off, or give PUBLIC_URL an https address."
            )
        if self.embedded_login and self.auth0_organization:
            problems.append(
                "EMBEDDED_LOGIN: a one-time code signs in to no organization, so nobody could link. Unset it, or unset "
                "AUTH0_ORGANIZATION."
            )
        if not self.embedded:
            problems += [
                f"{name}: missing. It is required with MONGODB_URI; make one with: countersign keys new"
                for name, value in (("TOKEN_KEYS", self.token_keys), ("AUDIT_KEY", self.audit_key))
                if not value
            ]
        if self.actions_file and not self.actions_file.is_file():
            problems.append(f"ACTIONS_FILE: there is no file {self.actions_file}. Write one, or unset it.")
        return problems


_OF_DATA = {"MONGODB_URI", "MONGODB_DATABASE", "DATA_DIR", "AUDIT_KEY", "LOG_LEVEL", "LOG_FORMAT"}


class _Given(Settings):
    """Settings from what is given alone: a demo must not pick up the database of the shell that it runs in."""

    @classmethod
    def settings_customise_sources(
        cls, settings_cls: type[BaseSettings], init_settings: PydanticBaseSettingsSource, *_: Any, **__: Any
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        return (init_settings,)


def load(environment: Mapping[str, Any] | None = None, *, data_only: bool = False) -> Settings:
    """Settings from `environment` (tests, the demo) or from the process.

    With `data_only` nothing is asked of Slack's and the provider's: an auditor has the database and the trail's key.

    Raises ConfigurationError that names everything missing or wrong.
    """
    given = None if environment is None else {name.lower(): value for name, value in environment.items()}
    problems: list[str] = []
    wrong: set[str] = set()
    try:
        settings = _read(given, {})
    except ValidationError as error:
        found = error.errors(include_input=False, include_url=False)
        problems = [f"{str(f['loc'][0]).upper()}: {f['msg'].removeprefix('Value error, ')}." for f in found]
        # Read once more with the wrong ones at their defaults, so that the missing ones are named as well.
        wrong = {str(f["loc"][0]) for f in found}
        settings = _read(given, {name: Settings.model_fields[name].get_default() for name in wrong})
    problems += [p for p in settings.missing() if p.partition(":")[0].lower() not in wrong]
    problems += keyring.problems(settings.token_keys, settings.audit_key)
    if data_only:
        problems = [line for line in problems if line.partition(":")[0] in _OF_DATA]
    if problems:
        raise ConfigurationError(problems)
    return settings


def _read(given: Mapping[str, Any] | None, overrides: Mapping[str, Any]) -> Settings:
    return Settings(**overrides) if given is None else _Given(**{**given, **overrides})
