"""Shapes of the catalogue over HTTP: what everybody is answered, and what staff send."""

from catalog.serializers.public import (
    CategoryResponse,
    CategoryTreeResponse,
    ProductListResponse,
    ProductResponse,
    RelatedResponse,
)

__all__ = [
    "CategoryResponse",
    "CategoryTreeResponse",
    "ProductListResponse",
    "ProductResponse",
    "RelatedResponse",
]
