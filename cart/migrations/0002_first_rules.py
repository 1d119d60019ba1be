"""Give a new shop rules to begin with: VAT of the United Kingdom and the European Union, two zones.

Staff own these rows from then on. Nothing is written over: what exists already stays.
"""

from datetime import date, timedelta

from django.db import migrations

EU_SOURCE = (
    "European Commission, Taxes in Europe Database (TEDB), VAT rates applied in the Member States; "
    "as of September 2026."
)
GB_SOURCE = "HM Revenue & Customs, VAT rates (gov.uk/vat-rates); as of September 2026."
SINCE = date(2021, 7, 1)  # the start of the Union's one-stop shop: older rates are left out

# Standard rates in hundredths of a percent, with the days on which they changed since.
STANDARD = {
    "AT": [(SINCE, 2000)],
    "BE": [(SINCE, 2100)],
    "BG": [(SINCE, 2000)],
    "CY": [(SINCE, 1900)],
    "CZ": [(SINCE, 2100)],
    "DE": [(SINCE, 1900)],
    "DK": [(SINCE, 2500)],
    "EE": [(SINCE, 2000), (date(2024, 1, 1), 2200), (date(2025, 7, 1), 2400)],
    "ES": [(SINCE, 2100)],
    "FI": [(SINCE, 2400), (date(2024, 9, 1), 2550)],
    "FR": [(SINCE, 2000)],
    "GR": [(SINCE, 2400)],
    "HR": [(SINCE, 2500)],
    "HU": [(SINCE, 2700)],
    "IE": [(SINCE, 2300)],
    "IT": [(SINCE, 2200)],
    "LT": [(SINCE, 2100)],
    "LU": [(SINCE, 1700), (date(2023, 1, 1), 1600), (date(2024, 1, 1), 1700)],
    "LV": [(SINCE, 2100)],
    "MT": [(SINCE, 1800)],
    "NL": [(SINCE, 2100)],
    "PL": [(SINCE, 2300)],
    "PT": [(SINCE, 2300)],
    "RO": [(SINCE, 1900), (date(2025, 8, 1), 2100)],
    "SE": [(SINCE, 2500)],
    "SI": [(SINCE, 2200)],
    "SK": [(SINCE, 2000), (date(2025, 1, 1), 2300)],
}

# One reduced rate for each country. Many have more: which one holds depends on the goods, so the
# others are named beside it for staff to choose from.
REDUCED = {
    "AT": ([(SINCE, 1000)], "13 %"),
    "BE": ([(SINCE, 600)], "12 %"),
    "BG": ([(SINCE, 900)], ""),
    "CY": ([(SINCE, 900)], "5 %, 3 %"),
    "CZ": ([(SINCE, 1500), (date(2024, 1, 1), 1200)], ""),
    "DE": ([(SINCE, 700)], ""),
    "DK": ([(SINCE, 2500)], "none: Denmark has no reduced rate, this is the standard one"),
    "EE": ([(SINCE, 900)], "13 %"),
    "ES": ([(SINCE, 1000)], "4 %"),
    "FI": ([(SINCE, 1400), (date(2026, 1, 1), 1350)], "10 %"),
    "FR": ([(SINCE, 550)], "10 %, 2.1 %"),
    "GR": ([(SINCE, 1300)], "6 %"),
    "HR": ([(SINCE, 1300)], "5 %"),
    "HU": ([(SINCE, 500)], "18 %"),
    "IE": ([(SINCE, 1350)], "9 %, 4.8 %"),
    "IT": ([(SINCE, 1000)], "5 %, 4 %"),
    "LT": ([(SINCE, 900), (date(2026, 1, 1), 1200)], "5 %"),
    "LU": ([(SINCE, 800), (date(2023, 1, 1), 700), (date(2024, 1, 1), 800)], "14 %, 3 %"),
    "LV": ([(SINCE, 1200)], "5 %"),
    "MT": ([(SINCE, 500)], "12 %, 7 %"),
    "NL": ([(SINCE, 900)], ""),
    "PL": ([(SINCE, 800)], "5 %"),
    "PT": ([(SINCE, 600)], "13 %"),
    "RO": ([(SINCE, 900), (date(2025, 8, 1), 1100)], ""),
    "SE": ([(SINCE, 1200)], "6 %"),
    "SI": ([(SINCE, 950)], "5 %"),
    "SK": ([(SINCE, 1000), (date(2025, 1, 1), 1900)], "5 %"),
}

GB = {
    "STANDARD": [(date(2010, 1, 1), 1750), (date(2011, 1, 4), 2000)],
    "REDUCED": [(date(1997, 9, 1), 500)],
    "ZERO": [(date(1973, 4, 1), 0)],
}

# Zone, its countries, and by method: name, days, and by currency: price, free over (minor units).
ZONES = [
    (
        "United Kingdom",
        ["GB"],
        [
            ("standard", "Standard delivery", (2, 4), {"GBP": (395, 5000), "EUR": (495, 6000)}),
            ("express", "Express delivery", (1, 2), {"GBP": (795, 15000), "EUR": (995, 18000)}),
        ],
    ),
    (
        "European Union",
        sorted(STANDARD),
        [
            ("standard", "Standard delivery", (4, 8), {"GBP": (995, 10000), "EUR": (1195, 12000)}),
            ("express", "Express delivery", (2, 4), {"GBP": (1995, 25000), "EUR": (2295, 30000)}),
        ],
    ),
]


def seed(apps, schema_editor):
    seed_taxes(apps.get_model("cart", "TaxRate"))
    seed_shipping(
        apps.get_model("cart", "ShippingZone"),
        apps.get_model("cart", "ShippingMethod"),
        apps.get_model("cart", "ShippingRate"),
    )


def seed_taxes(tax_rate):
    rows = []

    def add(country, tax_class, periods, source):
        for place, (start, rate_bps) in enumerate(periods):
            later = periods[place + 1][0] if place + 1 < len(periods) else None
            rows.append(
                tax_rate(
                    country=country,
                    tax_class=tax_class,
                    rate_bps=rate_bps,
                    valid_from=start,
                    valid_to=later - timedelta(days=1) if later else None,
                    source=source,
                )
            )

    for country, periods in STANDARD.items():
        add(country, "STANDARD", periods, EU_SOURCE)
    for country, (periods, others) in REDUCED.items():
        add(country, "REDUCED", periods, EU_SOURCE + (f" Others: {others}." if others else ""))
    for country in STANDARD:
        add(country, "ZERO", [(SINCE, 0)], "What this class means; change it if no goods are free of tax.")
    for tax_class, periods in GB.items():
        add("GB", tax_class, periods, GB_SOURCE)
    tax_rate.objects.bulk_create(rows, ignore_conflicts=True)


def seed_shipping(shipping_zone, shipping_method, shipping_rate):
    for name, countries, methods in ZONES:
        zone, is_new = shipping_zone.objects.get_or_create(
            name=name, defaults={"countries": countries}
        )
        if not is_new:
            continue
        for position, (code, title, (days_min, days_max), rates) in enumerate(methods):
            method = shipping_method.objects.create(
                zone=zone,
                code=code,
                name=title,
                days_min=days_min,
                days_max=days_max,
                position=position,
            )
            shipping_rate.objects.bulk_create(
                shipping_rate(
                    method=method, currency=currency, price_minor=price, free_over_minor=free_over
                )
                for currency, (price, free_over) in rates.items()
            )


class Migration(migrations.Migration):
    dependencies = [("cart", "0001_initial")]

    # Going back drops nothing: the rows may have been edited since, and 0001 drops the tables.
    operations = [migrations.RunPython(seed, migrations.RunPython.noop)]
