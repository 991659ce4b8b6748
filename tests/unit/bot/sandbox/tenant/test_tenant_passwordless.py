"""`POST /passwordless/start`: who may have a mail sent, to whom, and what is in it."""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from joserfc import jwt
from joserfc.jwk import RSAKey

from bot.sandbox.tenant import Passwordless

SECRET = "s3cret & more"
ASSERTION = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"


async def test_a_code_of_six_digits_is_sent(app: Any, clock: Any) -> None:
    """It is in the mail and not in the answer, which names the account as Auth0's does."""
    status, body = await app.start()
    assert status == 200
    assert body.keys() == {"_id", "email", "email_verified"}
    assert (body["email"], body["email_verified"]) == ("ada@example.com", True)
    (mail,) = app.tenant.mail("ada@example.com")
    assert len(mail.code) == 6
    assert mail.code.isdecimal()
    assert mail.link is None
    assert (mail.sent_at, (mail.expires_at - mail.sent_at).total_seconds()) == (clock(), 180)
    assert mail.code not in str(body)
    assert mail.code not in repr(mail)


async def test_mails_are_kept_for_each_address_in_any_case(app: Any) -> None:
    """Oldest first, and nobody else's among them."""
    for address in ("ada@example.com", "bob@example.com", "ADA@Example.com"):
        assert (await app.start(address))[0] == 200
    assert [mail.to for mail in app.tenant.mail("Ada@example.com")] == ["ada@example.com"] * 2
    assert len(app.tenant.mail("bob@example.com")) == 1
    assert app.tenant.mail("carol@example.com") == []


async def test_who_forgets_to_ask_for_a_code_gets_a_link(app: Any) -> None:
    """As at Auth0 the default is a link, with the parameters that were given for it; there is no code to read then."""
    for changes in ({"send": None}, {"send": "link"}):
        assert (await app.start(**changes, authParams={"state": "a&b", "scope": "openid"}))[0] == 200
        mail = app.tenant.mail("ada@example.com")[-1]
        assert mail.code is None
        query = parse_qs(urlsplit(mail.link).query)
        assert (query["state"], query["scope"], query["email"]) == (["a&b"], ["openid"], ["ada@example.com"])
        assert len(query["verification_code"][0]) == 6
        assert mail.link.startswith(f"{app.tenant.issuer}passwordless/verify_redirect?")
        async with app.http.get(mail.link) as answer:
            assert answer.status == 501
            assert "one-time codes only" in await answer.text()


async def test_an_unknown_address_is_answered_like_a_known_one(app: Any) -> None:
    """Auth0 signs newcomers up; only `email_verified` differs, which a client must not show."""
    status, body = await app.start("eve@example.com")
    assert (status, body["email_verified"]) == (200, False)
    assert len(app.tenant.mail("eve@example.com")) == 1
    _, dans = await app.start("dan@example.com")
    assert dans["email_verified"] is False


async def test_without_sign_ups_an_unknown_address_is_refused(app: Any) -> None:
    """And no mail is sent: the setting by which Auth0 tells who has an account."""
    app.tenant.passwordless.signups = False
    status, body = await app.start("eve@example.com")
    assert (status, body["error"]) == (400, "bad.connection")
    assert app.tenant.mail("eve@example.com") == []
    assert (await app.start())[0] == 200


async def test_a_connection_that_is_off_sends_nothing(app: Any) -> None:
    """Auth0's words for it."""
    app.tenant.passwordless.enabled = False
    assert await app.start() == (400, {"error": "bad.connection", "error_description": "Connection is disabled"})
    assert app.tenant.mail("ada@example.com") == []


@pytest.mark.parametrize(
    ("changes", "status", "error"),
    [
        ({"client_id": None}, 400, "bad.client_id"),
        ({"client_id": 7}, 400, "bad.client_id"),
        ({"connection": None}, 400, "bad.connection"),
        ({"connection": "sms", "phone_number": "+11234567890"}, 400, "bad.connection"),
        ({"email": None}, 400, "bad.email"),
        ({"email": ""}, 400, "bad.email"),
        ({"email": "ada"}, 400, "bad.email"),
        ({"email": "ada@example"}, 400, "bad.email"),
        ({"email": "ada@example.com, eve@example.com"}, 400, "bad.email"),
        ({"email": "ada@example.com\r\nBcc: eve@example.com"}, 400, "bad.email"),
        ({"email": "a" * 64 + "@" + "b" * 180 + ".exampleexample"}, 400, "bad.email"),
        ({"email": {"$ne": ""}}, 400, "bad.email"),
        ({"send": "sms"}, 400, "bad.send"),
        ({"authParams": "scope=openid"}, 400, "bad.authParams"),
        ({"otp": "123456"}, 400, "bad.request"),
        ({"client_secret": None}, 403, "unauthorized_client"),
        ({"client_secret": "wrong"}, 401, "access_denied"),
        ({"client_id": "another"}, 401, "access_denied"),
    ],
)
async def test_a_bad_request_sends_nothing(app: Any, changes: dict[str, Any], status: int, error: str) -> None:
    """Each is refused with the code that the Authentication API lists, and a sentence."""
    got, body = await app.start(**changes)
    assert (got, body["error"]) == (status, error)
    assert body["error_description"]
    assert list(app.tenant.state.mailbox.sent) == []
    assert app.tenant.passwordless_calls == 1


@pytest.mark.parametrize("text", ["{", "[]", "null", "[" * 60_000])
async def test_a_body_that_is_no_object_is_refused(app: Any, text: str) -> None:
    """Also one that is nested beyond what a parser bears."""
    address, headers = f"{app.tenant.issuer}passwordless/start", {"Content-Type": "application/json"}
    async with app.http.post(address, data=text, headers=headers) as answer:
        assert (answer.status, (await answer.json())["error"]) == (400, "bad.request")


async def test_a_form_is_refused(app: Any) -> None:
    """The endpoint is documented with JSON only."""
    status, body = await app.post("passwordless/start", connection="email", email="ada@example.com", send="code")
    assert (status, body["error"]) == (400, "bad.request")


async def test_a_client_with_a_key_proves_itself_by_it(tenants: Any, app_at: Any) -> None:
    """private_key_jwt in place of the secret; a forged assertion sends nothing."""
    key = RSAKey.generate_key(2048)
    app = app_at(await tenants(client_key=key.as_dict(private=False)))
    now = int(app.tenant.state.clock().timestamp())
    claims = {"iss": "countersign", "sub": "countersign", "aud": app.tenant.issuer, "exp": now + 60}
    for signer, status in ((key, 200), (RSAKey.generate_key(2048), 401)):
        assertion = jwt.encode({"alg": "RS256"}, claims | {"jti": str(status)}, signer)
        got, _ = await app.start(client_secret=None, client_assertion_type=ASSERTION, client_assertion=assertion)
        assert got == status
    assert (await app.start())[0] == 401
    assert len(app.tenant.mail("ada@example.com")) == 1


async def test_the_persons_own_address_is_recorded(app: Any) -> None:
    """`auth0-forwarded-for`, as it came, or nothing."""
    await app.start(headers={"auth0-forwarded-for": "203.0.113.7"})
    await app.start()
    assert [mail.forwarded_for for mail in app.tenant.mail("ada@example.com")] == ["203.0.113.7", None]


class TestRates:
    """Fifty an hour from one caller (Auth0's limit), and ours for one address."""

    @pytest.fixture
    async def app(self, tenants: Any, app_at: Any) -> Any:
        """A tenant that is quick to say no."""
        return app_at(await tenants(passwordless=Passwordless(per_ip=4, per_address=2)))

    async def answer(self, app: Any, address: str, caller: str | None = None) -> tuple[int, Any]:
        """The status and the headers."""
        body = {"client_id": "countersign", "client_secret": SECRET, "connection": "email", "send": "code"}
        headers = {} if caller is None else {"auth0-forwarded-for": caller}
        target = f"{app.tenant.issuer}passwordless/start"
        async with app.http.post(target, json=body | {"email": address}, headers=headers) as answer:
            await answer.read()
            return answer.status, answer.headers

    async def test_one_callers_flood_is_stopped_and_no_other(self, app: Any) -> None:
        """The person's own address counts, not the server's, since the application is trusted to forward it.

        What is refused to the one does not count for those to whom the mails would have gone.
        """
        people = [*(f"p{number}@example.com" for number in range(4)), "p4@example.com", "p4@example.com"]
        got = [(await self.answer(app, one, "203.0.113.7"))[0] for one in people]
        assert got == [200, 200, 200, 200, 429, 429]
        assert (await self.answer(app, "p4@example.com", "203.0.113.8"))[0] == 200
        assert (await self.answer(app, "p5@example.com"))[0] == 200

    async def test_without_trust_the_header_counts_for_nothing(self, app: Any) -> None:
        """As at Auth0 until "Trust Token Endpoint IP Header" is on: everybody shares the server's bucket."""
        app.tenant.passwordless.trust_forwarded_for = False
        got = [(await self.answer(app, f"p{n}@example.com", f"203.0.113.{n}"))[0] for n in range(5)]
        assert got == [200, 200, 200, 200, 429]

    async def test_a_header_that_is_no_address_counts_for_nothing(self, app: Any) -> None:
        """Whoever makes callers up has one bucket for all of them."""
        got = [(await self.answer(app, f"p{n}@example.com", f"made-up-{n}"))[0] for n in range(5)]
        assert got == [200, 200, 200, 200, 429]

    async def test_one_address_is_not_flooded_from_many(self, app: Any) -> None:
        """In any case of its letters; other addresses go on."""
        got = [
            (await self.answer(app, address, f"203.0.113.{number}"))[0]
            for number, address in enumerate(("ada@example.com", "Ada@example.com", "ADA@EXAMPLE.COM"))
        ]
        assert got == [200, 200, 429]
        assert len(app.tenant.mail("ada@example.com")) == 2
        assert (await self.answer(app, "bob@example.com"))[0] == 200

    async def test_the_headers_say_how_much_is_left_and_when_there_is_more(self, app: Any, clock: Any) -> None:
        """Four an hour: one more every fifteen minutes, and not a second earlier."""
        now = int(clock().timestamp())
        left = [(await self.answer(app, f"p{n}@example.com"))[1]["X-RateLimit-Remaining"] for n in range(4)]
        assert left == ["3", "2", "1", "0"]
        status, headers = await self.answer(app, "p4@example.com")
        assert (status, headers["Retry-After"], headers["X-RateLimit-Limit"]) == (429, "900", "4")
        assert headers["X-RateLimit-Reset"] == str(now + 900)
        clock.forward(seconds=899)
        assert (await self.answer(app, "p4@example.com"))[0] == 429
        clock.forward(seconds=1)
        status, headers = await self.answer(app, "p4@example.com")
        assert status == 200
        assert "Retry-After" not in headers

    async def test_a_429_is_said_as_auth0_says_it(self, app: Any) -> None:
        """An error object that points to the headers."""
        for _ in range(2):
            await app.start()
        status, body = await app.start()
        assert (status, body["error"]) == (429, "too_many_requests")
        assert "X-RateLimit-Reset" in body["error_description"]


async def test_the_endpoint_can_fail_by_itself(app: Any) -> None:
    """For a client that has to bear it."""
    app.tenant.fail("passwordless", status=503)
    assert [(await app.start())[0] for _ in range(2)] == [503, 200]
