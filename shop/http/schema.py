"""OpenAPI 3.1: what drf-spectacular needs to be told about our conventions."""

from collections.abc import Iterable
from typing import Any

from drf_spectacular.extensions import (
    OpenApiAuthenticationExtension,
    OpenApiSerializerFieldExtension,
)
from drf_spectacular.openapi import AutoSchema
from drf_spectacular.plumbing import ResolvedComponent
from rest_framework.permissions import AllowAny

_PROBLEM = {
    "type": "object",
    "description": "RFC 9457 problem details. GET /problems lists the codes.",
    "required": ["type", "title", "status", "detail", "code", "request_id", "retryable"],
    "properties": {
        "type": {"type": "string", "format": "uri-reference"},
        "title": {"type": "string"},
        "status": {"type": "integer", "minimum": 400, "maximum": 599},
        "detail": {"type": "string"},
        "code": {"type": "string", "pattern": "^[a-z0-9_]+$"},
        "request_id": {"type": "string"},
        "retryable": {"type": "boolean"},
        "errors": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["pointer", "code", "detail"],
                "properties": {
                    "pointer": {"type": "string"},
                    "code": {"type": "string"},
                    "detail": {"type": "string"},
                },
            },
        },
    },
    "additionalProperties": True,
}

_HEADERS = {
    "RateLimit-Policy": {
        "description": "The limit of this route: name, calls (q), seconds (w).",
        "schema": {"type": "string", "example": '"default";q=100;w=60'},
    },
    "RateLimit": {
        "description": "Calls left (r), and the seconds until one more is (t).",
        "schema": {"type": "string", "example": '"default";r=42;t=18'},
    },
    "Retry-After": {
        "description": "Seconds to wait before the same request is worth sending again.",
        "schema": {"type": "string", "pattern": "^[0-9]+$", "example": "18"},
    },
}
_ON_EVERY_ANSWER = ("RateLimit-Policy", "RateLimit")
_SAYS_WHEN = {"429", "503"}

_ANY_ROUTE = {
    "400": "The request is malformed.",
    "404": "There is nothing here, or it is somebody else's.",
    "405": "This path does not take that method.",
    "406": "The route answers in application/json.",
    "414": "The address is too long.",
    "429": "Asked too often.",
    "431": "The request headers are too large.",
    "500": "A bug of ours.",
    "503": "Something that this needs does not answer now.",
}
_WITH_BODY = {
    "413": "The body is too large.",
    "415": "This type of body is not read here.",
    "422": "Well formed, and against a rule.",
    "409": "The present state forbids it.",
}
_SIGNED_IN = {"401": "Sign in first.", "403": "You may not do this."}
_CHECKOUT = {"402": "The payment was declined."}
_CONDITIONAL = {"412": "It has changed since you read it."}


class ApiSchema(AutoSchema):
    """Operation ids by path and method, tags by the first word of the path."""

    def get_auth(self) -> list[dict[str, Any]]:
        """Say that nobody need sign in where `Public` stands: spectacular knows AllowAny alone."""
        auths: list[dict[str, Any]] = super().get_auth()
        if any(isinstance(p, AllowAny) for p in self.view.get_permissions()) and {} not in auths:
            auths.append({})
        return auths

    def get_tags(self) -> list[str]:
        words = [word for word in self.path.removeprefix("/api/v1/").split("/") if word]
        return [words[0]] if words else ["shop"]


class AccessTokenScheme(OpenApiAuthenticationExtension):
    target_class = "accounts.authentication.AccessTokenAuthentication"
    name = "accessToken"

    def get_security_definition(self, auto_schema: AutoSchema) -> dict[str, Any]:
        return {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"}


class MoneyScheme(OpenApiSerializerFieldExtension):
    target_class = "shop.http.serializers.MoneyField"
    match_subclasses = True

    def map_serializer_field(self, auto_schema: AutoSchema, direction: str) -> dict[str, Any]:
        component = ResolvedComponent(
            name="Money",
            type=ResolvedComponent.SCHEMA,
            schema={
                "type": "object",
                "description": "A decimal string with exactly the currency's ISO 4217 digits.",
                "required": ["amount", "currency"],
                "properties": {
                    "amount": {
                        "type": "string",
                        "pattern": r"^-?[0-9]{1,16}(\.[0-9]{1,3})?$",
                        "example": "19.99",
                    },
                    "currency": {"type": "string", "pattern": "^[A-Z]{3}$", "example": "GBP"},
                },
                "additionalProperties": False,
            },
            object="Money",
        )
        auto_schema.registry.register_on_missing(component)
        return component.ref


def document_conventions(
    result: dict[str, Any], generator: Any, request: Any, public: bool
) -> dict[str, Any]:
    """Give every operation its problem answers and shared headers (a spectacular hook)."""
    components = result.setdefault("components", {})
    components.setdefault("schemas", {})["Problem"] = _PROBLEM
    components.setdefault("headers", {}).update(_HEADERS)
    answers = components.setdefault("responses", {})
    for path, methods in result["paths"].items():
        for method, operation in methods.items():
            if method == "parameters":
                continue
            codes = dict(_ANY_ROUTE) | _SIGNED_IN
            if method in {"post", "put", "patch", "delete"}:
                codes |= _WITH_BODY | _CONDITIONAL
            if method == "post":
                if path.endswith("/checkout"):
                    codes |= _CHECKOUT
                _name_idempotency_key(operation)
            for response in operation["responses"].values():
                response.setdefault("headers", {}).update(_references(_ON_EVERY_ANSWER))
            for status, description in codes.items():
                name = f"Problem{status}"
                answers.setdefault(
                    name,
                    {
                        "description": description,
                        "headers": _references(
                            (*_ON_EVERY_ANSWER, *(["Retry-After"] if status in _SAYS_WHEN else ()))
                        ),
                        "content": {
                            "application/problem+json": {
                                "schema": {"$ref": "#/components/schemas/Problem"}
                            }
                        },
                    },
                )
                operation["responses"].setdefault(
                    status, {"$ref": f"#/components/responses/{name}"}
                )
    components["responses"] = dict(sorted(answers.items()))
    return result


def _references(names: Iterable[str]) -> dict[str, dict[str, str]]:
    return {name: {"$ref": f"#/components/headers/{name}"} for name in names}


def _name_idempotency_key(operation: dict[str, Any]) -> None:
    parameters = operation.setdefault("parameters", [])
    if any(p.get("name") == "Idempotency-Key" for p in parameters):
        return
    parameters.append(
        {
            "in": "header",
            "name": "Idempotency-Key",
            "required": False,
            "schema": {
                "type": "string",
                "minLength": 1,
                "maxLength": 255,
                "pattern": r"^[\x21-\x2b\x2d-\x7e]+$",
            },
            "description": "Sent again with the same body, the first answer comes back.",
        }
    )
