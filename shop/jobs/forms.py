"""What staff fill in to start a job."""

from django import forms
from django.conf import settings
from unfold.widgets import (
    UnfoldAdminFileFieldWidget,
    UnfoldAdminSelectWidget,
    UnfoldBooleanSwitchWidget,
)

from shop.jobs.kinds import IMPORTS, Kind


class ImportForm(forms.Form):
    """An upload, and what to do with it."""

    file = forms.FileField(
        widget=UnfoldAdminFileFieldWidget, help_text="UTF-8 text, 64 MiB at most."
    )
    format = forms.ChoiceField(widget=UnfoldAdminSelectWidget)
    dry_run = forms.BooleanField(
        required=False,
        initial=True,
        label="Dry run",
        widget=UnfoldBooleanSwitchWidget,
        help_text="Do everything, report on each row, and leave nothing of it.",
    )

    def __init__(self, *args: object, kinds: list[Kind], **kwargs: object) -> None:
        super().__init__(*args, **kwargs)  # type: ignore[arg-type]
        field = self.fields["format"]
        assert isinstance(field, forms.ChoiceField)
        field.choices = [(name, kind.title) for name, kind in IMPORTS.items() if kind in kinds]

    def clean_file(self) -> object:
        upload = self.cleaned_data["file"]
        if upload.size > settings.SHOP_MAX_UPLOAD_BYTES:
            raise forms.ValidationError("The file is larger than 64 MiB.")
        return upload
