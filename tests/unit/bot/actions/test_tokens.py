"""Which token an action is called with: our own provider's for its API, or a third party's."""

from __future__ import annotations

import pytest

from bot.actions.tokens import token_of
from oauth.errors import AccountNotConnected
from tests.fakes.runner import Deed, FakeLinks, FakeTokens, person

ADA = person("ada")
READ = frozenset({"events:read"})


@pytest.fixture
def tokens() -> FakeTokens:
    """A broker; Ada is linked, and has connected her calendar for reading."""
    links = FakeLinks()
    links.link(ADA)
    return FakeTokens(links, accounts={(ADA.sub, "almanac"): READ})


async def test_without_a_connection_it_is_our_own(tokens: FakeTokens) -> None:
    """For the action's audience, or else the configured one."""
    for action in (Deed().action(), Deed().action(audience="https://special.example.com")):
        await token_of(tokens, ADA, action, "https://api.example.com")
    assert [one.audience for one in tokens.given] == ["https://api.example.com", "https://special.example.com"]


async def test_with_a_connection_it_is_the_third_partys(tokens: FakeTokens) -> None:
    """And for the scopes that the action needs there, though the person's login knows none of them."""
    action = Deed().action(scopes=READ, connection="almanac")
    token = await token_of(tokens, ADA, action, "https://api.example.com")
    assert (token.audience, token.scopes) == ("connection:almanac", READ)


async def test_what_only_says_who_it_is_is_not_missed(tokens: FakeTokens) -> None:
    """Google answers `profile` with an address, and `offline_access` with nothing (guard: `IDENTITY_SCOPES`)."""
    wanted = READ | {"openid", "profile", "email", "offline_access"}
    token = await token_of(tokens, ADA, Deed().action(scopes=wanted, connection="almanac"), "")
    assert token.scopes == READ


@pytest.mark.parametrize(("connection", "scopes"), [("drive", READ), ("almanac", READ | {"events:write"})])
async def test_what_is_not_connected_is_said(tokens: FakeTokens, connection: str, scopes: frozenset[str]) -> None:
    """Neither another account's token nor one that does not reach that far takes its place."""
    with pytest.raises(AccountNotConnected) as caught:
        await token_of(tokens, ADA, Deed().action(scopes=scopes, connection=connection), "")
    assert (caught.value.connection, caught.value.scopes) == (connection, scopes)
    assert tokens.given == []
