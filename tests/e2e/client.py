"""A shopper and a clerk over real HTTP, as thin as curl."""

import uuid
from typing import Any

import requests

ADDRESS = {
    "name": "Ada Lovelace",
    "line1": "12 St James's Square",
    "city": "London",
    "postal_code": "SW1Y 4JH",
    "country": "GB",
}


class Shopper:
    """One session with a running shop; a guest until `register` or `sign_in`."""

    def __init__(self, url: str) -> None:
        self.api = f"{url}/api/v1"
        self.session = requests.Session()

    def call(self, method: str, path: str, body: Any = None, **headers: str) -> requests.Response:
        """Send one request. Header names are given with underscores: `If_Match="…"`."""
        response = self.session.request(
            method,
            path if path.startswith("http") else f"{self.api}{path}",
            json=body,
            headers={name.replace("_", "-"): value for name, value in headers.items()},
            timeout=120,
        )
        if token := response.headers.get("X-Cart-Token"):
            self.session.headers["X-Cart-Token"] = token
        return response

    def get(self, path: str, **headers: str) -> requests.Response:
        return self.call("GET", path, **headers)

    def post(self, path: str, body: Any = None, **headers: str) -> requests.Response:
        return self.call("POST", path, {} if body is None else body, **headers)

    def sign_in(self, email: str, password: str) -> dict[str, Any]:
        tokens: dict[str, Any] = self.post(
            "/auth/token", {"email": email, "password": password}
        ).json()
        self.session.headers["Authorization"] = f"Bearer {tokens['access']}"
        return tokens

    def register(self) -> tuple[str, str]:
        """Register a new customer, sign in, and return e-mail and password."""
        email, password = f"{uuid.uuid4().hex}@example.com", "correct horse battery"
        answer = self.post("/auth/register", {"email": email, "password": password})
        assert answer.status_code == 202, answer.text
        self.sign_in(email, password)
        return email, password

    def add(self, variant_id: int, quantity: int = 1) -> requests.Response:
        return self.post("/cart/items", {"variant_id": variant_id, "quantity": quantity})

    def checkout(
        self, token: str = "tok_ok", *, key: str | None = None, **changes: Any
    ) -> requests.Response:
        body: dict[str, Any] = {
            "shipping_address": ADDRESS,
            "shipping_method": "standard",
            "payment": {"provider": "sandbox", "token": token},
        }
        if "Authorization" not in self.session.headers:
            body["email"] = "guest@example.com"
        body.update(changes)
        return self.post("/checkout", body, Idempotency_Key=key or uuid.uuid4().hex)


def problem(response: requests.Response) -> dict[str, Any]:
    """Return the problem of a refused request, having checked its shape."""
    assert response.headers["Content-Type"] == "application/problem+json", response.text
    body: dict[str, Any] = response.json()
    missing = {"type", "title", "status", "detail", "code", "request_id", "retryable"} - set(body)
    assert not missing, (missing, body)
    assert body["status"] == response.status_code
    return body
