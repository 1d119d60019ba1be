"""Synonyms of search."""

from django.contrib import admin
from unfold.admin import ModelAdmin

from catalog.models import SearchSynonym


@admin.register(SearchSynonym)
class SearchSynonymAdmin(ModelAdmin):
    list_display = ("words", "means", "is_one_way")
    search_fields = ("words", "means")
    list_filter = ("is_one_way",)
