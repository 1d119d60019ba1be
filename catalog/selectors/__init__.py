"""Questions to the catalogue."""

from catalog.selectors.cards import VariantCard, variant_cards, variants_for_sale

__all__ = ["VariantCard", "variant_cards", "variants_for_sale"]
