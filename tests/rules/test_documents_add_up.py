"""Any lines: a document adds up to the cent, on paper and as an e-invoice; credit notes mirror it, never more."""

import dataclasses
from datetime import UTC, date, datetime
from decimal import Decimal

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from invoicing import rules
from invoicing.documents import InvoiceDocument, einvoice
from invoicing.issuing import document_rules, drafting
from invoicing.issuing.drafting import Content
from invoicing.models import InvoiceKind
from invoicing.rules import Creditable, Line
from invoicing.taxing.tax_rules import VatTreatment
from panel import terms
from panel.accounts.models import Account
from panel.core import canonical
from panel.core.money import round_cents, vat_of
from tests.support import papers

FRANCE = VatTreatment("S", Decimal(20), "FR", "france")
TERMS = terms.current(datetime(2026, 3, 2, tzinfo=UTC))
RATES = st.sampled_from([Decimal(20), Decimal("5.5"), Decimal("2.10")])
FEW = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])


def customer() -> Account:
    return Account(kind="business", name="Alice", company="Alice SAS", siren="552100554", country="FR",
                   street="1 rue de la Paix", postcode="75002", city="Paris", billing_email="a@b.test")  # fmt: skip


@st.composite
def lines(draw: st.DrawFn) -> Line:
    """A quantity to the billionth at a price to the millionth; some take off."""
    quantity = draw(st.decimals(-5000, 5000, places=9, allow_nan=False).filter(bool))
    price = draw(st.decimals(0, 900, places=6, allow_nan=False))
    unit = draw(st.sampled_from(["", "GB"]))
    return Line("x", "Something", quantity, price, round_cents(quantity * price), unit=unit, vat_rate=draw(RATES))


def frozen(wanted: list[Line]) -> InvoiceDocument:
    content = Content(
        kind="invoice", account=customer(), lines=wanted, totals=rules.total_of(wanted), treatment=FRANCE, terms=TERMS
    )
    return drafting.document(content, number="F2026-000001", issued_on=date(2026, 3, 2), due_on=date(2026, 3, 2))


@FEW
@given(st.lists(lines(), min_size=1, max_size=6))
def test_what_is_drafted_adds_up(wanted: list[Line]) -> None:
    """Net = sum of lines; VAT per rate = half up of rate times sum, once; net + VAT = total; read back the same."""
    assume(rules.total_of(wanted).net >= 0)
    assume(rules.total_of(wanted).vat >= 0)
    document = frozen(wanted)
    assert document.net_cents == sum(line.net for line in wanted)
    for group in document.vat:
        base = sum(line.net for line in wanted if line.vat_rate == Decimal(group.rate))
        assert (group.net_cents, group.vat_cents) == (base, vat_of(base, Decimal(group.rate)))
    assert document.total_cents == document.net_cents + sum(group.vat_cents for group in document.vat)
    again = InvoiceDocument.from_dict(document.as_dict())
    assert again == document
    assert document_rules.faults(again) == []


@FEW
@given(lines())
def test_the_einvoice_multiplies_as_the_paper_does(wanted: Line) -> None:
    """At most four decimals, no negative price, and quantity times price over base is the net amount of the line."""
    assume(wanted.net >= 0)
    (line,) = frozen([wanted]).lines
    quantity, _unit, price, base = einvoice.measured(line)
    assert round_cents(quantity * price / base) == line.net_cents
    assert price >= 0
    for value in (quantity, price, base):
        assert value == round(value, 4)


@st.composite
def invoices_with_cuts(draw: st.DrawFn) -> tuple[list[Creditable], list[list[int]]]:
    nets = draw(st.lists(st.integers(-5000, 20_000).filter(bool), min_size=1, max_size=4))
    made = [Creditable(net, 0, "S", draw(RATES)) for net in nets]
    cut = st.tuples(*(st.integers(min(0, net), max(0, net)) for net in nets)).map(list)
    return made, draw(st.lists(cut, max_size=4))


@FEW
@given(invoices_with_cuts())
def test_credit_notes_mirror_their_invoice_and_never_exceed_it(scene: tuple[list[Creditable], list[list[int]]]) -> None:
    """Per line and per rate, however it is cut; what is left gives back the rest, to the cent."""
    made, cuts = scene
    whole = rules.total_of(_line(one) for one in made)
    given_back = [0] * len(made)
    vat = 0
    for wanted in [*cuts, None]:
        left = [Creditable(one.net, back, "S", one.vat_rate) for one, back in zip(made, given_back, strict=True)]
        cents = wanted if wanted is not None else [one.net - one.credited for one in left]
        try:
            totals = rules.credit(left, cents)
        except rules.TooMuch:
            assert wanted is not None, "what is left can always be given back"
            continue
        given_back = [back + more for back, more in zip(given_back, cents, strict=True)]
        vat += totals.vat
        for one, back in zip(made, given_back, strict=True):
            assert min(0, one.net) <= back <= max(0, one.net)
        for group in whole.groups:
            back = sum(b for one, b in zip(made, given_back, strict=True) if one.vat_rate == group.rate)
            assert min(0, group.net) <= back <= max(0, group.net)
    assert given_back == [one.net for one in made]
    assert vat == whole.vat


def _line(one: Creditable) -> Line:
    return Line("x", "x", Decimal(1), Decimal(one.net) / 100, one.net, vat_rate=one.vat_rate)


def test_vat_is_reckoned_on_the_sum_not_line_by_line() -> None:
    """Three lines of 0.33: 0.07 each would be 0.21; 20 % of 0.99 is 0.20 (pretix/pretix#4999)."""
    document = frozen([Line("x", "x", Decimal(1), Decimal("0.33"), 33, vat_rate=Decimal(20))] * 3)
    assert (document.net_cents, document.vat_cents, document.total_cents) == (99, 20, 119)


def test_a_document_that_does_not_add_up_is_never_issued() -> None:
    with pytest.raises(ValueError, match="line 1 does not multiply"):
        frozen([Line("x", "x", Decimal(1), Decimal("0.33"), 34, vat_rate=Decimal(20))])


def test_a_document_is_frozen_as_dataclasses_would_have_it() -> None:
    """What is kept and hashed is every value of every part."""
    assert papers.DOCUMENT.as_dict() == dataclasses.asdict(papers.DOCUMENT)
    assert InvoiceDocument.from_dict(papers.DOCUMENT.as_dict()) == papers.DOCUMENT


@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
@given(document=st.builds(InvoiceDocument, kind=st.sampled_from([InvoiceKind.INVOICE, "credit_note"])), again=st.text())
def test_the_text_that_is_hashed_is_that_of_the_values_that_are_kept(document: InvoiceDocument, again: str) -> None:
    """Chains that exist were hashed over it."""
    kept = dataclasses.replace(document, number=again).as_dict()
    written = document.unfinished().finished(again)
    assert written.text == canonical.text_of(kept)
    assert canonical.text_of(written.values()) == written.text
