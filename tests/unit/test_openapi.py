"""The committed OpenAPI document is the one that the code makes."""

from pathlib import Path

from drf_spectacular.generators import SchemaGenerator
from drf_spectacular.renderers import OpenApiYamlRenderer
from openapi_spec_validator import validate

ROOT = Path(__file__).resolve().parents[2]


def test_the_committed_document_is_current() -> None:
    schema = SchemaGenerator().get_schema(request=None, public=True)

    made = OpenApiYamlRenderer().render(schema, renderer_context={}).decode()

    committed = (ROOT / "docs" / "openapi.yaml").read_text(encoding="utf-8")
    assert made == committed, "run `make openapi` and look at the difference"


def test_the_document_is_valid_openapi() -> None:
    validate(SchemaGenerator().get_schema(request=None, public=True))


def test_every_route_of_the_api_is_documented_with_a_summary() -> None:
    schema = SchemaGenerator().get_schema(request=None, public=True)

    for path, methods in schema["paths"].items():
        for method, operation in methods.items():
            assert operation.get("summary"), f"{method} {path} has no summary"
            assert operation["operationId"], f"{method} {path}"
