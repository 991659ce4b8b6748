"""Signed in at the provider and at Slack, in one browser: the Slack person must be the one whom the link is for."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace
from typing import Any

import pytest

from oauth import IdentityError, SlackUser
from oauth.errors import (
    IdentityTaken,
    LoginRefused,
    NoCodePending,
    ProviderUnavailable,
    SealBroken,
    SlackDiffers,
    StateUnknown,
    StoreUnavailable,
    TicketUnknown,
    TokenInvalid,
    WrongBrowser,
)
from oauth.tickets import Stage
from tests.fakes.house import ADA, ADA_ELSEWHERE, ADA_MAIL, BOB, BOB_MAIL, EVE_MAIL, PEOPLE, House, token_keys
from tests.fakes.observer import TrailAway
from tests.fakes.provider import signing_key
from tests.fakes.slack_openid import FakeSlackOpenId

Answer = dict[str, Any]
IN_GRID = SlackUser("T1", "UADA", "E1")


async def to_slack(home: House, slack: SlackUser = ADA, email: str = ADA_MAIL, **how: Any) -> str:
    """Through the link and the login at the provider; the address at Slack to which the browser is sent."""
    returned = await home.return_as(slack, email, **how)
    assert returned.principal is None
    return str(returned.onward)


async def brings_back(slack: FakeSlackOpenId, url: str, person: SlackUser | None, browser: str = "browser-1") -> Answer:
    """Who is signed in to Slack there goes on; the arguments of `returned_from_slack`."""
    brought = await slack.sign_in(url, person)
    return {"browser": browser, **{name: brought.get(name) for name in ("state", "code", "error", "iss")}}


async def outcome(home: House, answer: Answer) -> type[BaseException] | None:
    """What Slack's answer ends in: an error's class, or None for a link."""
    try:
        await home.rooms.linking.returned_from_slack(**answer)
    except IdentityError as error:
        return type(error)
    return None


async def nobody_linked(home: House) -> bool:
    """Whether there is no link at all, and no grant that somebody could use."""
    return not [p async for p in home.rooms.links.principals()] and home.provider.living == []


@pytest.mark.parametrize("email", [ADA_MAIL, EVE_MAIL])
async def test_who_is_signed_in_to_slack_as_the_person_is_linked(
    home_with_slack: House, slack: FakeSlackOpenId, email: str
) -> None:
    """Nothing is linked before, not even by the same verified address; and afterwards as with any proof."""
    home = home_with_slack
    url = await to_slack(home, email=email)
    assert [p async for p in home.rooms.links.principals()] == []
    returned = await home.rooms.linking.returned_from_slack(**await brings_back(slack, url, ADA))
    assert returned.principal is not None
    assert (returned.principal.slack, returned.principal.identity.email) == (ADA, email)
    assert returned.principal == await home.rooms.links.principal(ADA)
    assert home.observer.entries() == [("link.started", "ok", None), ("link.completed", "ok", None)]
    assert home.observer.told[-1].principal == returned.principal
    assert len(home.provider.living) == 1
    assert home.store.kept_tickets[ADA.key].sealed_grant is None


async def test_t12_who_signs_in_through_a_forwarded_link_is_not_its_sender(
    home_with_slack: House, slack: FakeSlackOpenId
) -> None:
    """Bob forwards his link, Ada signs in to both: nobody is linked, the grant ends, Bob's entry says why (guard: the
    comparison of `is_person` in `SlackLogins.finish`)."""
    home = home_with_slack
    answer = await brings_back(slack, await to_slack(home, BOB, ADA_MAIL), ADA)
    assert await outcome(home, answer) is SlackDiffers
    assert await nobody_linked(home)
    refused = home.observer.recorded[-1]
    assert (refused.type, refused.slack, refused.reason) == ("link.refused", BOB, "slack_differs")
    assert refused.identity is not None
    assert refused.identity.email == ADA_MAIL
    assert home.observer.told[-1] == refused


async def test_t13_who_uses_my_link_is_not_me(home_with_slack: House, slack: FakeSlackOpenId) -> None:
    """Bob signs in to both through Ada's link: nobody is linked, the grant ends, and Ada can still use her link
    (guard: the comparison of `is_person` in `SlackLogins.finish`)."""
    home = home_with_slack
    secret = await home.start(ADA)
    returned = await home.rooms.linking.returned(**await home.sign_in(secret, BOB_MAIL))
    assert await outcome(home, await brings_back(slack, str(returned.onward), BOB)) is SlackDiffers
    assert await nobody_linked(home)
    assert home.observer.told[-1].slack == ADA
    returned = await home.rooms.linking.returned(**await home.sign_in(secret, ADA_MAIL))
    assert await outcome(home, await brings_back(slack, str(returned.onward), ADA)) is None


@pytest.mark.parametrize(
    ("signed_in", "made_for", "refused"),
    [
        (ADA_ELSEWHERE, ADA, SlackDiffers),
        (replace(ADA_ELSEWHERE, enterprise="E1"), ADA, SlackDiffers),
        (replace(ADA_ELSEWHERE, enterprise="E2"), IN_GRID, SlackDiffers),
        (ADA_ELSEWHERE, IN_GRID, SlackDiffers),
        (replace(BOB, enterprise="E1"), IN_GRID, SlackDiffers),
        (replace(ADA_ELSEWHERE, enterprise="E1"), IN_GRID, None),
        (IN_GRID, IN_GRID, None),
        (IN_GRID, ADA, None),
    ],
)
async def test_t59_the_same_user_id_counts_in_its_own_workspace_alone(
    home_with_slack: House,
    slack: FakeSlackOpenId,
    signed_in: SlackUser,
    made_for: SlackUser,
    refused: type[IdentityError] | None,
) -> None:
    """Of another workspace it is somebody else, except within the one Enterprise Grid organization that the link is
    for (guard: the workspace and organization in `is_person`)."""
    home = home_with_slack
    started = await home.rooms.linking.start(made_for, PEOPLE[ADA], fresh=True)
    secret = str(started.url).rpartition("/")[2]
    returned = await home.rooms.linking.returned(**await home.sign_in(secret, ADA_MAIL))
    assert await outcome(home, await brings_back(slack, str(returned.onward), signed_in)) is refused
    assert await nobody_linked(home) is (refused is not None)


@pytest.mark.parametrize("browser", [None, "", "browser-2", "\ud800"])
async def test_t18_slacks_answer_in_another_browser_is_refused(
    home_with_slack: House, slack: FakeSlackOpenId, browser: str | None
) -> None:
    """Bob signs in at the provider through Ada's link and lets her follow the address at Slack: her browser is not the
    login's, no call is made, and the answer is not spent (guard: the comparison of `browser_hash` in
    `Linking._begun`)."""
    home = home_with_slack
    answer = await brings_back(slack, await to_slack(home, ADA, BOB_MAIL), ADA)
    assert await outcome(home, answer | {"browser": browser}) is WrongBrowser
    assert slack.forms == []
    assert home.observer.entries()[-1] == ("link.refused", "denied", "wrong_browser")
    assert await outcome(home, answer) is None


async def test_t19_a_state_works_once_and_for_its_own_login(home_with_slack: House, slack: FakeSlackOpenId) -> None:
    """Replayed it is spent; swapped it meets the wrong browser; invented it is unknown (guard: `sealed_slack` is taken
    in `Proving.by_slack`)."""
    home = home_with_slack
    ada = await brings_back(slack, await to_slack(home, ADA, ADA_MAIL, browser="of-ada"), ADA, "of-ada")
    bob = await brings_back(slack, await to_slack(home, BOB, BOB_MAIL, browser="of-bob"), BOB, "of-bob")
    assert await outcome(home, ada | {"state": bob["state"]}) is WrongBrowser
    assert await outcome(home, ada | {"state": "invented"}) is StateUnknown
    assert slack.forms == []
    assert await outcome(home, ada) is None
    assert await outcome(home, ada) is StateUnknown
    assert len(slack.forms) == 1
    assert [e.slack for e in home.observer.recorded if e.type == "link.refused"] == [BOB, None, ADA]
    assert len(home.provider.living) == 2


async def test_t19_a_refused_answer_is_spent_too(home_with_slack: House, slack: FakeSlackOpenId) -> None:
    """Whoever was refused cannot come back with the same state as somebody else (guard: `sealed_slack` is taken in
    `Proving.by_slack`)."""
    home = home_with_slack
    url = await to_slack(home)
    assert await outcome(home, await brings_back(slack, url, BOB)) is SlackDiffers
    assert await outcome(home, await brings_back(slack, url, ADA)) is StateUnknown
    assert await nobody_linked(home)


async def test_t19_no_state_opens_the_other_door(home_with_slack: House, slack: FakeSlackOpenId) -> None:
    """The provider's state means nothing on the way back from Slack, nor Slack's on the way back from the provider;
    and neither is spent by it (guard: the stage in `Linking._begun`, and in each step after it)."""
    home = home_with_slack
    first = await home.sign_in(await home.start(), ADA_MAIL)
    assert await outcome(home, first) is StateUnknown
    returned = await home.rooms.linking.returned(**first)
    second = await brings_back(slack, str(returned.onward), ADA)
    with pytest.raises(StateUnknown):
        await home.rooms.linking.returned(**second)
    assert slack.forms == []
    assert await outcome(home, second) is None


async def test_t10_one_of_a_hundred_answers_wins(home_with_slack: House, slack: FakeSlackOpenId) -> None:
    """The same answer at three replicas, a hundred times at once: one link, and its grant lives (guard: the match on
    `sealed_slack` in `Proving.by_slack`)."""
    home = home_with_slack
    answer = await brings_back(slack, await to_slack(home), ADA)
    homes = [home, home.replica(**slack.settings), home.replica(**slack.settings)]
    outcomes = await asyncio.gather(*(outcome(homes[n % 3], answer) for n in range(100)))
    assert outcomes.count(None) == 1
    assert set(outcomes) == {None, StateUnknown}
    assert (len(slack.forms), len(home.provider.living)) == (1, 1)
    for replica in homes[1:]:
        await replica.rooms.close()


@pytest.mark.parametrize("pkce", [False, True])
async def test_t20_a_code_of_another_login_is_refused(
    home_with_slack: House, slack: FakeSlackOpenId, pkce: bool
) -> None:
    """Bob, in the middle of Ada's link, has got hold of a code that Slack made for Ada in another login (guard: `nonce`
    in `Verifier.id_token`, and PKCE where Slack offers it)."""
    home = home_with_slack
    slack.pkce = pkce
    bob = await brings_back(slack, await to_slack(home, ADA, BOB_MAIL), BOB)
    elsewhere = await brings_back(slack, await to_slack(home, BOB, ADA_MAIL, browser="of-ada"), ADA, "of-ada")
    assert await outcome(home, bob | {"code": elsewhere["code"]}) is (LoginRefused if pkce else TokenInvalid)
    assert await home.rooms.links.principal(ADA) is None
    assert [grant.person["email"] for grant in home.provider.living] == [ADA_MAIL]


@pytest.mark.parametrize(("announced", "iss"), [(True, None), (True, "x"), (False, "https://mallory.example")])
async def test_t21_a_wrong_or_missing_issuer_stops_before_the_token_call(
    home_with_slack: House, slack: FakeSlackOpenId, announced: bool, iss: str | None
) -> None:
    """As at the provider: RFC 9207 (guard: `code_of`)."""
    home = home_with_slack
    slack.announces_iss = announced
    answer = await brings_back(slack, await to_slack(home), ADA)
    assert await outcome(home, answer | {"iss": iss}) is TokenInvalid
    assert slack.forms == []
    assert await nobody_linked(home)
    assert await outcome(home, await brings_back(slack, await to_slack(home), ADA)) is None


async def test_t22_a_refusal_of_slack_ends_the_grant_and_not_the_link(
    home_with_slack: House, slack: FakeSlackOpenId
) -> None:
    """Cancelled there, an answer with nothing in it, an error beside a code: the grant is revoked, and the same link is
    begun anew (guards: the look at both in `code_of`, `end_login` in `Proving.by_slack`)."""
    home = home_with_slack
    secret = await home.start()
    for person, error in ((None, "access_denied"), (None, None), (ADA, "access_denied")):
        returned = await home.rooms.linking.returned(**await home.sign_in(secret, ADA_MAIL))
        answer = await brings_back(slack, str(returned.onward), person)
        with pytest.raises(LoginRefused) as refused:
            await home.rooms.linking.returned_from_slack(**answer | {"error": error})
        assert refused.value.error == (error or "no_code")
        assert home.store.kept_tickets[ADA.key].stage is Stage.RETURNED
        assert await nobody_linked(home)
    returned = await home.rooms.linking.returned(**await home.sign_in(secret, ADA_MAIL))
    assert await outcome(home, await brings_back(slack, str(returned.onward), ADA)) is None
    assert len(home.provider.living) == 1


FORGED = [
    ({"nonce": "of another login"}, "nonce"), ({"nonce": None}, "nonce"), ({"aud": "other.app"}, "aud"),
    ({"iss": "https://slack.com"}, "iss"), ({"exp": 1}, "exp"), ({"iat": 9e9}, "iat"), ({"sub": None}, "sub"),
    ({"https://slack.com/user_id": None}, "user_id"), ({"https://slack.com/user_id": ["UADA"]}, "user_id"),
    ({"https://slack.com/team_id": None}, "team_id"), ({"https://slack.com/team_id": ""}, "team_id"),
    ({"events": {}}, "events"),
]  # fmt: skip


@pytest.mark.parametrize(("spoil", "claim"), FORGED)
async def test_t27_each_claim_of_slacks_token_must_hold(
    home_with_slack: House, slack: FakeSlackOpenId, spoil: dict[str, Any], claim: str
) -> None:
    """Nonce, audience, issuer, times and the two ids are checked as in every ID token (guard: the functions of
    `oauth.verify`, one a claim, and `is_person`)."""
    home = home_with_slack
    answer = await brings_back(slack, await to_slack(home), ADA)
    slack.spoil = spoil
    with pytest.raises(TokenInvalid) as invalid:
        await home.rooms.linking.returned_from_slack(**answer)
    assert invalid.value.claim == claim
    assert await nobody_linked(home)
    assert home.observer.entries()[-1] == ("link.refused", "denied", "token_invalid")


@pytest.mark.parametrize(
    ("headers", "claim"),
    [({"typ": "at+jwt"}, "typ"), ({"kid": "key-1"}, "kid"), ({"jku": "https://m.example"}, "header")],
)
async def test_t26_slacks_token_is_an_id_token_of_slacks_own_key(
    home_with_slack: House, slack: FakeSlackOpenId, headers: dict[str, str], claim: str
) -> None:
    """Another kind of token, another key's name, or a key of its own (guard: `Verifier._signed`)."""
    home = home_with_slack
    answer = await brings_back(slack, await to_slack(home), ADA)
    slack.headers = headers
    with pytest.raises(TokenInvalid) as invalid:
        await home.rooms.linking.returned_from_slack(**answer)
    assert invalid.value.claim == claim
    assert await nobody_linked(home)


@pytest.mark.parametrize(("kid", "claim"), [("key-1", "kid"), ("slack-1", "signature")])
async def test_t26_the_providers_key_does_not_sign_for_slack(
    home_with_slack: House, slack: FakeSlackOpenId, kid: str, claim: str
) -> None:
    """Two providers, two sets of keys: neither may speak for the other (guard: the keys in `_slack_logins`)."""
    home = home_with_slack
    answer = await brings_back(slack, await to_slack(home), ADA)
    slack.key, slack.headers = signing_key(), {"kid": kid}
    with pytest.raises(TokenInvalid) as invalid:
        await home.rooms.linking.returned_from_slack(**answer)
    assert invalid.value.claim == claim
    assert await nobody_linked(home)


@pytest.mark.parametrize("away", ["openid-configuration", "openid.connect.token", "keys"])
async def test_t71_while_slack_is_away_nothing_is_linked_and_the_link_stays(
    home_with_slack: House, slack: FakeSlackOpenId, clock: Any, away: str
) -> None:
    """Wherever it fails, the grant ends with one entry; afterwards the same link works."""
    home, secret = home_with_slack, await home_with_slack.start()
    slack.away = {away}

    async def whole_way() -> None:
        returned = await home.rooms.linking.returned(**await home.sign_in(secret, ADA_MAIL))
        await home.rooms.linking.returned_from_slack(**await brings_back(slack, str(returned.onward), ADA))

    with pytest.raises(ProviderUnavailable):
        await whole_way()
    assert await nobody_linked(home)
    assert home.observer.entries()[-1] == ("link.refused", "denied", "provider_unavailable")
    slack.away = set()
    clock.forward(seconds=5)
    await whole_way()
    assert await home.rooms.links.principal(ADA) is not None


async def test_no_code_proves_where_slack_does(home: House, home_with_slack: House) -> None:
    """There is none to type, none is asked for, and one from before the setting was changed counts no more."""
    await to_slack(home_with_slack)
    assert home_with_slack.store.kept_tickets[ADA.key].sealed_code is None
    assert await home_with_slack.rooms.linking.pending(ADA) is None
    for prover in (home, home_with_slack):
        with pytest.raises(NoCodePending):
            await prover.rooms.linking.enter_code(ADA, "0000-0000")
    returned = await home.return_as(ADA, EVE_MAIL)
    with pytest.raises(NoCodePending):
        await home_with_slack.rooms.linking.enter_code(ADA, str(returned.code))
    assert await home.rooms.links.principal(ADA) is None


async def test_a_grant_whose_answer_never_comes_ends_in_time(home_with_slack: House, slack: FakeSlackOpenId) -> None:
    """Ten minutes after the login the answer is too late, and the sweep revokes what waited for it."""
    home = home_with_slack
    answer = await brings_back(slack, await to_slack(home), ADA)
    home.clock.forward(minutes=10)
    assert await outcome(home, answer) is StateUnknown
    assert len(home.provider.living) == 1
    await home.rooms.sweep()
    assert await nobody_linked(home)


@pytest.mark.parametrize("how", ["another browser", "a newer link", "unlinked"])
async def test_a_login_that_was_superseded_while_slack_was_asked_links_nobody(
    home_with_slack: House, slack: FakeSlackOpenId, how: str
) -> None:
    """The grant has one owner: who took it out of the ticket has ended it, and the answer comes too late."""
    home = home_with_slack
    secret = await home.start()
    returned = await home.rooms.linking.returned(**await home.sign_in(secret, ADA_MAIL))

    async def meanwhile() -> None:
        if how == "another browser":
            other = await home.rooms.linking.returned(**await home.sign_in(secret, BOB_MAIL, browser="browser-2"))
            assert other.onward is not None
        elif how == "a newer link":
            await home.start()
        else:
            await home.rooms.links.unlink(ADA, "unlink")

    slack.hold = meanwhile
    assert await outcome(home, await brings_back(slack, str(returned.onward), ADA)) is TicketUnknown
    assert await home.rooms.links.principal(ADA) is None
    assert [grant.person["email"] for grant in home.provider.living] == ([BOB_MAIL] if "browser" in how else [])


async def test_a_refusal_that_comes_late_does_not_end_a_newer_login(
    home_with_slack: House, slack: FakeSlackOpenId
) -> None:
    """Another login through the same link has taken this one's place while Slack was asked: its grant stays.

    Nothing is revoked twice either: at the provider that could end whatever the person has granted since.
    """
    home = home_with_slack
    secret = await home.start()
    returned = await home.rooms.linking.returned(**await home.sign_in(secret, BOB_MAIL))
    newer: list[str] = []

    async def meanwhile() -> None:
        again = await home.rooms.linking.returned(**await home.sign_in(secret, ADA_MAIL, browser="browser-2"))
        newer.append(str(again.onward))

    slack.hold = meanwhile
    assert await outcome(home, await brings_back(slack, str(returned.onward), BOB)) is SlackDiffers
    assert len(home.provider.revoked) == 1
    assert await outcome(home, await brings_back(slack, newer[0], ADA, "browser-2")) is None
    assert [grant.person["email"] for grant in home.provider.living] == [ADA_MAIL]


@pytest.mark.parametrize("step", ["advance", "holder", "add_link"])
async def test_t74_a_store_that_fails_leaves_no_grant_behind(
    home_with_slack: House, slack: FakeSlackOpenId, step: str
) -> None:
    """Wherever it breaks off after Slack's word, nobody is linked, and the grant ends by itself or by the sweep."""
    home = home_with_slack
    answer = await brings_back(slack, await to_slack(home), ADA)

    async def fails_from_now_on() -> None:
        home.store.fails[step] = 1

    slack.hold = fails_from_now_on
    assert await outcome(home, answer) is StoreUnavailable
    home.clock.forward(minutes=11)
    await home.rooms.sweep()
    assert await nobody_linked(home)


async def test_t74_a_store_that_fails_on_the_way_to_slack_leaves_no_grant_behind(home_with_slack: House) -> None:
    """The address at Slack was shown to nobody, so what waits is of no use."""
    home = home_with_slack
    answer = await home.sign_in(await home.start(), ADA_MAIL)

    async def fails_from_now_on() -> None:
        home.store.fails["advance"] = 1

    home.provider.hold = fails_from_now_on
    with pytest.raises(StoreUnavailable):
        await home.rooms.linking.returned(**answer)
    assert await nobody_linked(home)


async def test_t17_an_account_that_is_somebody_elses_is_refused(home_with_slack: House, slack: FakeSlackOpenId) -> None:
    """Slack's word shows who the person is, and not that the account is free (guards: `holder` in `Links.make`, and
    `Taken` of `add_link` again)."""
    home = home_with_slack
    assert await outcome(home, await brings_back(slack, await to_slack(home, ADA), ADA)) is None
    assert await outcome(home, await brings_back(slack, await to_slack(home, BOB, ADA_MAIL), BOB)) is IdentityTaken
    assert await home.rooms.links.principal(BOB) is None
    assert (home.observer.told[-1].slack, home.observer.told[-1].other) == (BOB, ADA)


async def test_t54_no_entry_no_link(home_with_slack: House, slack: FakeSlackOpenId) -> None:
    """The entry comes before the link; failing it, nobody is linked and the grant ends."""
    home = home_with_slack
    answer = await brings_back(slack, await to_slack(home), ADA)
    home.observer.away = True
    with pytest.raises(TrailAway):
        await home.rooms.linking.returned_from_slack(**answer)
    assert await nobody_linked(home)


async def test_t16_the_database_knows_no_secret_of_the_login_at_slack(
    home_with_slack: House, slack: FakeSlackOpenId
) -> None:
    """State, nonce and verifier are hashed or sealed, and gone once they were used or the login is begun anew (guards:
    `hashed` in `Proving._send_to_slack`, `Vault.seal`, `sealed_slack` in `Linking.go_on`)."""
    home, secret = home_with_slack, await home_with_slack.start()
    slack.pkce = True
    await home.rooms.linking.returned(**await home.sign_in(secret, EVE_MAIL))
    again = await home.sign_in(secret, ADA_MAIL)
    assert home.store.kept_tickets[ADA.key].sealed_slack is None
    returned = await home.rooms.linking.returned(**again)
    answer = await brings_back(slack, str(returned.onward), ADA)
    nonce, verifier = home.opened(ADA, "slack")
    assert nonce == slack.authorized[0]["nonce"]
    dump = home.store.dump()
    assert not [value for value in (answer["state"], answer["code"], nonce, verifier) if value in dump]
    assert await outcome(home, answer) is None
    assert home.store.kept_tickets[ADA.key].sealed_slack is None


@pytest.mark.parametrize("place", ["sealed_slack", "sealed_grant"])
async def test_t34_a_login_that_was_altered_is_refused_and_on_record(
    home_with_slack: House, slack: FakeSlackOpenId, place: str
) -> None:
    """What somebody wrote into the database opens nothing; one entry, no link."""
    home = home_with_slack
    answer = await brings_back(slack, await to_slack(home), ADA)
    home.store.kept_tickets[ADA.key] = replace(home.store.kept_tickets[ADA.key], **{place: "altered"})
    assert await outcome(home, answer) is SealBroken
    assert home.observer.entries()[-1] == ("link.refused", "denied", "seal_broken")
    assert await home.rooms.links.principal(ADA) is None


async def test_t34_what_the_provider_was_asked_with_is_of_no_use_at_slack(
    home_with_slack: House, slack: FakeSlackOpenId
) -> None:
    """Mallory, who can write the database, puts the first login's nonce, which she knows, in the place of Slack's
    (guard: the field's name in what is sealed)."""
    home = home_with_slack
    secret = await home.start()
    answer = await home.sign_in(secret, ADA_MAIL)
    first = home.store.kept_tickets[ADA.key].sealed_login
    returned = await home.rooms.linking.returned(**answer)
    home.store.kept_tickets[ADA.key] = replace(home.store.kept_tickets[ADA.key], sealed_slack=first)
    assert await outcome(home, await brings_back(slack, str(returned.onward), ADA)) is SealBroken
    assert slack.forms == []


async def test_t35_a_login_under_way_survives_a_new_key(home_with_slack: House, slack: FakeSlackOpenId) -> None:
    """What waits for Slack's word is sealed anew with all the rest."""
    home = home_with_slack
    answer = await brings_back(slack, await to_slack(home), ADA)
    newer = type(home.vault)(token_keys("k2", "k1"))
    rotated = replace(home, vault=newer).replica(**slack.settings)
    assert (await rotated.rooms.reseal()).broken == ()
    header = home.store.kept_tickets[ADA.key].sealed_slack
    assert header is not None
    assert newer.current(header)
    assert json.loads(newer.open(header, record=f"ticket:{ADA.key}", name="slack"))[0] == slack.authorized[0]["nonce"]
    assert await outcome(rotated, answer) is None
    await rotated.rooms.close()
