"""Where a browser really is, behind proxies of our own."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address

from aiohttp import hdrs, web

Network = IPv4Network | IPv6Network
_Address = IPv4Address | IPv6Address


def browser_of(request: web.Request, trusted: Sequence[Network]) -> str | None:
    """The address of whoever sent a request; None where the connection has none, as over a Unix socket."""
    return browser_address(request.remote, request.headers.getall(hdrs.X_FORWARDED_FOR, []), trusted)


def browser_address(peer: str | None, forwarded: Iterable[str], trusted: Sequence[Network]) -> str | None:
    """The peer, or where that is a trusted proxy, whom the proxies name.

    Each proxy adds on the right of `X-Forwarded-For` whom it heard from, and anybody can send the rest of the line
    (RFC 7239 section 8.1). So it is read from the right: the first address that is no proxy of ours is the browser's,
    and nothing to the left of it counts. What cannot be read ends the reading, and the peer stands.
    """
    here = _parsed(peer or "")
    if here is None or not _within(here, trusted):
        return str(here) if here else None
    found = here
    for entry in reversed([part.strip() for line in forwarded for part in line.split(",")]):
        named = _parsed(_without_port(entry))
        if named is None:
            return str(here)
        found = named
        if not _within(named, trusted):
            break
    return str(found)


def _parsed(text: str) -> _Address | None:
    """An address; one of IPv4 that came through an IPv6 socket is the one of IPv4."""
    try:
        found = ip_address(text.partition("%")[0])
    except ValueError:
        return None
    return (found.ipv4_mapped or found) if isinstance(found, IPv6Address) else found


def _without_port(entry: str) -> str:
    """Some proxies write `192.0.2.1:4711` or `[2001:db8::1]:4711`."""
    if entry.startswith("["):
        return entry[1:].partition("]")[0]
    return entry.partition(":")[0] if entry.count(":") == 1 else entry


def _within(address: _Address, networks: Sequence[Network]) -> bool:
    return any(address in network for network in networks)
