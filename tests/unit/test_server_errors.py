import json
import socket

import pytest

from shop.http.server_errors import write_problem
from shop.problems import catalogue


@pytest.mark.parametrize(
    ("told", "status"), [(400, 400), (414, 414), (431, 431), (417, 400), (501, 400), (500, 500)]
)
def test_what_is_no_http_is_refused_in_the_one_shape(told: int, status: int) -> None:
    server, client = socket.socketpair()

    write_problem(server, told, "Reason", "Request Line 'GET /?token=secret'")
    server.close()

    head, _, body = client.makefile("rb").read().partition(b"\r\n\r\n")
    problem = json.loads(body)
    assert head.startswith(f"HTTP/1.1 {status} ".encode())
    assert b"application/problem+json" in head
    assert b"secret" not in head + body
    known = {row["code"]: row for row in catalogue()}[problem["code"]]
    assert (problem["status"], problem["title"]) == (known["status"], known["title"])
    client.close()
