"""Reports as they arrive in the abuse mailbox."""

import base64
import json
from datetime import date, datetime
from email.message import EmailMessage
from uuid import NAMESPACE_URL, uuid5


def xarf(ip: str, *, happened: datetime, title: str, sender: str, to: str) -> bytes:
    """A copyright notice as XARF v4, as a rights holder's service sends it."""
    case = str(uuid5(NAMESPACE_URL, f"{ip}:{title}:{happened.isoformat()}"))
    contact = {"org": "Aurora Films Rights", "contact": sender, "domain": sender.partition("@")[2]}
    log = base64.b64encode(f"{happened.isoformat()} {ip}:51413 piece 118 ok\n".encode()).decode()
    report = {
        "xarf_version": "4.2.0", "report_id": case, "timestamp": happened.isoformat(), "reporter": contact,
        "sender": contact, "source_identifier": ip, "source_port": 51413, "category": "copyright",
        "type": "p2p", "evidence_source": "crawler", "p2p_protocol": "bittorrent", "work_title": title,
        "rights_holder": "Aurora Films", "description": f"The film “{title}” was offered without a licence.",
        "evidence": [{"content_type": "text/plain", "description": "Log", "payload": log}],
    }  # fmt: skip
    message = EmailMessage()
    message["From"], message["To"], message["Subject"] = sender, to, f"Notice of copyright infringement {case[:8]}"
    message["Date"], message["Message-ID"] = happened, f"<{case}@{contact['domain']}>"
    message.set_content(f"Our work “{title}” is distributed from {ip} without a licence. Details are attached.\n")
    message.add_attachment(json.dumps(report).encode(), maintype="application", subtype="json", filename="xarf.json")
    return message.as_bytes()


def plain(ip: str, *, happened: datetime, sender: str, to: str) -> bytes:
    """A complaint in prose by somebody nobody knows."""
    message = EmailMessage()
    message["From"], message["To"], message["Subject"] = sender, to, f"SSH brute force from {ip}"
    message["Date"], message["Message-ID"] = happened, f"<{int(happened.timestamp())}@complaint.example>"
    message.set_content(
        f"Hello,\n\none of your machines is trying passwords on our SSH server.\n\nSource: {ip}\n"
        f"Time: {happened.strftime('%Y-%m-%d %H:%M:%S')} UTC\nService: ssh, port 22\n\n"
        "Please stop it.\n\nRegards,\nthe admins of complaint.example\n"
    )
    return message.as_bytes()


def bank_statement(iban: str, day: date, cents: int, text: str, payer: str = "Atelier Nord SARL") -> bytes:
    """A statement of the bank (camt.053) with one transfer."""
    return f"""<?xml version="1.0" encoding="UTF-8"?>
<Document xmlns="urn:iso:std:iso:20022:tech:xsd:camt.053.001.08"><BkToCstmrStmt><Stmt><Acct><Id><IBAN>{iban}</IBAN></Id>
</Acct><Ntry><Amt Ccy="EUR">{cents // 100}.{cents % 100:02d}</Amt><CdtDbtInd>CRDT</CdtDbtInd><Sts><Cd>BOOK</Cd></Sts>
<BookgDt><Dt>{day}</Dt></BookgDt><AcctSvcrRef>{day:%Y%m%d}-1</AcctSvcrRef><NtryDtls><TxDtls><RltdPties><Dbtr><Pty>
<Nm>{payer}</Nm></Pty></Dbtr></RltdPties><RmtInf><Ustrd>{text}</Ustrd></RmtInf></TxDtls></NtryDtls></Ntry>
</Stmt></BkToCstmrStmt></Document>""".encode()
