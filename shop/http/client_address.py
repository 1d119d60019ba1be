"""Which address a request comes from: forwarded headers are believed of known proxies only."""

import re
from collections.abc import Iterable
from functools import lru_cache
from ipaddress import IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

from django.conf import settings
from django.http import HttpRequest

LONGEST_CHAIN = 20  # entries of X-Forwarded-For that are looked at, from the right
LONGEST_ADDRESS = 64  # characters; the longest with zone and port has fewer

# Some balancers (Azure's) write the port too.
_WITH_PORT = re.compile(r"([0-9.]+):[0-9]{1,5}|\[([^\]]*)\](?::[0-9]{1,5})?")


def client_address(request: HttpRequest) -> str:
    """Return the client's address, IPv4-mapped IPv6 as IPv4. `unknown` when there is none.

    `X-Forwarded-For` is read from the right and only as far as addresses in `SHOP_TRUSTED_PROXIES`
    vouch for it: the first address that is not a proxy of ours is the client. Anything further
    left was written by the client itself. No other header is looked at.
    """
    address = _plain(request.META.get("REMOTE_ADDR", ""))
    if address is None:
        return "unknown"
    proxies = tuple(settings.SHOP_TRUSTED_PROXIES)
    if not proxies or not _is_proxy(address, proxies):
        return address
    hops = request.META.get("HTTP_X_FORWARDED_FOR", "").split(",")[-LONGEST_CHAIN:]
    for hop in reversed(hops):
        forwarded = _plain(hop.strip())
        if forwarded is None:
            break
        address = forwarded
        if not _is_proxy(address, proxies):
            break
    return address


def client_network(request: HttpRequest) -> str:
    """Return what counts as one client: an IPv4 address, or the /64 of an IPv6 one.

    A household gets a /64 and its devices choose addresses in it as they like.
    """
    return _network_of(client_address(request))


@lru_cache(maxsize=4096)
def _network_of(address: str) -> str:
    if ":" in address:
        return str(IPv6Network(f"{address}/64", strict=False))
    return address


def _plain(text: str) -> str | None:
    return _kept_plain(text) if len(text) <= LONGEST_ADDRESS else None


@lru_cache(maxsize=4096)
def _kept_plain(text: str) -> str | None:
    if with_port := _WITH_PORT.fullmatch(text):
        text = with_port[1] or with_port[2] or ""
    try:
        # A zone (%eth0) names an interface of whoever wrote it, and nothing of ours.
        address = ip_address(text.partition("%")[0])
    except ValueError:
        return None
    if isinstance(address, IPv6Address) and address.ipv4_mapped:
        return str(address.ipv4_mapped)
    return str(address)


@lru_cache(maxsize=4096)
def _is_proxy(address: str, proxies: tuple[str, ...]) -> bool:
    return any(ip_address(address) in network for network in _networks(proxies))


@lru_cache(maxsize=8)
def _networks(proxies: Iterable[str]) -> list[IPv4Network | IPv6Network]:
    return [ip_network(cidr, strict=False) for cidr in proxies]
