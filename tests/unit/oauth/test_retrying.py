"""A provider in trouble is asked again, but not for ever, and not against its word (THREATS.md, row 71)."""

from __future__ import annotations

import asyncio

import pytest

from oauth.errors import GrantDead, ProviderRefused, ProviderUnavailable
from oauth.retrying import Retries


class Attempts:
    """Fails as it is told to, then succeeds; keeps how long it was waited for."""

    def __init__(self, *failures: Exception) -> None:
        self.failures = list(failures)
        self.made = 0
        self.pauses: list[float] = []

    async def __call__(self) -> str:
        self.made += 1
        if self.failures:
            raise self.failures.pop(0)
        return "token"

    async def pause(self, seconds: float) -> None:
        self.pauses.append(seconds)
        await asyncio.sleep(0)


def always() -> bool:
    return True


async def test_t71_a_failure_that_passes_is_not_noticed() -> None:
    """Three times in vain, each pause longer than the one before and none of a fixed length."""
    attempts = Attempts(*[ProviderUnavailable()] * 3)
    assert await Retries(attempts.pause)(attempts, always) == "token"
    assert attempts.made == 4
    assert attempts.pauses == sorted(attempts.pauses)
    again = Attempts(*[ProviderUnavailable()] * 3)
    await Retries(again.pause)(again, always)
    assert again.pauses != attempts.pauses


async def test_t71_attempts_are_bounded() -> None:
    """The fourth failure is the caller's."""
    attempts = Attempts(*[ProviderUnavailable()] * 9)
    with pytest.raises(ProviderUnavailable):
        await Retries(attempts.pause)(attempts, always)
    assert attempts.made == 4


async def test_t71_retry_after_is_kept_to() -> None:
    """Never sooner than the provider says."""
    attempts = Attempts(ProviderUnavailable(2.0), ProviderUnavailable(3.0))
    assert await Retries(attempts.pause)(attempts, always) == "token"
    assert attempts.pauses[0] >= 2.0
    assert attempts.pauses[1] >= 3.0


async def test_t71_what_takes_longer_than_a_person_waits_is_not_waited_for() -> None:
    """Seven seconds to wait: the caller is told at once, with the time."""
    attempts = Attempts(ProviderUnavailable(7.0))
    with pytest.raises(ProviderUnavailable) as away:
        await Retries(attempts.pause)(attempts, always)
    assert (away.value.retry_after, attempts.made, attempts.pauses) == (7.0, 1, [])


async def test_t71_a_provider_that_hangs_is_not_waited_for_four_times() -> None:
    """Each attempt takes ten seconds: after the first there is time for one more, and that is the last."""
    attempts = Attempts(*[ProviderUnavailable()] * 9)
    retries = Retries(attempts.pause, lambda: 10.0 * attempts.made)
    with pytest.raises(ProviderUnavailable):
        await retries(attempts, always)
    assert attempts.made == 2


async def test_nothing_is_sent_once_the_lease_may_be_over() -> None:
    """Somebody else may be sending by then."""
    attempts = Attempts(ProviderUnavailable(), ProviderUnavailable())
    with pytest.raises(ProviderUnavailable):
        await Retries(attempts.pause)(attempts, lambda: attempts.made < 2)
    assert attempts.made == 2


@pytest.mark.parametrize("refusal", [GrantDead, ProviderRefused])
async def test_a_refusal_is_not_repeated(refusal: type[Exception]) -> None:
    """Only an outage is: a dead grant stays dead, and wrong credentials stay wrong."""
    attempts = Attempts(refusal())
    with pytest.raises(refusal):
        await Retries(attempts.pause)(attempts, always)
    assert attempts.made == 1
