"""A bank without a provider: customers who sign mandates in the panel, and the bank's answers to our files."""

from collections.abc import Sequence
from datetime import date

from defusedxml import ElementTree
from django.conf import settings

from invoicing.banking import bank_files
from invoicing.debiting import batches, mandate_signing, mandates, papers
from invoicing.models import BankFile, Debit, DebitBatch, Invoice, Mandate
from panel.core.actors import Actor
from tests.support.bank_statement import HEAD
from tests.support.shop import Shop
from tests.support.world import Customer, World

IBAN = "FR76 3000 6000 0112 3456 7890 189"
OTHER_IBAN = "DE89 3704 0044 0532 0130 00"
RENEWED = ("invoicing.renew", "invoicing.debits")


def drawn_up(world: World, alice: Customer, iban: str = IBAN, replaces: Mandate | None = None) -> Mandate:
    """A mandate that waits to be signed, its PDF there."""
    made = mandates.draw_up(
        alice.account, iban=iban, holder="Camille Martin", replaces=replaces, actor=alice.actor, now=world.now
    )
    world.work()
    made.refresh_from_db()
    return made


def signed(
    world: World, alice: Customer, iban: str = IBAN, replaces: Mandate | None = None, *, default: bool = True
) -> Mandate:
    """A mandate in force, of which invoices are collected."""
    made = drawn_up(world, alice, iban, replaces)
    done = mandate_signing.sign(
        made, name="Camille Martin", sha256=made.pdf_sha256, default=default, actor=alice.actor, ip="192.0.2.9",
        now=world.now,
    )  # fmt: skip
    world.work()
    return done


def debited(world: World, shop: Shop, alice: Customer | None = None) -> tuple[Customer, Invoice, Debit]:
    """A renewal that is announced: on 2 April 2026 in the world of the stories."""
    alice = alice or world.customer()
    shop.buy(alice)
    signed(world, alice)
    world.advance(days=31, sweeps=RENEWED)
    world.work()
    invoice = Invoice.objects.filter(account=alice.account).latest("pk")
    return alice, invoice, Debit.objects.get(invoice=invoice)


def handed(world: World, staff: Actor, until: date, key: str = "k") -> DebitBatch:
    """A file with every debit up to `until`, given to the bank."""
    batch = batches.make(key=key, until=until, actor=staff, now=world.now)
    batches.hand_over(batch, actor=staff, now=world.now)
    world.work()
    batch.refresh_from_db()
    return batch


def many_sent(world: World, shop: Shop, staff: Actor, day: date, count: int) -> list[Debit]:
    """Debits of so many customers that the bank has, in one file, on the `day` they were announced for."""
    for number in range(count):
        customer = world.customer(f"Customer{number}")
        shop.buy(customer)
        signed(world, customer)
    world.advance(days=31, sweeps=RENEWED)
    world.work()
    handed(world, staff, day)
    world.advance(days=14)
    return list(Debit.objects.select_related("account", "mandate").order_by("pk"))


def in_file(batch: DebitBatch) -> list[tuple[str, str, str]]:
    """What the file asks for: (our reference, amount, day) of each debit."""
    root = ElementTree.fromstring(papers.read(batch.blob, batch.sha256))
    space = root.tag[: root.tag.index("}") + 1]
    found = []
    for part in root.iter(f"{space}PmtInf"):
        day = part.findtext(f"{space}ReqdColltnDt") or ""
        found += [
            (one.findtext(f".//{space}EndToEndId") or "", one.findtext(f"{space}InstdAmt") or "", day)
            for one in part.iter(f"{space}DrctDbtTxInf")
        ]
    return found


def take(world: World, staff: Actor, raw: bytes, name: str = "bank.xml") -> tuple[BankFile, bool]:
    found = bank_files.take_in(raw, name=name, actor=staff, now=world.now)
    world.work()
    found[0].refresh_from_db()
    return found


def _euros(cents: int) -> str:
    return f"{cents // 100}.{cents % 100:02d}"


def _credit(debit: Debit) -> str:
    reference = debit.payment.reference
    return f"""<TxDtls><Refs><AcctSvcrRef>C{reference}</AcctSvcrRef><EndToEndId>{reference}</EndToEndId></Refs>
<Amt Ccy="EUR">{_euros(debit.cents)}</Amt></TxDtls>"""


def _back(debit: Debit, code: str, charge: int) -> str:
    reference = debit.payment.reference
    return f"""<TxDtls><Refs><AcctSvcrRef>R{reference}</AcctSvcrRef><EndToEndId>{reference}</EndToEndId></Refs>
<Amt Ccy="EUR">{_euros(debit.cents + charge)}</Amt>
<AmtDtls><InstdAmt><Amt Ccy="EUR">{_euros(debit.cents)}</Amt></InstdAmt></AmtDtls>
<RtrInf><Rsn><Cd>{code}</Cd></Rsn></RtrInf></TxDtls>"""


def _entry(way: str, cents: int, day: date, details: str, name: str) -> str:
    return f"""<Ntry><Amt Ccy="EUR">{_euros(cents)}</Amt><CdtDbtInd>{way}</CdtDbtInd><Sts>BOOK</Sts><BookgDt>
<Dt>{day}</Dt></BookgDt><AcctSvcrRef>{name}</AcctSvcrRef><NtryDtls>{details}</NtryDtls></Ntry>"""


def statement(
    credited: Sequence[Debit] = (), *, back: Sequence[tuple[Debit, str]] = (), day: date, charge: int = 0,
    group: str = "", group_cents: int = 0,
) -> bytes:  # fmt: skip
    """camt.054: debits credited one by one or, with `group`, as one sum; debits booked back with a reason, the bank's
    `charge` on top."""
    entries = ""
    if credited:
        inside = "".join(_credit(one) for one in credited)
        entries += _entry("CRDT", sum(one.cents for one in credited), day, inside, "E1")
    if group:
        entries += _entry("CRDT", group_cents, day, f"<Btch><PmtInfId>{group}</PmtInfId></Btch>", f"G{group}")
    for one, code in back:
        entries += _entry("DBIT", one.cents + charge, day, _back(one, code, charge), f"B{one.pk}")
    account = settings.CLAUSE_SELLER["iban"]
    body = f"""<BkToCstmrDbtCdtNtfctn><Ntfctn><Acct><Id><IBAN>{account}</IBAN></Id></Acct>{entries}</Ntfctn>
</BkToCstmrDbtCdtNtfctn></Document>"""
    return (HEAD.format(format="camt.054.001.02") + body).encode()


def report(batch: DebitBatch, *refused: tuple[Debit, str], whole: str = "", group: str = "") -> bytes:
    """pain.002 about a file: single debits refused, or (`whole`: the reason) all of it, or of its `group`."""
    inside = "".join(
        f"""<TxInfAndSts><OrgnlEndToEndId>{one.payment.reference}</OrgnlEndToEndId><TxSts>RJCT</TxSts><StsRsnInf><Rsn>
<Cd>{code}</Cd></Rsn></StsRsnInf><OrgnlTxRef><Amt><InstdAmt Ccy="EUR">{_euros(one.cents)}</InstdAmt></Amt></OrgnlTxRef>
</TxInfAndSts>"""
        for one, code in refused
    )  # fmt: skip
    reason = f"<StsRsnInf><Rsn><Cd>{whole}</Cd></Rsn></StsRsnInf>" if whole else ""
    status = "RJCT" if whole and not group else "PART"
    part = f"<OrgnlPmtInfId>{group}</OrgnlPmtInfId><PmtInfSts>RJCT</PmtInfSts>{reason}" if group else ""
    body = f"""<CstmrPmtStsRpt><GrpHdr><MsgId>S1</MsgId></GrpHdr><OrgnlGrpInfAndSts><OrgnlMsgId>{batch.reference}
</OrgnlMsgId><GrpSts>{status}</GrpSts>{"" if group else reason}</OrgnlGrpInfAndSts>
<OrgnlPmtInfAndSts>{part}{inside}</OrgnlPmtInfAndSts></CstmrPmtStsRpt></Document>"""
    return (HEAD.format(format="pain.002.001.03") + body).encode()
