from collections.abc import Mapping
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.urls import reverse
from pytest_django import DjangoAssertNumQueries
from rest_framework.test import APIClient

from accounts.models import User
from catalog.models import (
    BoughtTogether,
    Category,
    Collection,
    FormerSlug,
    Price,
    PriceHistory,
    Product,
    ProductImage,
    ProductListing,
    ProductType,
    Review,
    Variant,
)
from catalog.services import ImageDraft, ReviewDraft, add_review, moderate_reviews
from shop.models import OutboxMessage
from tests.integration.catalog.conftest import Committing
from tests.make import catalog as make

pytestmark = pytest.mark.django_db

NOW = make.NOW


@pytest.fixture
def staff(client: Client) -> Client:
    user = User(email="staff@shop.example", full_name="Staff", is_staff=True, is_superuser=True)
    user.set_unusable_password()
    user.save()
    client.force_login(user)
    return client


def form_of(response: Any) -> dict[str, Any]:
    """Return what a browser would send back from an admin page, unchanged."""
    context = response.context
    sent: dict[str, Any] = {}
    forms = [context["adminform"].form]
    for inline in context["inline_admin_formsets"]:
        forms += [inline.formset.management_form, *inline.formset.forms]
    for form in forms:
        for field in form:
            value = field.value()
            widget = field.field.widget
            if hasattr(widget, "decompress") and not isinstance(value, list):
                for place, part in enumerate(widget.decompress(value) if value else [None, None]):
                    sent[f"{field.html_name}_{place}"] = "" if part is None else str(part)
                continue
            if value is True:
                sent[field.html_name] = "on"
            elif value is not None and value is not False:
                sent[field.html_name] = value
    return sent


def saved(staff: Client, page: str, pk: int, changes: Mapping[str, Any]) -> None:
    address = reverse(f"admin:catalog_{page}_change", args=[pk])
    sent = {**form_of(staff.get(address)), **changes}
    response = staff.post(address, sent)
    if response.status_code != 302:
        context = response.context
        errors = [context["adminform"].form.errors] + [
            (inline.formset.errors, inline.formset.non_form_errors())
            for inline in context["inline_admin_formsets"]
        ]
        pytest.fail(str(errors))


def full_product(number: int = 0) -> Product:
    make.category("Home", "Mugs")
    return make.product(
        title=f"Mug {number}",
        vendor="Potter",
        category_slug="mugs",
        options=["Size"],
        variants=[make.variant_draft("S", price=900), make.variant_draft("L, wide", price=1500)],
        images=[ImageDraft(url="https://pictures.example/a.jpg"), ImageDraft(file=make.picture())],
    )


def with_all_that_hangs_on_it(product: Product, number: int) -> None:
    other = make.product()
    review(product)
    Collection.objects.create(slug=f"c-{number}", title="Gifts").entries.create(product=product)
    ProductType.objects.create(name=f"Type {number}").attributes.create(name="Fit")
    BoughtTogether.objects.create(product=product, other=other, orders=3)
    FormerSlug.objects.create(slug=f"f-{number}", product=product, retired_at=NOW)
    assert product.category is not None
    product.category.former_slugs.create(slug=f"f-{number}", retired_at=NOW)


def review(product: Product, rating: int = 4) -> Review:
    return add_review(
        product_id=product.pk,
        author="customer:1",
        author_name="Ada B.",
        draft=ReviewDraft(rating=rating, title="Good", body="It holds tea."),
        is_verified=True,
        now=NOW,
    )


@pytest.mark.parametrize(
    "page",
    [
        "category",
        "product",
        "variant",
        "productlisting",
        "pricehistory",
        "review",
        "collection",
        "producttype",
        "boughttogether",
        "formerslug",
        "formercategoryslug",
    ],
)
def test_a_table_takes_the_same_queries_at_any_size(
    staff: Client, page: str, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    address = reverse(f"admin:catalog_{page}_changelist")
    with_all_that_hangs_on_it(full_product(), 99)
    staff.get(address)  # content types and the like are read once a process

    with django_assert_num_queries(_count(staff, address)):
        assert staff.get(address).status_code == 200
    few = _count(staff, address)
    for number in range(15):
        with_all_that_hangs_on_it(full_product(number), number)
        make.category("Home", f"Shelf {number}")

    assert _count(staff, address) == few
    assert staff.get(address, {"q": "mug"}).status_code == 200


def _count(staff: Client, address: str) -> int:
    from django.db import connection  # noqa: PLC0415
    from django.test.utils import CaptureQueriesContext  # noqa: PLC0415

    with CaptureQueriesContext(connection) as queries:
        staff.get(address)
    return len(queries)


def test_categories_are_shown_as_a_tree(staff: Client) -> None:
    make.category("Zebra", "Apple")
    make.category("Home")

    response = staff.get(reverse("admin:catalog_category_changelist"))

    shown = [(c.name, c.tree_depth) for c in response.context["cl"].result_list]
    assert shown == [("Zebra", 0), ("Apple", 1), ("Home", 0)]


def test_saving_a_product_brings_its_copies_up_to_date(
    staff: Client, api: APIClient, committing: Committing
) -> None:
    product = full_product()
    assert api.get(f"/api/v1/products/{product.slug}").json()["title"] == "Mug 0"

    with committing():
        saved(
            staff,
            "product",
            product.pk,
            {"title": "Cup", "slug": "cup", "description_html": "<p>a</p><script>b</script>"},
        )

    product.refresh_from_db()
    assert (product.title, product.version) == ("Cup", 2)
    assert product.description_html == "<p>a</p>"
    assert ProductListing.objects.get().title == "Cup"
    assert api.get("/api/v1/products/cup").json()["title"] == "Cup"
    assert api.get("/api/v1/products/product-1").status_code == 404
    options = [variant.option_values for variant in product.variants.all()]
    assert options == [["S"], ["L, wide"]]


def test_an_old_slug_sends_on(staff: Client, api: APIClient, committing: Committing) -> None:
    product = full_product()
    old = f"/api/v1/products/{product.slug}"
    assert api.get(old).status_code == 200

    with committing():
        saved(staff, "product", product.pk, {"slug": "cup"})

    assert api.get(old).status_code == 301
    assert api.get(old)["Location"] == "/api/v1/products/cup"


def test_a_new_option_value_is_offered(staff: Client) -> None:
    product = full_product()

    saved(staff, "product", product.pk, {"variants-1-option_values": "XL"})

    assert product.options.get().values == ["S", "XL"]
    assert Variant.objects.order_by("position").last().title == "XL"  # type: ignore[union-attr]
    assert ProductListing.objects.get().options == ["Size=S", "Size=XL"]


def test_a_product_is_made_from_nothing(staff: Client) -> None:
    address = reverse("admin:catalog_product_add")
    sent = form_of(staff.get(address))
    sent |= {
        "title": "Bowl",
        "slug": "bowl",
        "status": "ACTIVE",
        "attributes": "{}",
        "variants-TOTAL_FORMS": "1",
        "variants-0-sku": "BOWL",
        "variants-0-position": "1",
        "variants-0-weight_grams": "300",
        "variants-0-tax_class": "STANDARD",
        "variants-0-is_active": "on",
    }

    response = staff.post(address, sent)

    assert response.status_code == 302
    product = Product.objects.get()
    assert product.published_at is not None
    assert product.variants.get().sku == "BOWL"
    assert not ProductListing.objects.exists()  # it has no price yet


def test_pictures_are_uploaded_and_checked(staff: Client) -> None:
    product = make.product()
    new = {
        "images-TOTAL_FORMS": "1",
        "images-0-position": "1",
        "images-0-upload": SimpleUploadedFile("x.html", make.picture()),
        "images-0-focal_x": "10",
        "images-0-focal_y": "90",
    }
    saved(staff, "product", product.pk, new)

    image = ProductImage.objects.get()
    assert image.file.name.endswith(".png")
    assert (image.width, image.height, image.focal_x, image.focal_y) == (8, 6, 10, 90)
    assert OutboxMessage.objects.filter(topic="catalog.pictures_added").exists()
    assert ProductListing.objects.get().image_file == image.file.name


@pytest.mark.parametrize(
    "wrong",
    [
        {"images-0-upload": SimpleUploadedFile("x.png", b"<script>")},
        {"images-0-url": "javascript:alert(1)"},
        {},
    ],
    ids=["text", "script", "nothing"],
)
def test_what_is_no_picture_is_refused(staff: Client, wrong: dict[str, Any]) -> None:
    product = make.product()
    address = reverse("admin:catalog_product_change", args=[product.pk])
    sent = form_of(staff.get(address))
    sent |= {
        "images-TOTAL_FORMS": "1",
        "images-0-position": "1",
        "images-0-alt": "x",
        "images-0-focal_x": "50",
        "images-0-focal_y": "50",
        **wrong,
    }

    response = staff.post(address, sent)

    assert response.status_code == 200
    assert not ProductImage.objects.exists()


def test_a_price_is_changed_on_the_page_of_its_variant(
    staff: Client, api: APIClient, committing: Committing
) -> None:
    variant = make.variant(price=2000)
    path = f"/api/v1/products/{variant.product_id}"
    assert api.get(path).json()["price"]["min"]["amount"] == "20.00"

    with committing():
        saved(
            staff,
            "variant",
            variant.pk,
            {"prices-0-amount": "15.50", "prices-0-compare_at": "20.00"},
        )

    shown = api.get(path).json()
    assert shown["price"]["min"]["amount"] == "15.50"
    assert shown["compare_at_price"]["amount"] == "20.00"
    steps = PriceHistory.objects.order_by("id").values_list("amount_minor", flat=True)
    assert list(steps) == [2000, 1550]


@pytest.mark.parametrize(
    "wrong",
    [
        {"prices-0-amount": "-1"},
        {"prices-0-amount": "1.005"},
        {"prices-0-compare_at": "20.00"},
        {"prices-0-currency": "XXX"},
        {"prices-TOTAL_FORMS": "2", "prices-1-currency": "GBP", "prices-1-amount": "3.00"},
        {
            "prices-0-starts_at_0": "2026-12-02",
            "prices-0-starts_at_1": "00:00:00",
            "prices-0-ends_at_0": "2026-12-01",
            "prices-0-ends_at_1": "00:00:00",
        },
        {
            "prices-TOTAL_FORMS": "3",
            "prices-1-currency": "GBP",
            "prices-1-amount": "3.00",
            "prices-1-starts_at_0": "2026-12-01",
            "prices-1-starts_at_1": "00:00:00",
            "prices-2-currency": "GBP",
            "prices-2-amount": "4.00",
            "prices-2-starts_at_0": "2026-12-24",
            "prices-2-starts_at_1": "00:00:00",
        },
    ],
    ids=str,
)
def test_impossible_prices_are_refused(staff: Client, wrong: dict[str, str]) -> None:
    variant = make.variant(price=2000)
    address = reverse("admin:catalog_variant_change", args=[variant.pk])
    sent = {**form_of(staff.get(address)), **wrong}

    assert staff.post(address, sent).status_code == 200
    assert Price.objects.get().amount_minor == 2000


def test_a_window_is_added_beside_the_base_price(staff: Client) -> None:
    variant = make.variant(price=2000)

    saved(
        staff,
        "variant",
        variant.pk,
        {
            "prices-TOTAL_FORMS": "2",
            "prices-1-currency": "GBP",
            "prices-1-amount": "15.00",
            "prices-1-starts_at_0": "2036-12-01",
            "prices-1-starts_at_1": "00:00:00",
        },
    )

    assert variant.prices.count() == 2
    assert ProductListing.objects.get().refresh_at is not None


def test_products_are_archived_and_published_in_bulk(
    staff: Client, api: APIClient, committing: Committing
) -> None:
    ids = [full_product(number).pk for number in range(3)]
    address = reverse("admin:catalog_product_changelist")

    with committing():
        staff.post(address, {"action": "archive", "_selected_action": ids})
    assert api.get("/api/v1/products").json()["results"] == []

    with committing():
        staff.post(address, {"action": "publish", "_selected_action": ids})
    assert len(api.get("/api/v1/products").json()["results"]) == 3


def test_a_category_is_renamed_and_moved(staff: Client) -> None:
    full_product()
    garden = make.category("Garden")
    mugs = Category.objects.get(slug="mugs")

    saved(staff, "category", mugs.pk, {"name": "Cups", "slug": "cups", "parent": garden.pk})

    assert ProductListing.objects.get().category_path == ["garden", "cups"]
    assert list(garden.children.get().former_slugs.values_list("slug", flat=True)) == ["mugs"]


def test_a_category_cannot_be_hung_below_itself(staff: Client) -> None:
    full_product()
    home, mugs = Category.objects.get(slug="home"), Category.objects.get(slug="mugs")
    address = reverse("admin:catalog_category_change", args=[home.pk])

    response = staff.post(address, {**form_of(staff.get(address)), "parent": mugs.pk})

    assert response.status_code == 200
    home.refresh_from_db()
    assert home.parent is None


def test_an_empty_category_can_be_deleted(staff: Client) -> None:
    empty = make.category("Empty")

    response = staff.post(
        reverse("admin:catalog_category_delete", args=[empty.pk]), {"post": "yes"}
    )

    assert response.status_code == 302
    assert not Category.objects.exists()


@pytest.mark.parametrize("page", ["productlisting", "pricehistory"])
def test_copies_and_history_cannot_be_edited(staff: Client, page: str) -> None:
    full_product()
    model = ProductListing if page == "productlisting" else PriceHistory
    row = model.objects.first()
    assert row is not None
    address = reverse(f"admin:catalog_{page}_change", args=[row.pk])

    assert staff.get(address).status_code == 200
    assert staff.post(address, {"title": "x"}).status_code == 403
    assert staff.get(reverse(f"admin:catalog_{page}_add")).status_code == 403
    assert staff.post(reverse(f"admin:catalog_{page}_delete", args=[row.pk])).status_code == 403


def test_products_and_variants_are_not_deleted(staff: Client) -> None:
    product = full_product()
    variant = product.variants.first()
    assert variant is not None

    for page, pk in (("product", product.pk), ("variant", variant.pk)):
        address = reverse(f"admin:catalog_{page}_delete", args=[pk])
        assert staff.post(address, {"post": "yes"}).status_code == 403
    assert Product.objects.exists()


@pytest.mark.parametrize(("action", "count"), [("approve", 2), ("reject", 0)])
def test_reviews_are_moderated_in_bulk(staff: Client, action: str, count: int) -> None:
    products = [make.product(), make.product()]
    ids = [review(product).pk for product in products]

    response = staff.post(
        reverse("admin:catalog_review_changelist"),
        {"action": action, "_selected_action": ids},
    )

    assert response.status_code == 302
    assert sum(Product.objects.values_list("rating_count", flat=True)) == count
    assert not Review.objects.filter(status="PENDING").exists()


def test_a_deleted_review_is_not_counted_any_more(staff: Client) -> None:
    made = review(make.product())
    moderate_reviews(review_ids=[made.pk], status="APPROVED", now=NOW)

    staff.post(reverse("admin:catalog_review_delete", args=[made.pk]), {"post": "yes"})

    assert list(Product.objects.values_list("rating_count", "rating_total")) == [(0, 0)]


def test_collections_and_types_are_saved(staff: Client) -> None:
    gifts = Collection.objects.create(slug="gifts", title="Gifts")
    shoes = ProductType.objects.create(name="Shoes")
    shoes.attributes.create(name="Fit", kind="CHOICE", choices=["Slim", "Wide"])

    saved(staff, "collection", gifts.pk, {"description_html": "<script>x</script>For you"})
    saved(staff, "producttype", shoes.pk, {"name": "Boots"})

    gifts.refresh_from_db()
    assert (gifts.description_html, gifts.version) == ("For you", 2)
    assert shoes.attributes.get().choices == ["Slim", "Wide"]
    assert OutboxMessage.objects.get(topic="catalog.type_changed").payload["name"] == "Boots"


def test_attributes_are_of_the_kind_that_their_type_wants(staff: Client) -> None:
    product = make.product(product_type="Shoes")
    ProductType.objects.create(name="Shoes").attributes.create(name="Heel", kind="NUMBER")
    address = reverse("admin:catalog_product_change", args=[product.pk])
    sent = form_of(staff.get(address))

    response = staff.post(address, {**sent, "attributes": '{"heel": "high"}'})

    assert response.status_code == 200
    assert "the attribute Heel is number" in response.content.decode()
    product.refresh_from_db()
    assert product.attributes == {}
