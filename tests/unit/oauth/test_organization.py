"""Only members of one organization: at the login, in both tokens, and after each refresh."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from oauth.errors import GrantRefused, IdentityError, NotLinked, TokenInvalid, WrongOrganization
from tests.fakes.house import ADA, ADA_MAIL, BOB, House, token
from tests.fakes.provider import ISSUER

ORG = "org_1"


@pytest.fixture
def members(home: House) -> House:
    """A house for members of one organization, whose provider writes it into both tokens."""
    home.provider.spoil_id = {"org_id": ORG}
    home.provider.spoil_access = {"org_id": ORG}
    return home.replica(organization=ORG)


async def test_a_member_is_linked_with_their_organization(members: House) -> None:
    """And it goes into the trail with what they do."""
    ada = await members.link()
    assert ada.identity.org == ORG
    assert await token(members, ada)


@pytest.mark.parametrize("claims", [{"org_id": "org_2"}, {"org_id": ""}, {"org_id": [ORG]}, {"org_id": None}, {}])
@pytest.mark.parametrize("which", ["spoil_id", "spoil_access"])
async def test_whoever_is_no_member_is_not_linked(members: House, which: str, claims: dict[str, Any]) -> None:
    """Either token of another organization, or of none, ends the login (guard: `organization` in verify.py)."""
    setattr(members.provider, which, claims)
    with pytest.raises(WrongOrganization):
        await members.link()
    assert await members.rooms.links.principal(ADA) is None
    assert members.provider.living == []


@pytest.mark.parametrize("claims", [{"org_id": "org_2"}, {}])
async def test_whoever_has_left_the_organization_is_unlinked_by_the_next_refresh(
    members: House, claims: dict[str, Any]
) -> None:
    """The access token says so: it is not used, the link ends, its grant is revoked (guard: `Refresher._expel`)."""
    ada = await members.link()
    members.provider.spoil_access = claims
    with pytest.raises(WrongOrganization):
        await token(members, ada)
    assert await members.rooms.links.principal(ADA) is None
    assert members.provider.living == []
    assert members.observer.entries()[-2:] == [
        ("token.refused", "denied", "wrong_organization"),
        ("link.revoked", "ok", "wrong_organization"),
    ]
    assert members.observer.told[-1].reason == "wrong_organization"


async def test_an_id_token_of_a_refresh_is_checked_too(members: House) -> None:
    """Where one comes with it, it must be of the same organization (guard: `Refresher._same_person`)."""
    ada = await members.link()
    members.provider.spoil_refreshed = {"org_id": ORG, "nonce": "of the login"}
    assert await token(members, ada)
    members.clock.forward(hours=2)
    members.provider.spoil_refreshed = {"org_id": "org_2"}
    with pytest.raises(WrongOrganization):
        await token(members, ada)
    assert await members.rooms.links.principal(ADA) is None


async def test_t30_an_id_token_of_a_refresh_is_of_the_same_person(home: House) -> None:
    """Another `sub` is another person, and what came with it is not used (guard: `Refresher._same_person`)."""
    ada = await home.link()
    home.provider.spoil_refreshed = {"sub": "auth0|mallory"}
    with pytest.raises(TokenInvalid):
        await token(home, ada)
    home.provider.spoil_refreshed = {"iss": ISSUER + "x"}
    with pytest.raises(TokenInvalid):
        await token(home, ada)


async def test_whoever_may_not_any_more_is_unlinked_and_revoked(home: House) -> None:
    """The provider refuses the person and keeps the grant, so it is ended there too (guard: `GrantRefused`)."""
    ada = await home.link()
    home.provider.denies = True
    with pytest.raises(GrantRefused):
        await token(home, ada)
    assert await home.rooms.links.principal(ADA) is None
    assert home.provider.living == []
    assert home.observer.told[-1].reason == "grant_refused"


async def test_many_at_once_are_expelled_once(members: House) -> None:
    """Twenty callers, one entry for the end of the link and one word to the person; others stay."""
    ada = await members.link()
    bob = await members.link(BOB)
    members.provider.spoil_access = {"org_id": "org_2"}
    outcomes = await asyncio.gather(*(token(members, ada) for _ in range(20)), return_exceptions=True)
    assert {type(one) for one in outcomes} <= {WrongOrganization, NotLinked}
    assert [event.type for event in members.observer.told].count("link.revoked") == 1
    assert members.observer.entries().count(("link.revoked", "ok", "wrong_organization")) == 1
    assert await members.rooms.links.principal(BOB) == bob


async def test_an_opaque_token_is_of_no_organization(members: House) -> None:
    """What cannot be read could be of any (guard: the first lines of `Verifier.access_token`)."""
    members.provider.opaque = True
    with pytest.raises(IdentityError):
        await members.link(ADA, ADA_MAIL)
    assert await members.rooms.links.principal(ADA) is None
