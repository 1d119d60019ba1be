"""What the catalogue may refuse."""

from shop import errors


class ProductNotFound(errors.NotFound):
    """There is no such product, or it is not for everyone to see."""

    code = "product_not_found"
    title = "No such product"


class CategoryNotFound(errors.NotFound):
    """There is no such category."""

    code = "category_not_found"
    title = "No such category"


class InvalidProduct(errors.Invalid):
    """The product breaks a rule of the catalogue. Facts: `problems`, one for each rule."""

    code = "invalid_product"
    title = "The product breaks a rule"


class SkuTaken(errors.Conflict):
    """Another product already has one of these SKUs. Facts: `skus`."""

    code = "sku_taken"
    title = "The SKU belongs to another product"


class CategoryCycle(errors.Conflict):
    """A category cannot hang below itself."""

    code = "category_cycle"
    title = "A category cannot be moved below itself"


class PriceWindowOverlaps(errors.Conflict):
    """Two scheduled prices of one variant and currency would hold at the same moment."""

    code = "price_window_overlaps"
    title = "Another scheduled price holds at that time"


class NotAnImage(errors.Invalid):
    """The file is no picture that the shop takes: wrong type, too many pixels or too large."""

    code = "not_an_image"
    title = "The file is not a picture that can be used"


class VariantNotFound(errors.NotFound):
    """The variant is unknown, not for sale, or has no price in the currency asked for."""

    code = "variant_not_found"
    title = "There is no such variant"


class ImageNotFound(errors.NotFound):
    """The product has no such picture."""

    code = "image_not_found"
    title = "No such picture"


class PriceNotFound(errors.NotFound):
    """There is no such price."""

    code = "price_not_found"
    title = "No such price"


class SlugTaken(errors.Conflict):
    """Another product or category has this slug. Facts: `slug`."""

    code = "slug_taken"
    title = "The slug belongs to another"


class CategoryExists(errors.Conflict):
    """There is a category of this name in this place already."""

    code = "category_exists"
    title = "There is such a category in this place"


class CategoryNotEmpty(errors.Conflict):
    """A category goes only when nothing is on it or below it."""

    code = "category_not_empty"
    title = "The category is not empty"


class ReviewExists(errors.Conflict):
    """Each buyer reviews a product once."""

    code = "review_exists"
    title = "There is a review by this buyer already"


class ReviewNotFound(errors.NotFound):
    """There is no such review."""

    code = "review_not_found"
    title = "No such review"


class CollectionNotFound(errors.NotFound):
    """There is no such collection, or shoppers do not see it."""

    code = "collection_not_found"
    title = "No such collection"
