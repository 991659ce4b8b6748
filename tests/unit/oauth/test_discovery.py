"""The discovery document: whose it is, how long it is good, and what an outage does."""

from __future__ import annotations

import asyncio

import pytest

from oauth.discovery import Discovery
from oauth.errors import ProviderUnavailable
from oauth.provider import Provider
from tests.conftest import HandClock
from tests.fakes.endpoint import Endpoint, provider_for


async def test_discovery_is_fetched_once_and_renewed_after_an_hour(
    provider: Provider, endpoint: Endpoint, clock: HandClock
) -> None:
    """Twenty callers at once share one fetch; an hour later a changed document is seen."""
    await asyncio.gather(*(provider.metadata() for _ in range(20)))
    assert endpoint.discoveries == 1
    assert not await provider.answers_with_issuer()
    endpoint.discovery = {"authorization_response_iss_parameter_supported": True}
    clock.forward(minutes=59)
    assert not await provider.answers_with_issuer()
    clock.forward(minutes=1)
    assert await provider.answers_with_issuer()
    assert endpoint.discoveries == 2


async def test_t71_a_known_document_outlives_an_outage(
    provider: Provider, endpoint: Endpoint, clock: HandClock
) -> None:
    """Renewal fails, the old one goes on, and the next attempt waits for five seconds."""
    known = await provider.metadata()
    endpoint.discovery = {"issuer": "https://broken.example/"}
    clock.forward(hours=2)
    assert await provider.metadata() == known
    assert await provider.metadata() == known
    assert endpoint.discoveries == 2
    clock.forward(seconds=5)
    assert await provider.metadata() == known
    assert endpoint.discoveries == 3


async def test_t71_an_outage_and_an_answer_without_addresses_cost_nothing(clock: HandClock) -> None:
    """Whatever comes in its place, the known document goes on, and is asked for again five seconds later (guards: what
    `Discovery._renew` keeps)."""
    issuer = "https://tenant.example/"
    good = {"issuer": issuer} | {
        name: f"{issuer}{name}" for name in ("authorization_endpoint", "token_endpoint", "jwks_uri")
    }
    answers: list[dict[str, str] | None] = [good, None, {}, {"issuer": issuer}, good | {"jwks_uri": "none"}]

    async def fetch(_: str) -> dict[str, str]:
        answer = answers.pop(0)
        if answer is None:
            raise ProviderUnavailable
        return answer

    discovery = Discovery(issuer, fetch, clock)
    assert await discovery.document() == good
    clock.forward(hours=2)
    for left in (3, 2, 1, 0):
        assert [await discovery.document(), await discovery.document()] == [good, good]
        assert len(answers) == left
        clock.forward(seconds=5)


@pytest.mark.parametrize("change", ["without its slash", "another", "missing", "no endpoint"])
async def test_t30_the_document_of_another_issuer_is_refused(
    provider: Provider, endpoint: Endpoint, change: str
) -> None:
    """To the letter: one slash less is another issuer, and a document without its endpoints is none (guards: the
    comparison, and `_NEEDED`, in `Discovery._renew`)."""
    endpoint.discovery = {
        "without its slash": {"issuer": endpoint.issuer[:-1]},
        "another": {"issuer": "https://tenant.example/"},
        "missing": {"issuer": None},
        "no endpoint": {"token_endpoint": None},
    }[change]
    with pytest.raises(ProviderUnavailable):
        await provider.metadata()


async def test_an_issuer_without_a_slash_is_found_too(endpoint: Endpoint, clock: HandClock) -> None:
    """The address of the document is built without doubling the slash, with a path or without."""
    for issuer in (endpoint.issuer[:-1], f"{endpoint.issuer}tenants/one", f"{endpoint.issuer}tenants/one/"):
        endpoint.discovery = {"issuer": issuer}
        provider = provider_for(endpoint, clock, issuer=issuer)
        assert (await provider.metadata())["issuer"] == issuer
        await provider.close()
