"""Where a browser is: what proxies of our own say counts, and what anybody can write does not."""

from __future__ import annotations

from ipaddress import ip_network

import pytest
from aiohttp import web
from aiohttp.test_utils import make_mocked_request

from oauth.own_page.addresses import browser_address, browser_of

PROXIES = (ip_network("10.0.0.0/8"), ip_network("2001:db8:ffff::/48"))


@pytest.mark.parametrize("forwarded", [[], ["192.0.2.1"], ["10.0.0.1"], ["192.0.2.1, 198.51.100.9"]])
def test_t77_whoever_is_no_proxy_of_ours_is_who_they_are(forwarded: list[str]) -> None:
    """Their `X-Forwarded-For` is made up, whatever it says (guard: the look at the peer in `browser_address`)."""
    assert browser_address("203.0.113.7", forwarded, PROXIES) == "203.0.113.7"
    assert browser_address("203.0.113.7", forwarded, ()) == "203.0.113.7"


@pytest.mark.parametrize(
    ("forwarded", "found"),
    [
        (["203.0.113.7"], "203.0.113.7"),
        (["192.0.2.1, 203.0.113.7"], "203.0.113.7"),
        (["192.0.2.1", "203.0.113.7"], "203.0.113.7"),
        (["192.0.2.1, 203.0.113.7, 10.2.3.4"], "203.0.113.7"),
        (["192.0.2.1, 203.0.113.7", "2001:db8:ffff::1, 10.2.3.4"], "203.0.113.7"),
        (["not an address, 203.0.113.7"], "203.0.113.7"),
        ([" 203.0.113.7 "], "203.0.113.7"),
        (["203.0.113.7:4711"], "203.0.113.7"),
        (["[2001:db8::7]:4711"], "2001:db8::7"),
        (["2001:db8::7"], "2001:db8::7"),
        (["::ffff:203.0.113.7"], "203.0.113.7"),
    ],
)
def test_t77_a_spoofed_address_never_wins(forwarded: list[str], found: str) -> None:
    """The right-most address that is no proxy of ours is the browser's; what stands to its left is made up (guard:
    the end of the loop in `browser_address`)."""
    assert browser_address("10.0.0.1", forwarded, PROXIES) == found


@pytest.mark.parametrize(
    "forwarded", [[], [""], ["unknown"], ["203.0.113.7, _hidden"], ["203.0.113.7,"], ["1.2.3.4.5"]]
)
def test_t77_what_cannot_be_read_leaves_the_peer(forwarded: list[str]) -> None:
    """A proxy that names nobody, or in a way that nobody understands, stands for itself: nothing to the left of it is
    believed (guard: the return for `named is None` in `browser_address`)."""
    assert browser_address("10.0.0.1", forwarded, PROXIES) == "10.0.0.1"


def test_who_is_inside_the_trusted_networks_is_found_too() -> None:
    """Where every hop is in them, the furthest one is the browser."""
    assert browser_address("10.0.0.1", ["10.9.9.9, 10.2.3.4"], PROXIES) == "10.9.9.9"


def test_a_proxy_is_known_through_either_socket() -> None:
    """An IPv4 peer at a dual-stack socket, or one with a scope, is the same machine."""
    assert browser_address("::ffff:10.0.0.1", ["203.0.113.7"], PROXIES) == "203.0.113.7"
    assert browser_address("fe80::1%eth0", [], PROXIES) == "fe80::1"


@pytest.mark.parametrize("peer", [None, "", "/run/bot.sock"])
def test_a_connection_without_an_address_has_none(peer: str | None) -> None:
    """Over a Unix socket there is nobody to compare with the trusted networks, so nothing is claimed."""
    assert browser_address(peer, ["203.0.113.7"], PROXIES) is None


def test_a_request_may_bring_several_lines() -> None:
    """They are one list in the order of their coming (RFC 9110 section 5.3)."""
    app = web.Application()
    headers = [("X-Forwarded-For", "192.0.2.1"), ("x-forwarded-for", "203.0.113.7")]
    request = make_mocked_request("GET", "/", headers=headers, app=app)  # type: ignore[arg-type]
    request = request.clone(remote="10.0.0.1")
    assert browser_of(request, PROXIES) == "203.0.113.7"
