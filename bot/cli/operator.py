"""What a command of the operator begins with: the bot's own settings, and data that is there already."""

from __future__ import annotations

from bot import config, logs
from bot.config import Settings
from bot.errors import ConfigurationError


def settings_of_the_bot(*, data_only: bool = False) -> Settings:
    """The settings that `countersign run` has here, or those of its data alone. Raises ConfigurationError.

    A command makes neither a database nor a key: what it says of empty ones would be worth nothing.
    """
    settings = config.load(data_only=data_only)
    logs.configure("warning", settings.log_format)
    if settings.embedded and not (settings.data_dir / "database").is_dir():
        raise ConfigurationError(
            [f"DATA_DIR: no bot has kept a database under {settings.data_dir} yet. Name its folder, or MONGODB_URI."]
        )
    key = settings.data_dir / "audit-key.json"
    if settings.audit_key is None and not key.is_file():
        raise ConfigurationError([f"AUDIT_KEY: not set, and {key} is gone. Bring back the key of the trail."])
    return settings
