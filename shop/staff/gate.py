"""Where the admin is: below a path of its own, on its hosts, for its networks; else nowhere."""

from collections.abc import Callable
from functools import lru_cache
from ipaddress import ip_address, ip_network

from django.conf import settings
from django.http import Http404, HttpRequest
from django.http.request import split_domain_port
from django.http.response import HttpResponseBase

from shop.http.client_address import client_address
from shop.observe.security import Event, note


class AdminGateMiddleware:
    """Answers whoever may not reach the admin as any path is answered that leads nowhere."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        if is_for_admin(request) and not may_reach_admin(request):
            note(Event.ADMIN_REFUSED)
            raise Http404
        return self.get_response(request)


def is_for_admin(request: HttpRequest) -> bool:
    """Tell whether the path is the admin's."""
    return request.path_info.startswith(settings.SHOP_ADMIN_PATH)


def may_reach_admin(request: HttpRequest) -> bool:
    """Tell whether host and address are among those that the admin is there for."""
    hosts = settings.SHOP_ADMIN_HOSTS
    if hosts and split_domain_port(request.get_host())[0] not in hosts:
        return False
    networks = settings.SHOP_ADMIN_NETWORKS
    return not networks or _is_in(client_address(request), tuple(networks))


@lru_cache(maxsize=1024)
def _is_in(address: str, networks: tuple[str, ...]) -> bool:
    try:
        client = ip_address(address)
    except ValueError:  # unknown
        return False
    return any(client in ip_network(one, strict=False) for one in networks)
