"""The sentences of this room's events."""

from django.utils.translation import gettext_lazy as _

from panel.core.wording import WORDINGS, Wording

WORDINGS.update(
    {
        "invoicing.order.placed": Wording(_("Order %(order)s placed over %(total)s"), "order"),
        "invoicing.order.paid": Wording(_("Order %(order)s paid"), "check", "good"),
        "invoicing.order.cancelled": Wording(_("Order %(order)s cancelled: nothing is charged"), "ban", "warn"),
        "invoicing.order.held": Wording(_("Order %(order)s is being checked"), "review", "warn"),
        "invoicing.order.retaxed": Wording(_("Order %(order)s carries another VAT: %(total)s"), "percent", "warn"),
        "invoicing.order.accepted": Wording(_("Order %(order)s checked and accepted"), "check", "good"),
        "invoicing.order.refused": Wording(_("Order %(order)s checked and refused"), "ban", "bad"),
        "invoicing.spending.cap_set": Wording(_("Spending cap set to %(amount)s a month"), "shield"),
        "invoicing.spending.cap_removed": Wording(_("Spending cap taken away"), "shield"),
        "invoicing.spending.reached": Wording(
            _("%(percent)s %% of the spending cap reached: %(amount)s of %(cap)s"), "alarm", "warn"
        ),
        "invoicing.account.competitor": Wording(_("Marked as a competitor"), "warning", "warn"),
        "invoicing.account.no_competitor": Wording(_("No longer marked as a competitor"), "undo"),
        "invoicing.account.limits_raised": Wording(_("Limits of new accounts raised by staff"), "unlocked", "good"),
        "invoicing.account.limits_back": Wording(_("Limits of new accounts hold again"), "locked", "warn"),
        "invoicing.mail_domain.said": Wording(_("Mail domain %(domain)s judged"), "mail"),
        "invoicing.mail_domain.forgotten": Wording(_("Mail domain %(domain)s left to the list"), "mail"),
        "invoicing.order.review_near": Wording(
            _("The promised answer on order %(order)s is nearly due"), "alarm", "warn"
        ),
        "invoicing.order.paid_late": Wording(_("Payment for the cancelled order %(order)s arrived"), "coin", "warn"),
        "invoicing.order.paid_again": Wording(_("A second payment for order %(order)s arrived"), "coin", "warn"),
        "invoicing.subscription.started": Wording(_("Subscription %(subscription)s started"), "play", "good"),
        "invoicing.subscription.renewed": Wording(_("Subscription %(subscription)s renewed until %(until)s"), "reboot"),
        "invoicing.subscription.suspended": Wording(_("Subscription %(subscription)s suspended"), "locked", "bad"),
        "invoicing.subscription.resumed": Wording(_("Subscription %(subscription)s resumed"), "unlocked", "good"),
        "invoicing.subscription.paused": Wording(_("Subscription %(subscription)s paused"), "paused"),
        "invoicing.subscription.unpaused": Wording(
            _("The pause of subscription %(subscription)s is over"), "play", "good"
        ),
        "invoicing.subscription.renewal_refused": Wording(
            _("Subscription %(subscription)s is not renewed: it ends on %(on)s"), "ban", "warn"
        ),
        "invoicing.subscription.renewal_restored": Wording(
            _("Subscription %(subscription)s is renewed again"), "undo", "good"
        ),
        "invoicing.subscription.terminated": Wording(_("Subscription %(subscription)s ended"), "stopped", "warn"),
        "invoicing.subscription.changed": Wording(
            _("Subscription %(subscription)s changed to %(package)s"), "services"
        ),
        "invoicing.subscription.change_planned": Wording(
            _("Change of %(subscription)s to %(package)s planned for %(on)s"), "calendar"
        ),
        "invoicing.subscription.change_undone": Wording(_("Change of %(subscription)s taken back"), "undo"),
        "invoicing.subscription.end_planned": Wording(
            _("Subscription %(subscription)s is to end on %(on)s"), "calendar", "warn"
        ),
        "invoicing.subscription.end_undone": Wording(_("Subscription %(subscription)s goes on"), "undo", "good"),
        "invoicing.subscription.repriced": Wording(
            _("Subscription %(subscription)s renewed at its announced price: %(period)s"), "coin"
        ),
        "invoicing.transfer.offered": Wording(_("Transfer of %(subscription)s to %(to)s offered"), "hand"),
        "invoicing.transfer.accepted": Wording(_("%(subscription)s transferred to %(to)s"), "check", "good"),
        "invoicing.transfer.declined": Wording(_("Transfer of %(subscription)s declined"), "closed", "warn"),
        "invoicing.transfer.withdrawn": Wording(_("Transfer of %(subscription)s withdrawn"), "undo"),
        "invoicing.transfer.expired": Wording(_("Offer to transfer %(subscription)s expired"), "hourglass", "warn"),
        "invoicing.price.ended": Wording(_("A group’s own price of %(item)s has ended"), "coin"),
        "invoicing.price.set": Wording(_("Price of %(item)s set to %(amount)s"), "coin"),
        "invoicing.price.announced": Wording(_("New price of %(item)s announced: %(amount)s"), "mail"),
        "invoicing.trial.announced": Wording(
            _("Told that the trial of %(subscription)s is paid for from %(on)s"), "mail"
        ),
        "invoicing.group.made": Wording(_("Customer group %(group)s made"), "customers"),
        "invoicing.group.joined": Wording(_("Joined the customer group %(group)s"), "customers"),
        "invoicing.group.left": Wording(_("Left the customer group %(group)s"), "customers"),
        "invoicing.group.percent_set": Wording(_("Group %(group)s: %(percent)s %% off the listed prices"), "percent"),
        "invoicing.promotion.made": Wording(_("Promotional code %(promotion)s made"), "percent"),
        "invoicing.promotion.switched_off": Wording(_("Promotional code %(promotion)s switched off"), "ban", "warn"),
        "invoicing.promotion.used": Wording(_("Code %(promotion)s used with %(order)s: %(off)s off"), "percent"),
        "invoicing.promotion.given_back": Wording(_("The promotional code of %(order)s is given back"), "undo"),
        "invoicing.item.kept": Wording(_("%(item)s in the catalogue changed"), "catalogue"),
        "invoicing.invoice.issued": Wording(_("Invoice %(invoice)s issued over %(total)s"), "invoice"),
        "invoicing.invoice.credit_noted": Wording(_("Credit note %(invoice)s over %(total)s on %(credits)s"), "undo"),
        "invoicing.invoice.paid": Wording(_("Invoice %(invoice)s paid"), "check", "good"),
        "invoicing.invoice.written_off": Wording(_("Invoice %(invoice)s is written off"), "ban", "warn"),
        "invoicing.invoice.part_paid": Wording(_("A part of invoice %(invoice)s paid: %(amount)s"), "coin", "good"),
        "invoicing.invoice.credited": Wording(_("Invoice %(invoice)s fully credited"), "undo"),
        "invoicing.invoice.overdue": Wording(_("Invoice %(invoice)s is overdue"), "alarm", "bad"),
        "invoicing.invoice.open": Wording(_("Invoice %(invoice)s is open again"), "waiting", "warn"),
        "invoicing.reminder.sent": Wording(
            _("Reminder %(stage)s for invoice %(invoice)s over %(due)s"), "mail", "warn"
        ),
        "invoicing.late.claimed": Wording(
            _("Late payment of invoice %(invoice)s: %(amount)s on statement %(statement)s"), "percent", "warn"
        ),
        "invoicing.late.held": Wording(
            _("Late interest on invoice %(invoice)s is held: no legal rate for %(half)s"), "hourglass", "warn"
        ),
        "invoicing.rate.set": Wording(_("Legal interest rate of %(half)s: %(percent)s %%"), "percent"),
        "invoicing.suspension.proposed": Wording(
            _("Suspension proposed: invoice %(invoice)s is unpaid"), "review", "warn"
        ),
        "invoicing.suspension.held": Wording(_("Suspension for invoice %(invoice)s kept back"), "hourglass", "warn"),
        "invoicing.suspension.released": Wording(_("Suspension for invoice %(invoice)s released"), "hourglass", "warn"),
        "invoicing.suspension.applied": Wording(_("Suspended: invoice %(invoice)s is unpaid"), "locked", "bad"),
        "invoicing.suspension.refused": Wording(_("No suspension for invoice %(invoice)s"), "unlocked", "good"),
        "invoicing.suspension.withdrawn": Wording(
            _("Suspension for invoice %(invoice)s is no longer due"), "unlocked", "good"
        ),
        "invoicing.suspension.lifted": Wording(_("Suspension for invoice %(invoice)s lifted"), "unlocked", "good"),
        "invoicing.termination.proposed": Wording(
            _("End of services proposed: invoice %(invoice)s is still unpaid"), "review", "warn"
        ),
        "invoicing.termination.ended": Wording(_("Services ended: invoice %(invoice)s is unpaid"), "closed", "bad"),
        "invoicing.termination.refused": Wording(_("No services ended for invoice %(invoice)s"), "undo", "good"),
        "invoicing.termination.withdrawn": Wording(
            _("End of services for invoice %(invoice)s is no longer due"), "undo", "good"
        ),
        "invoicing.credit.granted": Wording(
            _("Credit of %(amount)s granted for subscription %(subscription)s"), "undo", "good"
        ),
        "invoicing.contest.opened": Wording(_("Invoice %(invoice)s disputed: %(amount)s"), "scale", "warn"),
        "invoicing.contest.accepted": Wording(
            _("Dispute of %(invoice)s accepted: %(amount)s credited"), "check", "good"
        ),
        "invoicing.contest.partly": Wording(
            _("Dispute of %(invoice)s accepted in part: %(amount)s credited"), "check", "good"
        ),
        "invoicing.contest.refused": Wording(_("Dispute of %(invoice)s refused"), "closed", "warn"),
        "invoicing.contest.withdrawn": Wording(_("Dispute of %(invoice)s withdrawn"), "undo"),
        "invoicing.billing_run.started": Wording(_("Billing run over %(expected)s subscriptions begun"), "play"),
        "invoicing.billing_run.short": Wording(
            _("Billing run fell short: %(failed)s of %(expected)s"), "warning", "bad"
        ),
        "invoicing.usage_source.added": Wording(_("Source of usage %(source)s added"), "token"),
        "invoicing.usage_source.revoked": Wording(_("Key of the source of usage %(source)s revoked"), "ban", "warn"),
        "invoicing.meter.set": Wording(_("Meter %(meter)s of %(package)s priced"), "traffic"),
        "invoicing.subscription.order_number": Wording(
            _("Order number of subscription %(subscription)s changed"), "edit"
        ),
        "invoicing.pack.bought": Wording(_("Prepaid pack %(pack)s bought"), "services", "good"),
        "invoicing.pack.expired": Wording(_("Prepaid pack %(pack)s expired with %(units)s"), "hourglass", "warn"),
        "invoicing.pack.withdrawn": Wording(
            _("Prepaid pack %(pack)s: %(units)s withdrawn, its payment was taken back"), "undo", "bad"
        ),
        "invoicing.pack.gone_later": Wording(
            _("Use of the withdrawn pack %(pack)s was corrected: %(units)s are credited"), "undo"
        ),
        "invoicing.pack.refunded": Wording(_("Prepaid pack %(pack)s of invoice %(invoice)s credited"), "undo"),
        "invoicing.charge.made": Wording(_("%(amount)s charged on invoice %(invoice)s"), "coin", "warn"),
        "invoicing.charge.reversed": Wording(_("%(amount)s credited by %(invoice)s"), "undo", "good"),
    }
)
