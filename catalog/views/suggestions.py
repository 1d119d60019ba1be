"""Suggestions while a shopper types."""

from django.conf import settings
from django.http import HttpResponse
from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request

from catalog.selectors import suggestions_rendered
from catalog.serializers.public import SuggestionsQuery, SuggestionsResponse
from catalog.views.public import IF_NONE_MATCH, NOT_MODIFIED, CatalogueView
from shop.http.conditional import public_answer


class SuggestionsView(CatalogueView):
    @extend_schema(
        operation_id="products_suggest",
        tags=["Catalogue"],
        summary="Products and categories for the first letters of a search",
        description=(
            "Every word may be the beginning of one in a title, a vendor, a tag or a category. "
            "Only if nothing begins like that are words of four letters and more taken for the "
            "closest known ones. At most ten, of them at most three categories, which come first."
        ),
        parameters=[SuggestionsQuery, IF_NONE_MATCH],
        responses={200: SuggestionsResponse, 304: NOT_MODIFIED},
    )
    def get(self, request: Request) -> HttpResponse:
        query = SuggestionsQuery.parse_query(request)
        currency = query.get("currency", settings.SHOP_CURRENCY)
        content = suggestions_rendered(query["q"], currency=currency, now=timezone.now())
        return public_answer(request, content)
