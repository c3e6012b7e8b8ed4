"""Who opens pages in the demo world, with their cookies, and an address of the demo world for each name of the URLconf.

Runs beside the program, on its data: `program.manage(script="from tests.browser.cast import tell; tell()")`.
"""

import json
import os
from typing import Any


def tell() -> None:
    """Prints cookies by persona and the ids of one thing of each kind, as JSON."""
    os.environ["DJANGO_SETTINGS_MODULE"] = "panel.settings"
    import django

    django.setup()
    print(json.dumps({"cookies": _cookies(), "things": _things()}))


def _cookies() -> dict[str, str]:
    from panel.accounts import contacts
    from panel.accounts.models import Membership, User, actor_of
    from panel.core import clock
    from panel.demo import logins, people

    now = clock.now()
    camille, sam = User.objects.get(email__startswith="camille@"), User.objects.get(email__startswith="sam@")
    account = Membership.objects.get(user=camille).account
    limited = contacts.invite(
        account, email="lea@atelier-nord.example", name="Léa Marchand", wanted=["see"],
        actor=actor_of(camille, account_id=account.pk), link="/account/", now=now,
    )  # fmt: skip
    newcomer = people.customer(
        "", "Noé Lambert", "noe@newcomer.example", now=now, kind="consumer", street="3 rue du Lac", postcode="74000",
        city="Annecy", country="FR",
    )  # fmt: skip
    lukas = Membership.objects.get(user__email__startswith="lukas@")
    rows = {
        "owner": (camille, account), "limited": (limited.user, account), "staff": (sam, None),
        "newcomer": (newcomer.user, newcomer.account),
        "stranger": (lukas.user, lukas.account),
    }  # fmt: skip
    for user, _ in rows.values():
        user.language = user.theme = ""  # the browser says which
        if not user.has_usable_password():
            user.set_password(logins.new_password())  # as everybody has who followed the invitation
        user.save()
    return {name: _session(user, held, now) for name, (user, held) in rows.items()}


def _session(user: Any, account: Any, now: Any) -> str:
    from importlib import import_module

    from django.conf import settings
    from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY

    session = import_module(settings.SESSION_ENGINE).SessionStore()
    session[SESSION_KEY], session[BACKEND_SESSION_KEY] = str(user.pk), settings.AUTHENTICATION_BACKENDS[0]
    session[HASH_SESSION_KEY] = user.get_session_auth_hash()
    session["account_authentication_methods_user"] = str(user.pk)
    typed = now.timestamp() + 3600  # the walk takes long on a busy machine, and asks nobody for a password again
    session["account_authentication_methods"] = [{"method": "password", "at": typed, "reauthenticated": True}]
    if account is not None:
        session["account"] = account.pk
    session.save()
    return str(session.session_key)


def _topics(account: Any) -> dict[str, str]:
    """What live pages of the owner's and of the stranger's account watch."""
    from panel.accounts.models import Membership
    from servers.models import Server

    stranger = Membership.objects.get(user__email__startswith="lukas@")
    server = Server.objects.get(name="web-1", account=account)
    return {
        "account": f"account:{account.pk}",
        "server": f"server:{server.pk}",
        "stranger": f"account:{stranger.account_id}",
    }


def _finding(server: Any) -> int:
    """The place made a second machine for a server, and the comparison has found it."""
    from panel.core import clock
    from servers import reconcile
    from servers.models import Discrepancy
    from servers.providers.simulated.control import Control

    Control(server.place).twin(server.provider_ref)
    reconcile.reconcile(clock.now())
    return Discrepancy.objects.get(kind="duplicate", resolved_at=None).pk


def _things() -> dict[str, Any]:
    """Of Camille's account; reports, reporters and operations of anybody."""
    from abuse.models import Case, Report, Reporter
    from invoicing.models import (
        BankReceipt,
        BillingRun,
        Contest,
        Debit,
        DebitBatch,
        DraftInvoice,
        Entry,
        EReport,
        Invoice,
        InvoiceLine,
        Mandate,
        ManualPayment,
        Order,
        OrderReview,
        Payout,
        Quote,
        ServiceTransfer,
        Subscription,
        TopUp,
    )
    from panel.accounts.models import Account, Membership
    from panel.core.models import MailMessage, Operation
    from servers.models import Interruption, Server
    from tickets.models import Ticket

    account = Account.objects.get(memberships__user__email__startswith="camille@")
    own = {"account": account}
    quote = Quote.objects.get(state="sent", **own)
    metered = InvoiceLine.objects.filter(code="usage:traffic").select_related("invoice").order_by("pk")[0]
    return {
        "quote": quote.reference,
        "entry": Entry.objects.order_by("-pk")[0].pk,
        "draft": DraftInvoice.objects.get(invoice=None).pk,
        "quote_line": quote.lines.exclude(interval="")[0].pk,
        "account": account.reference,
        "topics": _topics(account),
        "server": Server.objects.get(name="web-1", **own).reference,
        "interruption": Interruption.objects.get(state="announced").reference,
        "finding": _finding(Server.objects.get(name="web-1", **own)),
        "order": Order.objects.get(state="awaiting_payment", **own).reference,
        "subscription": Subscription.objects.filter(**own).order_by("pk")[0].reference,
        "review": OrderReview.objects.filter(state="waiting")[0].pk,
        "bank_receipt": BankReceipt.objects.get(state="waiting").pk,
        "manual_payment": ManualPayment.objects.order_by("pk")[0].pk,
        "payout": Payout.objects.order_by("pk")[0].provider_ref,
        "mandate": Mandate.objects.get(**own).reference,
        "debit": Debit.objects.exclude(batch=None).order_by("pk")[0].pk,
        "debit_batch": DebitBatch.objects.get().reference,
        "top_up": (top_up := TopUp.objects.get(**own)).reference,
        "payment": top_up.payments.get().reference,
        "invoice": Invoice.objects.filter(**own).order_by("pk")[0].number,
        "contest": Contest.objects.get(state="open", **own).reference,
        "run": BillingRun.objects.order_by("-pk")[0].pk,
        "metered_invoice": metered.invoice.number,
        "metered_line": metered.position,
        "case": Case.objects.filter(closed_at=None, **own)[0].reference,
        "ticket": Ticket.objects.filter(title__startswith="Reverse", **own)[0].number,
        "transfer": ServiceTransfer.objects.get(state="offered", receiver=account).reference,
        "contact": Membership.objects.get(user__email__startswith="theo@").pk,
        "mail": MailMessage.objects.exclude(content=None).order_by("-pk")[0].pk,
        "operation": Operation.objects.filter(account_id=account.pk).order_by("-pk")[0].pk,
        "e_report": EReport.objects.filter(kind="sales").order_by("-start")[0].pk,
        "report": Report.objects.filter(case=None).order_by("-pk")[0].pk,
        "trusted_report": Report.objects.exclude(case=None).order_by("-pk")[0].pk,
        "reporter": Reporter.objects.order_by("pk")[0].pk,
    }
