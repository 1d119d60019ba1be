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
