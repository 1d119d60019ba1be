"""Which address a request comes from: forwarded headers are believed of known proxies only."""

from ipaddress import IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

from django.conf import settings
from django.http import HttpRequest

LONGEST_CHAIN = 20  # entries of X-Forwarded-For that are looked at, from the right


def client_address(request: HttpRequest) -> str:
    """Return the client's address, IPv4-mapped IPv6 as IPv4. `unknown` when there is none.

    `X-Forwarded-For` is read from the right and only as far as addresses in `SHOP_TRUSTED_PROXIES`
    vouch for it: the first address that is not a proxy of ours is the client. Anything further
    left was written by the client itself.
    """
    address = _plain(request.META.get("REMOTE_ADDR", ""))
    if address is None:
        return "unknown"
    proxies = [ip_network(cidr, strict=False) for cidr in settings.SHOP_TRUSTED_PROXIES]
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


def _plain(text: str) -> str | None:
    try:
        address = ip_address(text)
    except ValueError:
        return None
    if isinstance(address, IPv6Address) and address.ipv4_mapped:
        return str(address.ipv4_mapped)
    return str(address)


def _is_proxy(address: str, proxies: list[IPv4Network | IPv6Network]) -> bool:
    return any(ip_address(address) in proxy for proxy in proxies)
