"""Key rotation: every stored secret is sealed anew under the first key, one at a time and each by one atomic step."""

from __future__ import annotations

from dataclasses import dataclass

from oauth.errors import SealBroken
from oauth.ports import LinkStore
from oauth.vault import Vault

_PASSES = 10


@dataclass(frozen=True, slots=True)
class Resealed:
    """How many secrets were sealed anew, and which records hold one that no key at hand opens."""

    done: int
    broken: tuple[str, ...]


class Resealer:
    """Nothing has to be remembered between runs: what is under the first key is left alone."""

    def __init__(self, store: LinkStore, vault: Vault) -> None:
        self._store = store
        self._vault = vault

    async def run(self) -> Resealed:
        """Go over everything until nothing is left; a secret that changes meanwhile is met in the next pass."""
        done = 0
        for _ in range(_PASSES):
            missed, broken = 0, []
            async for secret in self._store.secrets():
                if self._vault.current(secret.sealed):
                    continue
                try:
                    plain = self._vault.open(secret.sealed, record=secret.record, name=secret.name)
                except SealBroken:
                    broken.append(secret.record)
                    continue
                sealed = self._vault.seal(plain, record=secret.record, name=secret.name)
                swapped = await self._store.swap(secret, sealed)
                done, missed = done + swapped, missed + (not swapped)
            if not missed:
                break
        return Resealed(done, tuple(sorted(set(broken))))
