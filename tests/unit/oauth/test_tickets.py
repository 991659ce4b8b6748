"""Tickets and the codes that people carry by hand."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oauth import tickets
from oauth.tickets import Stage, Ticket
from tests.conftest import HandClock
from tests.fakes.house import ADA, PEOPLE


def ticket_at(clock: HandClock) -> Ticket:
    """A new ticket."""
    return Ticket(ADA, PEOPLE[ADA], tickets.hashed("secret"), Stage.OPEN, clock.now, clock.now + tickets.LIFETIME)


def test_a_ticket_lives_ten_minutes(clock: HandClock) -> None:
    """It is live to the last moment, and not at the end, whatever an index has removed by then."""
    ticket = ticket_at(clock)
    assert timedelta(minutes=10) == tickets.LIFETIME
    assert ticket.live(ticket.expires_at - timedelta(microseconds=1))
    assert not ticket.live(ticket.expires_at)


@pytest.mark.parametrize("stage", list(Stage))
def test_a_ticket_that_is_done_or_void_is_dead(clock: HandClock, stage: Stage) -> None:
    """Only the stages before them can lead to a link."""
    assert replace(ticket_at(clock), stage=stage).live(clock.now) == (stage not in {Stage.DONE, Stage.VOID})


def test_t16_a_secret_has_256_bits_and_is_kept_as_a_hash() -> None:
    """What goes into the URL is 32 random bytes, and its hash does not contain it (guards: `new_secret`, `hashed`)."""
    secrets = {tickets.new_secret() for _ in range(50)}
    assert len(secrets) == 50
    assert all(re.fullmatch(r"[A-Za-z0-9_-]{43}", secret) for secret in secrets)
    assert re.fullmatch(r"[0-9a-f]{64}", tickets.hashed(secrets.pop()))


def test_a_hash_is_made_of_anything_that_a_browser_sends() -> None:
    """Not even half of a surrogate pair breaks it."""
    assert tickets.hashed("\ud800") != tickets.hashed("\ud801")


def test_no_secret_shows_in_a_ticket(clock: HandClock) -> None:
    """A ticket in a log line shows no hash and nothing sealed."""
    ticket = replace(ticket_at(clock), browser_hash="B1", state_hash="S1", sealed_login="L1", sealed_grant="G1")
    assert not {"B1", "S1", "L1", "G1", ticket.hash} & set(re.split(r"\W+", repr(ticket)))


def test_a_code_is_read_aloud_without_mistakes() -> None:
    """Eight letters of an alphabet in which nothing looks like something else."""
    for _ in range(200):
        assert re.fullmatch(r"[0-9A-HJKMNP-TV-Z]{4}-[0-9A-HJKMNP-TV-Z]{4}", tickets.new_code())


@pytest.mark.parametrize("typed", ["4K0V-1Z9X", "4k0v1z9x", " 4k0v 1z9x\n", "4KOV-IZ9X", "4kou-lz9x", "`4K0V-1Z9X`"])
def test_a_code_forgives_how_it_is_typed(typed: str) -> None:
    """Case, spaces, dashes, quotes, and letters that look like those meant."""
    assert tickets.same_code(typed, "4K0V-1Z9X")


@pytest.mark.parametrize("typed", ["", "4K0V", "4K0V-1Z9Y", "4K0V-1Z9X4", "\ud8004K0V-1Z9", "٤K0V-1Z9X"])
def test_another_code_is_another(typed: str) -> None:
    """Part of a code, more than a code, and digits of other scripts are not the code."""
    assert not tickets.same_code(typed, "4K0V-1Z9X")


@given(st.text())
def test_whatever_is_typed_is_compared(typed: str) -> None:
    """No input makes the comparison fail, and none but the code itself is right."""
    same = tickets.same_code(typed, "4K0V-1Z9X")
    assert not same or len("".join(filter(str.isalnum, typed.upper()))) == 8
