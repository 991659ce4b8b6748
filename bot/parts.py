"""The parts that need no Slack: what seals, what writes the trail, who is who. Commands use them without a bot."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from bot import keyring
from bot.audit.checkpoints import Checkpoints
from bot.audit.store import MongoAuditStore
from bot.audit.writer import AuditWriter
from bot.config import Settings
from bot.database import Database
from bot.errors import ConfigurationError
from bot.receipts import Receipts
from bot.signing import Signer
from oauth import IdentityRooms, IdentitySettings, LinkObserver, Vault, utc_now
from oauth import build as build_identity

Clock = Callable[[], datetime]


def vault(settings: Settings) -> Vault:
    """What seals and opens. Raises ConfigurationError."""
    return Vault(keyring.token_keys(settings.token_keys, settings.data_dir))


def audit_writer(settings: Settings, database: Database, clock: Clock = utc_now) -> AuditWriter:
    """The trail's writer."""
    return AuditWriter(MongoAuditStore(database), keyring.audit_key(settings.audit_key, settings.data_dir), clock)


def checkpoints(settings: Settings, database: Database, clock: Clock = utc_now) -> Checkpoints:
    """The signed heads under `DATA_DIR`."""
    key = keyring.audit_key(settings.audit_key, settings.data_dir)
    return Checkpoints(settings.data_dir / "checkpoints.jsonl", key, MongoAuditStore(database), clock)


def receipts(settings: Settings, clock: Clock = utc_now) -> Receipts:
    """What tells an API who has agreed."""
    key = keyring.audit_key(settings.audit_key, settings.data_dir)
    return Receipts(Signer(key), settings.public_url, clock)


def identity_rooms(
    settings: Settings, database: Database, *, observer: LinkObserver, clock: Clock = utc_now
) -> IdentityRooms:
    """The identity package for these settings."""
    known = IdentitySettings(
        public_url=settings.public_url,
        issuer=settings.issuer,
        client_id=settings.auth0_client_id or "",
        audience=settings.auth0_audience or "",
        scopes=settings.auth0_scopes,
        client_secret=settings.auth0_client_secret.get_secret_value() if settings.auth0_client_secret else None,
        client_key=settings.auth0_client_key.get_secret_value() if settings.auth0_client_key else None,
        organization=settings.auth0_organization,
        proof=settings.link_proof,
        embedded_login=settings.embedded_login is not None,
        trusted_proxies=settings.trusted_proxies,
        slack_issuer=settings.slack_oidc_issuer,
        slack_client_id=settings.slack_client_id,
        slack_client_secret=settings.slack_client_secret.get_secret_value() if settings.slack_client_secret else None,
    )
    sealing = vault(settings)
    try:
        return build_identity(known, database=database, vault=sealing, observer=observer, clock=clock)
    except ValueError:
        hint = "AUTH0_CLIENT_KEY: is not a private key. Set it to one RSA or EC key, as JWK or PEM."
        raise ConfigurationError([hint]) from None
