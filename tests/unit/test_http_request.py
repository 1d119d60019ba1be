"""What the shop's own request and its own headers do as Django's would, and sooner."""

from typing import Any

import pytest
from django.core.exceptions import DisallowedHost
from django.http import HttpResponse
from django.test import RequestFactory
from pytest_django import Settings

from shop.http.headers import block_of, write_block, write_own
from shop.http.request import ShopRequest


def request_to(host: str, **meta: Any) -> ShopRequest:
    return ShopRequest(RequestFactory().get("/", HTTP_HOST=host, **meta).environ)


def test_a_host_is_served_as_long_as_it_is_allowed(settings: Settings) -> None:
    settings.ALLOWED_HOSTS = ["shop.example", ".example.com"]
    for host in ["shop.example", "Shop.Example:8000", "a.example.com"]:
        assert request_to(host).get_host() == host

    settings.ALLOWED_HOSTS = ["shop.example"]

    assert request_to("shop.example").get_host() == "shop.example"
    with pytest.raises(DisallowedHost):
        request_to("a.example.com").get_host()


@pytest.mark.parametrize("host", ["", "evil.test", "shop.example@evil.test", "a" * 300, "a b"])
def test_another_host_is_refused_each_time(settings: Settings, host: str) -> None:
    settings.ALLOWED_HOSTS = ["shop.example"]

    for _ in range(2):
        with pytest.raises(DisallowedHost):
            request_to(host).get_host()


def test_a_forwarded_host_counts_only_where_it_is_believed(settings: Settings) -> None:
    settings.ALLOWED_HOSTS = ["shop.example"]
    request = request_to("shop.example", HTTP_X_FORWARDED_HOST="evil.test")
    assert request.get_host() == "shop.example"

    settings.USE_X_FORWARDED_HOST = True

    with pytest.raises(DisallowedHost):
        request.get_host()


def test_headers_of_our_own_are_kept_as_django_keeps_them() -> None:
    said = {"ETag": '"1"', "Cache-Control": "no-store", "X-Request-ID": "abc"}
    ours, django = HttpResponse(b""), HttpResponse(b"", headers=said)
    ours["etag"] = "before"

    write_block(ours, block_of([("Cache-Control", "no-store")]))
    for name in ("ETag", "X-Request-ID"):
        write_own(ours, name, said[name])

    assert dict(ours.items()) == dict(django.items())
    assert ours["x-request-id"] == "abc"
    del ours["ETAG"]
    assert "ETag" not in ours.headers


def test_a_block_is_looked_through_once_when_it_is_made() -> None:
    with pytest.raises(ValueError, match="newline"):
        block_of([("X-Note", "a\r\nSet-Cookie: b=c")])
