"""The copy that lists and searches read, and the words that searches know."""

from django.contrib.postgres.fields import ArrayField
from django.contrib.postgres.indexes import GinIndex
from django.contrib.postgres.search import SearchVectorField
from django.db import models
from django.db.models import BooleanField, F, Func, IntegerField, Q
from django.db.models.functions import Lower

from catalog.models.products import AvailabilityState, Product

SLICES = 1024
# The most of them that counts look at. They have indexes of their own: to find some thousand rows
# of a set, the entries of all others need not be gone through.
LOOKED_AT_SLICES = 128
# What lists filter by most, beside the order that they walk in: so an index alone can say which
# rows are on a page. Nothing of a length that nobody bounds, as an entry has to fit into a page.
_FILTERED_BY = ["id", "published_at", "in_stock", "vendor"]
_SOLD_OUT_WALKS = {
    "newest": "published_at",
    "price": "min_price_minor",
    "title": "title_key",
    "sales": "popularity",
}


class ListingSlice(Func):
    """In which of `SLICES` even parts of the listing a row is, whatever the row says."""

    function = "hashint8"
    template = f"(%(function)s(%(expressions)s) & {SLICES - 1})"

    def __init__(self, *expressions: str | F) -> None:
        super().__init__(*(expressions or (F("product"),)), output_field=IntegerField())


class InFirstSlices(Func):
    """Whether a row is in one of the first so many slices: an even part of any others.

    The number stands in the statement itself, as the best plan hangs on it.
    """

    function = ListingSlice.function
    template = f"{ListingSlice.template} < %(count)s"

    def __init__(self, count: int) -> None:
        super().__init__(F("product"), count=int(count), output_field=BooleanField())


class ProductListing(models.Model):
    """One row for each product and currency in which it can be bought now: what lists read.

    A copy, kept by the services that change what it copies and made anew by
    `manage.py rebuild_listing`. There is no row for what shoppers may not see; a product that is
    published later has one already, and lists leave it out until then.
    """

    product = models.ForeignKey(Product, on_delete=models.CASCADE, related_name="listings")
    currency = models.CharField(max_length=3)
    slug = models.CharField(max_length=255)
    title = models.CharField(max_length=255)
    title_key = models.CharField(
        max_length=255, db_collation="C", help_text="The title without case and accents."
    )
    vendor = models.CharField(max_length=255)
    category_slug = models.CharField(max_length=150)
    category_name = models.CharField(max_length=120)
    category_path = ArrayField(
        models.CharField(max_length=150), help_text="Slugs from the root to the product's own."
    )
    tags = ArrayField(models.CharField(max_length=255))
    options = ArrayField(models.CharField(max_length=511), help_text="`name=value` as shown.")
    option_keys = ArrayField(
        models.CharField(max_length=511), help_text="`name=value` in lower case, to filter by."
    )
    attributes = ArrayField(
        models.CharField(max_length=400),
        default=list,
        db_default=[],
        help_text="`name=value` as shown, of what its type lets lists filter by.",
    )
    attribute_keys = ArrayField(
        models.CharField(max_length=400),
        default=list,
        db_default=[],
        help_text="`name=value` in lower case, to filter by.",
    )
    image_url = models.CharField(max_length=2000)
    image_file = models.CharField(max_length=200)
    min_price_minor = models.BigIntegerField()
    max_price_minor = models.BigIntegerField()
    compare_at_minor = models.BigIntegerField(null=True)
    availability_state = models.CharField(max_length=12, choices=AvailabilityState)
    availability_quantity = models.PositiveSmallIntegerField()
    in_stock = models.BooleanField()
    popularity = models.PositiveBigIntegerField()
    published_at = models.DateTimeField()
    refresh_at = models.DateTimeField(
        null=True, help_text="When a price window begins or ends next, or the product appears."
    )
    search = SearchVectorField()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["product", "currency"], name="listing_once_per_product_and_currency"
            ),
        ]
        indexes = [
            models.Index(
                fields=["currency", "published_at", "product"],
                include=["id", "in_stock", "min_price_minor", "vendor"],
                name="listing_walk_by_newest",
            ),
            models.Index(
                fields=["currency", "min_price_minor", "product"],
                include=_FILTERED_BY,
                name="listing_walk_by_price",
            ),
            models.Index(
                fields=["currency", "title_key", "product"],
                include=[*_FILTERED_BY, "min_price_minor"],
                name="listing_walk_by_title",
            ),
            models.Index(
                fields=["currency", "popularity", "product"],
                include=[*_FILTERED_BY, "min_price_minor"],
                name="listing_walk_by_sales",
            ),
            # Where little is sold out a walk may go to the end for it, as the planner takes filters
            # to be independent: at least not through what is in stock.
            *(
                models.Index(
                    fields=["currency", column, "product"],
                    name=f"listing_sold_out_by_{order}",
                    condition=Q(in_stock=False),
                )
                for order, column in _SOLD_OUT_WALKS.items()
            ),
            models.Index(F("currency"), ListingSlice(), name="listing_in_slices"),
            models.Index(fields=["currency", "vendor"], name="listing_of_vendor"),
            models.Index(fields=["currency", "category_slug"], name="listing_of_category"),
            models.Index(
                fields=["refresh_at"],
                name="listing_due",
                condition=Q(refresh_at__isnull=False),
            ),
            GinIndex(fields=["category_path"], name="listing_in_category"),
            GinIndex(fields=["tags"], name="listing_with_tag"),
            GinIndex(fields=["option_keys"], name="listing_with_option"),
            GinIndex(fields=["attribute_keys"], name="listing_with_attribute"),
            GinIndex(fields=["search"], name="listing_by_words"),
            # Of all filters at once, as the planner joins no two indexes that are both of a part.
            GinIndex(
                fields=["category_path", "tags", "option_keys", "attribute_keys"],
                name="listing_counted",
                condition=Q(InFirstSlices(LOOKED_AT_SLICES)),
            ),
            models.Index(
                fields=["currency", "in_stock", "min_price_minor"],
                name="listing_counted_by_price",
                condition=Q(InFirstSlices(LOOKED_AT_SLICES)),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.slug} {self.currency}"


class SearchWord(models.Model):
    """A word that some product of the listing has: what misspelt words are taken for.

    Added with the listing, and never taken away.
    """

    word = models.CharField(max_length=40, primary_key=True, db_collation="C")

    class Meta:
        indexes = [
            GinIndex(fields=["word"], opclasses=["gin_trgm_ops"], name="search_word_by_likeness"),
        ]

    def __str__(self) -> str:
        return self.word


class SearchSynonymManager(models.Manager["SearchSynonym"]):
    def in_both_directions(self) -> list[tuple[str, str]]:
        """Return who asks for what, and what else is meant; the most recently made first."""
        rows = self.order_by("-pk").values_list("words", "means", "is_one_way")
        found = []
        for words, means, is_one_way in rows:
            found.append((words, means))
            if not is_one_way:
                found.append((means, words))
        return found


class SearchSynonym(models.Model):
    """What shoppers say for what the shop calls otherwise; kept by staff."""

    words = models.CharField(max_length=100, help_text="What shoppers type, such as couch.")
    means = models.CharField(max_length=100, help_text="What is found as well, such as sofa.")
    is_one_way = models.BooleanField(
        "only this way",
        default=False,
        db_default=False,
        help_text="Whoever types the second is not shown the first.",
    )

    objects = SearchSynonymManager()

    class Meta:
        ordering = ["words", "means"]
        constraints = [
            models.UniqueConstraint(Lower("words"), Lower("means"), name="search_synonym_once"),
        ]

    def __str__(self) -> str:
        return f"{self.words} {'→' if self.is_one_way else '↔'} {self.means}"
