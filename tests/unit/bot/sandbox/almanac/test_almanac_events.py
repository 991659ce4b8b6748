"""Almanac's API: its own tokens, and what they may do."""

from __future__ import annotations

import json
from typing import Any

import aiohttp
import pytest

LUNCH = {"title": "Lunch with Bob", "date": "2026-12-01", "time": "12:30"}


async def test_events_are_those_of_the_tokens_account(client: Any) -> None:
    """The soonest first."""
    tokens = await client.tokens("ada")
    status, found, _ = await client.call("GET", "/events", tokens["access_token"])
    assert status == 200
    assert found["events"][0] == {
        "id": "E-101",
        "account": "ada",
        "title": "Budget review",
        "date": "2026-11-30",
        "time": "09:30",
    }
    assert {event["account"] for event in found["events"]} == {"ada"}


async def test_an_event_is_added_under_the_token_that_wrote_it(client: Any, almanac: Any) -> None:
    """The page can name it, and the journal too."""
    tokens = await client.tokens("ada")
    status, event, _ = await client.call("POST", "/events", tokens["access_token"], LUNCH)
    assert status == 201
    assert {name: event[name] for name in LUNCH} == LUNCH
    written = next(one for one in almanac.events("ada") if one.id == event["id"])
    assert [one.title for one in almanac.events("ada")] == ["Budget review", "Lunch with Bob", "Dentist"]
    call = almanac.journal[-1]
    assert written.token == call.token
    assert (call.account, call.method, call.path, call.status) == ("ada", "POST", "/events", 201)
    assert almanac.events("bob")[-1].token is None


async def test_the_time_of_day_may_be_left_out(client: Any) -> None:
    """Then it is nine in the morning."""
    tokens = await client.tokens()
    _, event, _ = await client.call("POST", "/events", tokens["access_token"], {"title": "Call", "date": "2026-12-01"})
    assert event["time"] == "09:00"


@pytest.mark.parametrize(
    ("scopes", "method", "missing"), [("events:read", "POST", "events:write"), ("events:write", "GET", "events:read")]
)
async def test_each_call_needs_its_scope(client: Any, almanac: Any, scopes: str, method: str, missing: str) -> None:
    """403 with the error of RFC 6750 section 3.1, and nothing done."""
    tokens = await client.tokens("ada", scopes)
    status, refused, challenge = await client.call(method, "/events", tokens["access_token"], LUNCH)
    assert (status, refused["error"]) == (403, "insufficient_scope")
    assert missing in refused["error_description"]
    assert 'error="insufficient_scope"' in challenge
    assert len(almanac.events("ada")) == 2


async def test_only_its_own_tokens_are_taken(client: Any, almanac: Any) -> None:
    """None, nonsense, a refresh token, and one without its scheme are all 401, and in the journal as nobody's."""
    tokens = await client.tokens()
    for token in (None, "nonsense", tokens["refresh_token"]):
        status, refused, challenge = await client.call("GET", "/events", token)
        assert (status, refused["error"]) == (401, "invalid_token")
        assert challenge.startswith("Bearer ")
    for value in (tokens["access_token"], f"Basic {tokens['access_token']}"):
        assert (await client.call("GET", "/events", Authorization=value))[0] == 401
    assert [(call.account, call.token, call.status) for call in almanac.journal] == [(None, None, 401)] * 5


@pytest.mark.parametrize(
    "body",
    [
        [],
        {},
        {**LUNCH, "title": " "},
        {**LUNCH, "title": "x" * 201},
        {**LUNCH, "title": 7},
        {**LUNCH, "date": "tomorrow"},
        {**LUNCH, "date": "2026-02-30"},
        {**LUNCH, "date": "20261201"},
        {**LUNCH, "time": "0930"},
        {**LUNCH, "time": "25:00"},
        {**LUNCH, "time": None},
        {**LUNCH, "account": "bob"},
    ],
)
async def test_a_bad_event_is_refused(client: Any, almanac: Any, body: object) -> None:
    """And nothing is written."""
    tokens = await client.tokens()
    status, refused, _ = await client.call("POST", "/events", tokens["access_token"], body)
    assert (status, refused["error"]) == (400, "invalid_request")
    assert len(almanac.events("ada")) == 2


async def test_only_json_is_an_event(client: Any) -> None:
    """A form is none, nor is JSON that does not say that it is."""
    token = (await client.tokens())["access_token"]
    for body, kind in ((LUNCH, "application/x-www-form-urlencoded"), (json.dumps(LUNCH), "text/plain")):
        headers = {"Authorization": f"Bearer {token}", "Content-Type": kind}
        async with client.http.post(f"{client.almanac.url}/events", data=body, headers=headers) as answer:
            assert answer.status == 400


async def test_a_key_makes_a_repetition_harmless(client: Any, almanac: Any) -> None:
    """The same request of one account is one event; a different one under its key is refused, another's is its own."""
    adas, bobs = (await client.tokens("ada"))["access_token"], (await client.tokens("bob"))["access_token"]
    first = await client.call("POST", "/events", adas, LUNCH, Idempotency_Key="one")
    assert await client.call("POST", "/events", adas, LUNCH, Idempotency_Key="one") == first
    assert len(almanac.events("ada")) == 3
    status, refused, _ = await client.call("POST", "/events", adas, LUNCH | {"time": "13:00"}, Idempotency_Key="one")
    assert (status, refused["error"]) == (422, "idempotency_key_reused")
    assert (await client.call("POST", "/events", bobs, LUNCH, Idempotency_Key="one"))[1]["account"] == "bob"
    assert (await client.call("POST", "/events", adas, LUNCH, Idempotency_Key="k" * 256))[0] == 400


async def test_a_lost_answer_was_carried_out(client: Any, almanac: Any) -> None:
    """And the same key finds what came of it."""
    token = (await client.tokens())["access_token"]
    almanac.fail("events", lost=True)
    with pytest.raises(aiohttp.ClientError):
        await client.call("POST", "/events", token, LUNCH, Idempotency_Key="one")
    assert len(almanac.events("ada")) == 3
    assert (await client.call("POST", "/events", token, LUNCH, Idempotency_Key="one"))[0] == 201
    assert len(almanac.events("ada")) == 3


async def test_events_and_keys_survive_a_restart(almanac: Any, almanac_at: Any, client: Any) -> None:
    """With the token that wrote them, and the journal."""
    token = (await client.tokens())["access_token"]
    await client.call("POST", "/events", token, LUNCH, Idempotency_Key="one")
    events, journal = almanac.events("ada"), almanac.journal
    await almanac.stop()
    client.almanac = again = await almanac_at()
    assert (again.events("ada"), again.journal) == (events, journal)
    assert (await client.call("POST", "/events", token, LUNCH, Idempotency_Key="one"))[0] == 201
    assert again.events("ada") == events


@pytest.mark.parametrize("text", ["{not json", "[]", '{"grants": 7}', '{"grants": [], "tokens": {}, "events": [7]}'])
async def test_a_file_that_is_no_state_is_a_new_calendar(almanac_at: Any, tmp_path: Any, text: str) -> None:
    """A broken file does not keep the demo from starting."""
    (tmp_path / "almanac").mkdir()
    (tmp_path / "almanac" / "almanac.json").write_text(text, encoding="utf-8")
    assert len((await almanac_at()).events("ada")) == 2
