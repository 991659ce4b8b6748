"""Asking people on their phones, as Auth0 does it: who is asked, how often, and how fast one may poll."""

from __future__ import annotations

import json
from typing import Any

import pytest

from bot.sandbox.tenant.backchannel import GRANT

CLIENT, SECRET = "countersign", "s3cret & more"


class Client:
    """The application, by hand."""

    def __init__(self, app: Any) -> None:
        self.tenant, self.http = app.tenant, app.http

    async def ask(self, person: str = "ada", **changes: str) -> tuple[int, dict[str, Any]]:
        """`POST /bc-authorize`."""
        hint = {"format": "iss_sub", "iss": self.tenant.issuer, "sub": f"auth0|{person}"}
        form = {"scope": "openid", "login_hint": json.dumps(hint), "binding_message": "refund-0123", **changes}
        return await self._post("bc-authorize", form)

    async def poll(self, name: str) -> tuple[int, dict[str, Any]]:
        """`POST /oauth/token`."""
        return await self._post("oauth/token", {"grant_type": GRANT, "auth_req_id": name})

    async def _post(self, path: str, form: dict[str, str]) -> tuple[int, dict[str, Any]]:
        own = {"client_id": CLIENT, "client_secret": SECRET}
        async with self.http.post(f"{self.tenant.issuer}{path}", data=own | form) as answer:
            return answer.status, await answer.json()


@pytest.fixture
def client(app: Any) -> Client:
    return Client(app)


async def test_whoever_agrees_on_the_phone_gives_one_token(client: Client, clock: Any) -> None:
    """It says when and how, and for which question; once (CIBA Core section 10.1.1)."""
    status, asked = await client.ask()
    assert (status, asked["interval"], asked["expires_in"]) == (200, 5, 300)
    (push,) = client.tenant.backchannel.pushes
    assert client.tenant.backchannel.answer(push.id, "approved")
    assert not client.tenant.backchannel.answer(push.id, "denied")
    status, given = await client.poll(asked["auth_req_id"])
    assert (status, "refresh_token" in given) == (200, False)
    claims = client.tenant.state.signer.verified(given["id_token"])
    assert (claims["sub"], claims["amr"]) == ("auth0|ada", ["mfa"])
    assert claims["urn:openid:params:jwt:claim:auth_req_id"] == asked["auth_req_id"]
    clock.forward(seconds=6)
    assert (await client.poll(asked["auth_req_id"]))[1]["error"] == "invalid_grant"


async def test_who_polls_too_fast_has_to_slow_down(client: Client, clock: Any) -> None:
    """By five seconds each time (CIBA Core section 11)."""
    name = (await client.ask())[1]["auth_req_id"]
    assert (await client.poll(name))[1]["error"] == "authorization_pending"
    assert (await client.poll(name))[1]["error"] == "slow_down"
    clock.forward(seconds=6)
    assert (await client.poll(name))[1]["error"] == "slow_down"
    clock.forward(seconds=16)
    assert (await client.poll(name))[1]["error"] == "authorization_pending"


async def test_a_denial_and_an_end(client: Client, clock: Any) -> None:
    """Each is said in its own word."""
    denied = (await client.ask())[1]["auth_req_id"]
    client.tenant.backchannel.answer(client.tenant.backchannel.pushes[-1].id, "denied")
    assert (await client.poll(denied))[1]["error"] == "access_denied"
    over = (await client.ask(requested_expiry="30"))[1]["auth_req_id"]
    clock.forward(seconds=31)
    assert not client.tenant.backchannel.answer(client.tenant.backchannel.pushes[-1].id, "approved")
    assert (await client.poll(over))[1]["error"] == "expired_token"


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"login_hint": "ada"}, "invalid_request"),
        ({"login_hint": '{"format": "iss_sub", "iss": "https://elsewhere/", "sub": "auth0|ada"}'}, "invalid_request"),
        ({"binding_message": "two words"}, "invalid_binding_message"),
        ({"binding_message": "x" * 65}, "invalid_binding_message"),
        ({"requested_expiry": "301"}, "invalid_request"),
        ({"scope": "profile"}, "invalid_scope"),
        ({"client_secret": "wrong"}, "access_denied"),
        ({"authorization_details": "{"}, "invalid_authorization_details"),
    ],
)
async def test_what_is_wrong_asks_nobody(client: Client, changes: dict[str, str], error: str) -> None:
    """No phone shows it."""
    status, said = await client.ask(**changes)
    assert status in {400, 401}
    assert said["error"] == error
    assert not client.tenant.backchannel.pushes


async def test_nobody_is_asked_more_than_five_times_a_minute(client: Client, clock: Any) -> None:
    """Nor is who is not there, or has no phone."""
    assert [(await client.ask())[0] for _ in range(6)] == [200] * 5 + [429]
    clock.forward(seconds=61)
    assert (await client.ask())[0] == 200
    assert (await client.ask("nobody"))[1]["error"] == "unknown_user_id"
    client.tenant.backchannel.unenrolled.add("bob")
    assert "not enrolled" in (await client.ask("bob"))[1]["error_description"]


async def test_the_page_of_phones_asks_and_only_its_own_form_answers(client: Client) -> None:
    """The words are shown, escaped; a form of another page does nothing."""
    await client.ask()
    (push,) = client.tenant.backchannel.pushes
    async with client.http.get(f"{client.tenant.issuer}u/phone") as page:
        assert "refund-0123" in await page.text()
    form = {"push": push.id, "answer": "approved"}
    async with client.http.post(f"{client.tenant.issuer}u/phone", data=form) as answer:
        assert answer.status == 403
    assert push.answer is None
    origin = {"Origin": client.tenant.issuer.rstrip("/")}
    async with client.http.post(f"{client.tenant.issuer}u/phone", data=form, headers=origin) as answer:
        assert answer.status == 200
    assert push.answer == "approved"
