"""Who may change the catalogue: staff, by the permissions of the models."""

from shop.http.permissions import staff

MaySeeProducts = staff("catalog.view_product")
MayAddProducts = staff("catalog.add_product")
MayChangeProducts = staff("catalog.change_product")
MayDeleteProducts = staff("catalog.delete_product")
MaySeeVariants = staff("catalog.view_variant")
MayAddVariants = staff("catalog.add_variant")
MayChangeVariants = staff("catalog.change_variant")
MayDeleteVariants = staff("catalog.delete_variant")
MaySeeCategories = staff("catalog.view_category")
MayAddCategories = staff("catalog.add_category")
MayChangeCategories = staff("catalog.change_category")
MayDeleteCategories = staff("catalog.delete_category")
MayChangePrices = staff("catalog.change_price")
MayDeletePrices = staff("catalog.delete_price")
MayAddImages = staff("catalog.add_productimage")
MayChangeImages = staff("catalog.change_productimage")
MayDeleteImages = staff("catalog.delete_productimage")
