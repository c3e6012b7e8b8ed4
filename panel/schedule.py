"""MAP 2: what happens by itself. Each line is a sweep: a function of `now` that may run late, twice, or for a chosen
instant (`manage.py sweep NAME --now ... --dry-run --json`). The embedded clock walks this list; Celery beat does so in
production."""

SWEEPS: tuple[str, ...] = (
    # name                    what it does                                                        rules
    "core.seal",  #           chains new journal entries
    "servers.watch",  #       provider state and reachability of every machine                     SRV-12
    "servers.attend",  #      the same of machines whose page is open, and how they do              SRV-12
    "servers.vitals",  #      how every machine does, now and then                                SRV-12
    "servers.meter",  #       reads the traffic counters, warns at 50, 75, 90 and 100 %             SRV-4, SRV-5
    "servers.partitions",  #  months of readings made ahead, and dropped when their time is over      SRV-4, PRV-4
    "servers.availability",  # months that are over: credits for less than was promised              SUB-15
    "servers.host_keys",  #   machines that show another host key than their place gave             SRV-2, SRV-13
    "servers.terminals",  #   terminals whose process has died are closed                           SRV-8
    "servers.maintenance",  # announced work begins and ends; newcomers are told                    SUB-10
    "servers.backups",  #     backups that are due, copies whose time is over, failures told         SUB-14, SRV-10
    "servers.patches",  #     managed servers are looked over for updates, late ones told          SRV-9
    "servers.updates",  #     required updates: reminders, and ours to install after the days      SUB-11
    "servers.reconcile",  #   machines and blocks: what should be against what is                  SRV-1
    "servers.pushes",  #      old messages of places go, refused ones are settled                SRV-12
    "abuse.escalate",  #      the ladder: address, account, subscription                          ABU-2..ABU-5, ABU-12
    "invoicing.expire",  #    unpaid orders end                                                   SUB-3
    "invoicing.review",  #    staff is reminded of orders that wait for a decision                SUB-4
    "invoicing.spending",  #  customers are told how near their spending cap is                  SUB-4
    "invoicing.check_vat",  # VAT numbers are asked for again before their proof grows old          INV-10
    "invoicing.renew",  #     invoices on the anniversary, consumption added                       SUB-5, INV-1, SRV-5
    "invoicing.packs",  #     prepaid packs that end soon are announced, those that ended expire   OPR-9
    "invoicing.transfers",  # offers of a service that nobody accepted in time end                SUB-4
    "invoicing.trials",  #    free trials that become paid services are announced                SUB-5, OPR-11
    "invoicing.dun",  #       reminders, suspensions, ends, late fees of what stays unpaid  INV-7, INV-8, SRV-6, SUB-8
    "invoicing.debits",  #    debits whose day was missed told anew, idle mandates end            INV-5, OPR-3
    "invoicing.quotes",  #    quotes expire, stages of signed ones are invoiced on their day     PRJ-1
    "payments.collect",  #    refused payments again, cards about to end                          INV-5, INV-7
    "invoicing.compare",  #   provider, books, invoices and services against each other           INV-11, INV-12
    "invoicing.compare_balances",  # receivables and funds in the books against invoices and credits  INV-11
    "invoicing.report",  #    e-reports of the periods that are over                              INV-10
    "invoicing.close",  #     days, months and years are closed and sealed                        INV-11
    "invoicing.follow",  #    what is on its way at the e-invoicing platform                      INV-10
    "payments.reconcile",  #  lost webhooks are made good                                         INV-12
    "core.forget",  #         done operations that leave nothing worth keeping
    "abuse.forget",  #        counts of past days of mails to strangers end                        ABU-1
    "api.forget",  #          answers kept for Idempotency-Keys end after two days
)
