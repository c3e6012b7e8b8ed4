"""Rates of the member states and of French overseas departments, as data beside this file (INV-10)."""

import tomllib
from datetime import date
from decimal import Decimal
from functools import cache
from pathlib import Path

from invoicing.taxing.tax_rules import OssRate


@cache
def oss_rates() -> tuple[OssRate, ...]:
    """Every standard rate on file, each from its day on."""
    tables = tomllib.loads((Path(__file__).parent / "eu_vat.toml").read_text(encoding="utf-8"))
    table = tables["standard"] | tables["overseas"]
    return tuple(
        OssRate(country, Decimal(rate), date.fromisoformat(since))
        for country, steps in table.items()
        for since, rate in steps
    )
