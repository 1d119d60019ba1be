"""Bodies and headers that are not what they say, through the server's own door."""

import io
import json
from typing import Any

import pytest
from gunicorn.http.errors import InvalidChunkSize  # type: ignore[import-untyped]

from shop.http.rate_limit.rates import Rate
from shop.wsgi import application

pytestmark = pytest.mark.django_db

REGISTER = "/api/v1/auth/register"
GOOD = json.dumps({"email": "jane@example.com", "password": "correct horse 9"}).encode()


class Broken(io.BytesIO):
    """A body that fails when it is read."""

    def __init__(self, error: Exception) -> None:
        super().__init__()
        self._error = error

    def read(self, size: int | None = -1, /) -> bytes:
        raise self._error


class Answer:
    """What came back for an environment of WSGI."""

    def __init__(self, environ: dict[str, Any]) -> None:
        asked = {
            "REQUEST_METHOD": "GET",
            "SCRIPT_NAME": "",
            "QUERY_STRING": "",
            "SERVER_NAME": "127.0.0.1",
            "SERVER_PORT": "8000",
            "SERVER_PROTOCOL": "HTTP/1.1",
            "REMOTE_ADDR": "127.0.0.1",
            "HTTP_HOST": "127.0.0.1:8000",
            "wsgi.url_scheme": "http",
            "wsgi.input": io.BytesIO(),
            "wsgi.errors": io.StringIO(),
            **environ,
        }
        # Without the signals of a whole call, which would close the connection of the test.
        response: Any = application.get_response(application.request_class(asked))
        self.status = response.status_code
        self.headers = response.headers
        self.body = response.content

    @property
    def code(self) -> str:
        assert self.headers["Content-Type"] == "application/problem+json"
        assert "X-Request-ID" in self.headers
        return str(json.loads(self.body)["code"])


def get(path: str, query: str = "", **headers: str) -> Answer:
    return Answer({"PATH_INFO": path, "QUERY_STRING": query, **headers})


def post(body: bytes | io.BytesIO, **headers: str) -> Answer:
    source = io.BytesIO(body) if isinstance(body, bytes) else body
    length = {"CONTENT_LENGTH": str(len(body))} if isinstance(body, bytes) else {}
    return Answer(
        {
            "REQUEST_METHOD": "POST",
            "PATH_INFO": REGISTER,
            "CONTENT_TYPE": "application/json",
            "wsgi.input": source,
            **length,
            **headers,
        }
    )


def chunked(body: bytes | io.BytesIO, **headers: str) -> Answer:
    source = io.BytesIO(body) if isinstance(body, bytes) else body
    return post(source, HTTP_TRANSFER_ENCODING="chunked", **headers)


@pytest.mark.parametrize("charset", ["hex", "undefined", "rot13", "idna", "utf-16", "utf-7", "?"])
def test_no_charset_changes_how_a_request_is_read(charset: str) -> None:
    answer = get("/api/v1/products", "q=mug", CONTENT_TYPE=f"text/plain; charset={charset}")

    assert answer.status == 200


def test_no_charset_makes_surrogates_of_letters() -> None:
    answer = get(
        "/api/v1/products", "q=%5Cud800%5Cx00", CONTENT_TYPE="text/plain; charset=unicode_escape"
    )

    assert answer.status == 200


def test_a_body_in_chunks_is_a_body() -> None:
    assert chunked(GOOD).status == 202


def test_a_body_in_chunks_has_the_limit_of_every_body() -> None:
    answer = chunked(b" " * 1_100_000)

    assert answer.status == 413
    assert answer.code == "body_too_large"


@pytest.mark.parametrize("error", [InvalidChunkSize(b"zz"), OSError("cut off")])
def test_broken_chunks_are_the_clients_fault(error: Exception) -> None:
    assert chunked(Broken(error)).code == "malformed_request"


def test_a_body_that_breaks_off_is_the_clients_fault() -> None:
    answer = post(Broken(OSError("cut off")), CONTENT_LENGTH="50")

    assert answer.status == 400
    assert answer.code == "malformed_request"


@pytest.mark.parametrize("coding", ["gzip", "gzip, chunked", "identity"])
def test_other_transfer_codings_are_refused(coding: str) -> None:
    assert post(io.BytesIO(GOOD), HTTP_TRANSFER_ENCODING=coding).code == "malformed_request"


@pytest.mark.parametrize("coding", ["gzip", "br", "deflate, gzip"])
def test_a_packed_body_is_refused_by_its_name(coding: str) -> None:
    answer = post(GOOD, HTTP_CONTENT_ENCODING=coding)

    assert answer.status == 415
    assert answer.code == "unsupported_media_type"
    assert answer.headers["Accept-Encoding"] == "identity"


def test_a_host_that_is_not_ours_is_refused() -> None:
    answer = get("/api/v1/cart", HTTP_HOST="evil.example")

    assert answer.status == 400
    assert answer.code == "malformed_request"


def test_probes_are_answered_under_any_host() -> None:
    assert get("/livez", HTTP_HOST="10.0.0.7:8000").status == 200


@pytest.mark.parametrize("path", [REGISTER, "/api/v1/nowhere", "/api/v1/imports"])
@pytest.mark.parametrize("length", [70_000, 2_000_000])
def test_what_nobody_reads_of_a_body_is_not_left_on_the_connection(path: str, length: int) -> None:
    sent = io.BytesIO(b" " * length)

    answer = post(sent, CONTENT_LENGTH=str(length), PATH_INFO=path)

    assert answer.status in {400, 401, 404, 413}
    assert sent.read() == b""


def test_a_body_far_too_large_is_not_read_at_all() -> None:
    sent = io.BytesIO(b" ")

    answer = post(sent, CONTENT_LENGTH=str(10**9))

    assert answer.code == "body_too_large"
    assert sent.tell() == 0


def test_nothing_is_read_from_whoever_is_over_the_limit(settings: Any) -> None:
    settings.SHOP_RATE_LIMIT = Rate(1, 60)
    post(io.BytesIO(b"{}"), CONTENT_LENGTH="2", PATH_INFO="/api/v1/nowhere")
    sent = io.BytesIO(b" " * 70_000)

    answer = post(sent, CONTENT_LENGTH="70000", PATH_INFO="/api/v1/nowhere")

    assert answer.status == 429
    assert sent.tell() == 0
