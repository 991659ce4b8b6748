"""Links for connecting an account, and what was asked for: handed out once, and not lost with a process."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from oauth.accounts.asking import LEFT
from oauth.accounts.flow import CONNECTED
from oauth.errors import NotLinked, SealBroken, TicketUnknown
from oauth.models import LinkVersion
from tests.fakes.connecting import SCOPES, Errand
from tests.fakes.house import ADA, ADA_ELSEWHERE, PUBLIC_URL
from tests.fakes.observer import TrailAway


class Killed(BaseException):
    """The process is no more."""


def told(ada: Errand, type_: str) -> list[str | None]:
    """Of which accounts somebody was told this."""
    return [event.reason for event in ada.home.observer.told if event.type == type_]


async def test_t16_the_database_has_no_link_and_nothing_that_was_asked(ada: Errand) -> None:
    """Only a hash, and what waits sealed; the link is on our own address."""
    started = await ada.start(waiting="canary-question")
    assert started.url is not None
    assert started.url.startswith(f"{PUBLIC_URL}/connect/")
    secret = started.url.rpartition("/")[2]
    assert len(secret) >= 43
    assert secret not in ada.home.account_store.dump()
    assert "canary-question" not in ada.home.account_store.dump()
    assert ada.entries() == [("link.started", "ok", "connect_almanac")]
    assert ada.home.observer.recorded[-1].scopes == SCOPES


async def test_one_live_link_for_each_account(ada: Errand) -> None:
    """Of thirty who ask, at three replicas, one gets a link, to which the others are pointed."""
    homes = [ada.home, ada.home.replica(), ada.home.replica()]
    started = await asyncio.gather(*(replace(ada, home=homes[n % 3]).start() for n in range(30)))
    assert len([one for one in started if one.url is not None]) == 1
    assert len({one.expires_at for one in started}) == 1
    assert (await ada.start(connection="drive")).url is not None
    assert len(ada.entries()) == 2


async def test_the_last_question_goes_on(ada: Errand) -> None:
    """A later one takes the place of an earlier one, through the same link."""
    await ada.at_third_party(waiting="first question")
    assert (await ada.start(waiting="what I ask now \ud800")).url is None
    await ada.allowed()
    assert await ada.home.rooms.accounts.asking.take(ada.who, "almanac") == "what I ask now ?"


@pytest.mark.parametrize("over", ["time", "scopes", "withdrawn"])
async def test_a_link_that_leads_nowhere_is_replaced(ada: Errand, over: str) -> None:
    """Too old, for less than is needed now, or never delivered: the next one is another, and the old one is void."""
    secret = await ada.link()
    match over:
        case "time":
            ada.home.clock.forward(minutes=10)
        case "scopes":
            assert await ada.link(scopes=SCOPES | {"events:delete"})
        case "withdrawn":
            await ada.home.rooms.accounts.asking.withdraw(ada.who, "almanac")
            assert await ada.link()
    with pytest.raises(TicketUnknown):
        await ada.home.rooms.accounts.connecting.open(secret)
    assert over != "time" or await ada.link()


async def test_a_link_that_somebody_has_opened_is_not_withdrawn(ada: Errand) -> None:
    """What looked like a failure to send it was none."""
    secret = await ada.link()
    await ada.to_login(secret)
    await ada.home.rooms.accounts.asking.withdraw(ada.who, "almanac")
    assert (await ada.signed_in()).onward is not None


async def test_t54_without_an_entry_there_is_no_link(ada: Errand) -> None:
    """Nobody gets it, so nobody is pointed to it either (guard: `_end` in `start`)."""
    ada.home.observer.away = True
    with pytest.raises(TrailAway):
        await ada.start()
    ada.home.observer.away = False
    assert (await ada.start()).url is not None


async def test_a_question_is_handed_out_once(ada: Errand) -> None:
    """Of thirty who ask at three replicas one gets it (guard: the match in `_taken`)."""
    await ada.at_third_party()
    assert await ada.home.rooms.accounts.asking.take(ada.who, "almanac") is None
    await ada.allowed()
    assert told(ada, CONNECTED) == ["almanac"]
    homes = [ada.home, ada.home.replica(), ada.home.replica()]
    got = await asyncio.gather(*(homes[n % 3].rooms.accounts.asking.take(ada.who, "almanac") for n in range(30)))
    assert [one for one in got if one is not None] == ["what was asked"]


async def test_a_question_is_for_one_account_and_one_link(ada: Errand) -> None:
    """Neither another account, nor a later link, nor the same person elsewhere gets it (guard: `link_version`)."""
    await ada.at_third_party()
    await ada.allowed()
    asking = ada.home.rooms.accounts.asking
    assert await asking.take(ada.who, "drive") is None
    assert await asking.take(replace(ada.who, version=LinkVersion("later")), "almanac") is None
    assert await asking.take(replace(ada.who, slack=ADA_ELSEWHERE), "almanac") is None
    assert await asking.take(ada.who, "almanac") == "what was asked"


async def test_t74_a_question_outlives_the_process_that_connected(ada: Errand) -> None:
    """Killed between the provider's answer and the question: the round reminds of it (guards: the stage that is set
    before `complete`, and `sweep`)."""
    await ada.at_third_party()
    store, at_rest = ada.home.account_store, {}

    async def killed() -> None:
        at_rest.update(store.kept)
        raise Killed

    ada.home.my_account.hold = killed
    with pytest.raises(Killed):
        await ada.allowed()
    store.kept = at_rest
    sweep = ada.home.rooms.accounts.sweep
    await sweep()
    assert told(ada, LEFT) == []
    ada.home.clock.forward(seconds=61)
    await sweep()
    assert told(ada, LEFT) == ["almanac"]
    assert await ada.home.rooms.accounts.asking.take(ada.who, "almanac") == "what was asked"
    await sweep()
    assert told(ada, LEFT) == ["almanac"]


async def test_what_was_asked_under_a_link_that_is_gone_is_forgotten(ada: Errand) -> None:
    """Nobody is reminded, and it goes."""
    await ada.at_third_party()
    await ada.allowed()
    await ada.home.rooms.links.unlink(ADA, "unlink")
    ada.home.clock.forward(seconds=61)
    await ada.home.rooms.accounts.sweep()
    assert told(ada, LEFT) == []
    assert ada.home.account_store.kept[f"{ADA.key}:almanac"].sealed_waiting is None


async def test_what_is_long_over_is_not_asked_any_more(ada: Errand) -> None:
    """After an outage of ten minutes it might be wrong now; after an hour nothing of it is left."""
    await ada.at_third_party()
    await ada.allowed()
    ada.home.clock.forward(minutes=11)
    await ada.home.rooms.accounts.sweep()
    assert told(ada, LEFT) == []
    assert ada.home.account_store.kept != {}
    ada.home.clock.forward(minutes=60)
    await ada.home.rooms.accounts.sweep()
    assert ada.home.account_store.kept == {}


async def test_t34_a_question_that_does_not_open_is_not_asked(ada: Errand) -> None:
    """Altered in the database, or moved from another account's ticket, it is nobody's question."""
    await ada.at_third_party()
    await ada.allowed()
    await ada.link(connection="drive", waiting="of another account")
    kept = ada.home.account_store.kept
    moved = kept[f"{ADA.key}:drive"].sealed_waiting
    kept[f"{ADA.key}:almanac"] = replace(kept[f"{ADA.key}:almanac"], sealed_waiting=moved)
    with pytest.raises(SealBroken):
        await ada.home.rooms.accounts.asking.take(ada.who, "almanac")


@pytest.mark.parametrize("end", ["unlink", "logout", "relinked"])
async def test_t61_a_link_is_void_with_the_link_that_it_was_made_for(ada: Errand, end: str) -> None:
    """However that ended; also where the person has another one by now (guard: `_live`)."""
    secret = await ada.link()
    if end == "logout":
        await ada.home.rooms.links.revoke_subject(ada.who.sub, "logout")
    elif end == "unlink":
        await ada.home.rooms.links.unlink(ADA, "deactivated")
    else:
        await ada.home.link()
    with pytest.raises(NotLinked):
        await ada.home.rooms.accounts.connecting.open(secret)
    if end == "relinked":
        now = await ada.home.rooms.links.principal(ADA)
        assert now is not None
        assert (await replace(ada, who=now).start()).url is not None
