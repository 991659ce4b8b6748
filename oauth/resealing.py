"""Key rotation: every stored secret is sealed anew under the first key, one at a time and each by one atomic step."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from oauth.errors import SealBroken
from oauth.ports import SealedStore, StoredSecret
from oauth.vault import Vault

_PASSES = 10

Progress = Callable[[int, int], None]


@dataclass(frozen=True, slots=True)
class Resealed:
    """How many secrets were sealed anew, how many others still came up, and what no key at hand opens.

    `left` is 0 once a whole pass met nothing under another key; else somebody goes on sealing under one. `broken` has
    the collection and the key of each record that holds a secret which does not open; it was left as it is.
    """

    done: int
    left: int = 0
    broken: tuple[tuple[str, str], ...] = ()


class Resealer:
    """Nothing has to be remembered between runs: what is under the first key is left alone."""

    def __init__(self, keepers: Sequence[SealedStore], vault: Vault) -> None:
        self._keepers = keepers
        self._vault = vault

    async def run(self, progress: Progress | None = None) -> Resealed:
        """Go over everything until a pass meets nothing to do: what is written behind a pass is met in the next one.

        `progress` hears how many were sealed anew so far, and how many this pass has seen. Raises StoreUnavailable.
        """
        done = 0
        for _ in range(_PASSES):
            seen, met = 0, 0
            broken: set[tuple[str, str]] = set()
            for keeper in self._keepers:
                async for secret in keeper.secrets():
                    seen += 1
                    if not self._vault.current(secret.sealed):
                        try:
                            done += await self._swapped(keeper, secret)
                            met += 1
                        except SealBroken:
                            broken.add(secret.place[:2])
                    if progress is not None:
                        progress(done, seen)
            if not met:
                break
        return Resealed(done, met, tuple(sorted(broken)))

    async def _swapped(self, keeper: SealedStore, secret: StoredSecret) -> bool:
        plain = self._vault.open(secret.sealed, record=secret.record, name=secret.name)
        return await keeper.swap(secret, self._vault.seal(plain, record=secret.record, name=secret.name))
