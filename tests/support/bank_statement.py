"""A bank's statement as it comes: camt.053 with one booked credit for each (cents, text)."""

from datetime import date

from django.conf import settings

HEAD = '<?xml version="1.0" encoding="UTF-8"?><Document xmlns="urn:iso:std:iso:20022:tech:xsd:{format}">'
ENTRY = """<Ntry><Amt Ccy="{currency}">{amount}</Amt><CdtDbtInd>{way}</CdtDbtInd><Sts>BOOK</Sts>
<BookgDt><Dt>{day}</Dt></BookgDt><AcctSvcrRef>{ref}</AcctSvcrRef><NtryDtls><TxDtls><RltdPties><Dbtr><Nm>{payer}</Nm>
</Dbtr></RltdPties><RmtInf><Ustrd>{text}</Ustrd></RmtInf></TxDtls></NtryDtls></Ntry>"""


def statement(
    *credits_: tuple[int, str], day: date = date(2026, 3, 2), iban: str = "", format_: str = "camt.053.001.02",
    way: str = "CRDT", currency: str = "EUR", prefix: str = "BK",
) -> bytes:  # fmt: skip
    entries = "".join(
        ENTRY.format(
            amount=f"{cents // 100}.{cents % 100:02d}", way=way, day=day, ref=f"{prefix}{place}", text=text,
            payer="Atelier Nord", currency=currency,
        )
        for place, (cents, text) in enumerate(credits_)
    )  # fmt: skip
    account = iban or settings.CLAUSE_SELLER["iban"]
    body = f"<BkToCstmrStmt><Stmt><Acct><Id><IBAN>{account}</IBAN></Id></Acct>{entries}</Stmt></BkToCstmrStmt>"
    return (HEAD.format(format=format_) + body + "</Document>").encode()
