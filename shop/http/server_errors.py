"""What the server answers before Django has seen a request: in the one shape of all refusals.

Knows nothing of Django, as gunicorn's configuration imports it.
"""

import json
import secrets
import socket

_CODE_OF_STATUS = {
    414: ("uri_too_long", "The address is too long"),
    431: ("headers_too_large", "The request headers are too large"),
    500: ("internal_error", "Something went wrong on our side"),
}
_OTHERWISE = ("malformed_request", "The request is malformed")


def write_problem(sock: socket.socket, status_int: int, reason: str, mesg: str) -> None:
    """Answer a request that is no HTTP, or too long, with a problem, and close.

    In place of `gunicorn.util.write_error`, whose arguments these are. `mesg` quotes the request,
    so it is not repeated.
    """
    status = status_int if status_int in (400, 414, 431, 500) else 400
    code, title = _CODE_OF_STATUS.get(status, _OTHERWISE)
    request_id = secrets.token_hex(16)
    members = {
        "type": f"/problems/{code}",
        "title": title,
        "status": status,
        "detail": f"{title}.",
        "code": code,
        "request_id": request_id,
        "retryable": status == 500,
    }
    if code == "malformed_request":
        members["errors"] = []
    body = json.dumps(members, separators=(",", ":")).encode()
    head = (
        f"HTTP/1.1 {status} {reason if status == status_int else 'Bad Request'}\r\n"
        "Connection: close\r\n"
        "Content-Type: application/problem+json\r\n"
        "Cache-Control: no-store\r\n"
        f"X-Request-ID: {request_id}\r\n"
        f"Content-Length: {len(body)}\r\n\r\n"
    )
    sock.settimeout(1)  # a client that does not read does not hold a thread
    sock.sendall(head.encode() + body)
