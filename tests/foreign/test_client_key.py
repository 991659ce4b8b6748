"""The client shows who it is by a key (private_key_jwt) and has no secret: login, refresh and revocation."""

from __future__ import annotations

from pathlib import Path

from joserfc.jwk import RSAKey

from tests.foreign.product import world
from tests.foreign.test_whole_job import asked, assert_trail_holds, card_for_refund
from tests.foreign.token_endpoint import over


async def test_a_key_is_enough_for_the_whole_job(mongo_uri: str, tmp_path: Path) -> None:
    """Link, read, read again when the token is over, refund, unlink: every call of the provider is signed, none has a
    secret, the grant is gone at the end, and nothing of the key is in the log or the database (guards: the method of
    authentication for tokens and, by itself, for revocation in `RelyingParty`)."""
    key = RSAKey.generate_key(2048, {"kid": "of-the-rig", "alg": "RS256", "use": "sig"})
    private = dict(key.as_dict(private=True))
    async with world(mongo_uri, tmp_path, client_key=private) as built:
        assert "AUTH0_CLIENT_SECRET" not in built.environment
        ada, endpoint = built.workspace.person("ada"), built.token_endpoint
        await built.links(ada)
        await endpoint.gives_for(1)
        await asked(ada, "run show_order order_id=A-1")
        await over((await built.provider.issued())[-1]["access_token"])
        await endpoint.gives_for(300)
        assert "Countess" in await asked(ada, "run show_order order_id=A-1")
        card = await card_for_refund(ada)
        await ada.clicks(card, "approval.approve")
        await ada.sees("refund_order.* is done", after=card["ts"])
        assert "You are unlinked" in await ada.types("unlink")

        tokens, revocations = await endpoint.asked(), await endpoint.asked(endpoint="revocation")
        assert [each["grant_type"] for each in tokens] == ["authorization_code"] + ["refresh_token"] * 3
        assert {(each["authentication"], each["status"]) for each in tokens + revocations} == {("private_key_jwt", 200)}
        assert len(revocations) == 1
        assert {each["state"] for each in await built.provider.issued()} == {"gone"}
        stored = await built.stored()
        for part in ("d", "p", "q"):
            assert str(private[part]).encode() not in stored
            assert str(private[part]) not in built.product.said
        await assert_trail_holds(built)
