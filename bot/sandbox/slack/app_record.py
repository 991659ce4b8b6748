"""What Slack itself keeps of the app: how it is registered, where it is installed, and the key of its sign-ins."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from joserfc.errors import JoseError
from joserfc.jwk import RSAKey

from . import storage
from .authorize import Registration
from .codes import Codes
from .identity import Signer
from .installations import Installations
from .state import Clock


class AppRecord:
    """Kept in `slack-app.json`, but for the codes, which live for ten minutes."""

    def __init__(self, directory: Path, registration: Registration, clock: Clock) -> None:
        self.registration = registration
        self._keeper = storage.Keeper(directory / "slack-app.json", self._snapshot)
        self.installations = Installations(clock, self._keeper.mark)
        self.codes = Codes(clock)
        self.signer = Signer(self._keeper.mark)
        path = directory / "slack-app.json"
        if path.exists():
            try:
                self._restore(storage.load(path) or {})
            except ValueError:
                storage.put_aside(path)

    def start(self) -> None:
        """Begin to write the file."""
        self._keeper.start()

    async def stop(self) -> None:
        """Write what is left and end."""
        await self._keeper.stop()

    def _snapshot(self) -> dict[str, Any]:
        key = self.signer.key
        return {"schema": 1, "key": key.as_dict(private=True) if key else None} | self.installations.snapshot()

    def _restore(self, found: dict[str, Any]) -> None:
        try:
            key = RSAKey.import_key(found["key"]) if found["key"] else None
        except (KeyError, TypeError, JoseError) as error:
            raise ValueError("no key") from error
        self.installations.restore(found)
        self.signer.key = key
