import pytest

from accounts.services import phone_in_e164
from shop.errors import FieldError, Malformed


@pytest.mark.parametrize(
    ("written", "country", "kept"),
    [
        ("+447700900123", "DE", "+447700900123"),
        ("07700 900123", "GB", "+447700900123"),
        ("(030) 901820", "DE", "+4930901820"),
        ("", "GB", ""),
    ],
)
def test_a_number_is_kept_in_one_form(written: str, country: str, kept: str) -> None:
    assert phone_in_e164(written, country=country) == kept


@pytest.mark.parametrize(
    "written", ["abc", "12345", "+4412", "+999123456", "+44 7700 900123 x", "☎"]
)
def test_what_cannot_be_a_number_is_refused(written: str) -> None:
    with pytest.raises(Malformed) as refused:
        phone_in_e164(written, country="GB")

    assert refused.value.errors == [FieldError("/phone", "invalid", "This is no telephone number.")]
