"""Issued documents to files: Factur-X PDF, CII and UBL, in two processes, as two workers do it on two cores.

The floor calls the same libraries bare, on what was prepared beforehand: typst once, the CII without any check, the CII
put into the PDF. The product freezes nothing and prepares nothing: it reads the frozen document, words its figures,
checks the CII against its schema, writes the UBL too, and keeps the three files with their SHA-256, safely on disk.
"""

import json
import multiprocessing
import os
import sys
import tempfile
import time
from collections.abc import Callable
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from bench import measure

WORKERS, ROUNDS, EACH = 2, 5, 30  # documents a worker makes in a round


def prepared() -> tuple[Callable[[], object], Callable[[], object]]:
    """The floor and the product, warm, in a process that has just begun: the renderer does not survive a fork."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "panel.settings")
    import django

    django.setup()
    import facturx
    import typst

    from invoicing.documents import InvoiceDocument, einvoice, pdf
    from invoicing.issuing import printing
    from panel.core import files
    from tests.support import papers

    frozen = papers.DOCUMENT.as_dict()
    words = json.dumps(pdf._printed(papers.DOCUMENT), ensure_ascii=False)
    template, terms, moment = pdf._TEMPLATE.read_bytes(), einvoice.terms(papers.DOCUMENT), pdf._noon("2026-03-02")

    def floor() -> object:
        printed: Any = typst.compile(
            template, ignore_system_fonts=True, sys_inputs={"document": words}, pdf_standards="a-3b", timestamp=moment
        )
        cii = facturx.generate_cii_xml(dict(terms), "en16931", check_xsd=False, check_schematron=False)
        return facturx.generate_from_binary(
            printed, cii, flavor="factur-x", level="en16931", check_xsd=False, check_schematron=False,
            pdf_metadata={"author": "a", "title": "t", "keywords": "k", "subject": "s"}, lang="en-GB",
        )  # fmt: skip

    def product() -> object:
        made = printing.files_of(InvoiceDocument.from_dict(frozen))
        return [files.keep(content) for content in (made.pdf, made.cii, made.ubl)]

    for warm in (floor, product):
        warm()
    return floor, product


def worker(line: Connection, folder: str) -> None:
    """Makes EACH documents whenever it is told a name; answers that it is done."""
    os.environ["CLAUSE_DATA"] = folder
    sys.stderr = open(os.devnull, "w")  # noqa: SIM115
    floor, product = prepared()
    line.send("ready")
    while (name := line.recv()) != "end":
        for _ in range(EACH):
            (product if name == "product" else floor)()
        line.send("done")


def main() -> None:
    spawn = multiprocessing.get_context("spawn")
    with tempfile.TemporaryDirectory() as folder:
        lines = []
        for _ in range(WORKERS):
            here, there = spawn.Pipe()
            spawn.Process(target=worker, args=(there, folder), daemon=True).start()
            lines.append(here)
        ready = [line.recv() for line in lines]
        times: dict[str, list[float]] = {"floor": [], "product": []}
        for turn in range(ROUNDS):
            for name in list(times)[:: 1 if turn % 2 else -1]:
                began = time.perf_counter()
                for line in lines:
                    line.send(name)
                for line in lines:
                    line.recv()
                times[name].append(time.perf_counter() - began)
        for line in lines:
            line.send("end")
        kept = sum(1 for path in Path(folder).rglob("*") if path.is_file())
    rows = [
        (name, f"{WORKERS * EACH / min(spent):.1f}", f"{WORKERS * EACH / sorted(spent)[ROUNDS // 2]:.1f}")
        for name, spent in times.items()
    ]
    measure.table(("documents a second, two processes", "best", "median"), rows)
    measure.verdict({"every worker was ready": ready == ["ready"] * WORKERS, "files were kept on disk": kept >= 3})
    ratio = measure.ratio(times["product"], times["floor"])
    print(f"product over floor: {ratio}")
    measure.conclude("bench_documents", ratio.middle)


if __name__ == "__main__":
    main()
