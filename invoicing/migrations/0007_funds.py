import django.db.models.deletion
from django.db import migrations, models

FUNDS = "419100"


def name_the_credits(apps, schema_editor):
    """Funds that were booked before are given their credits and debits, first in first out."""
    posting = apps.get_model("invoicing", "Posting")
    credit = apps.get_model("invoicing", "FundsCredit")
    debit = apps.get_model("invoicing", "FundsDebit")
    rows = posting.objects.filter(ledger_account__code=FUNDS).order_by("pk").select_related("entry")
    for row in rows:
        if row.cents < 0:
            credit.objects.create(account_id=row.account_id, entry_id=row.entry_id, cents=-row.cents,
                                  left_cents=-row.cents, at=row.entry.booked_at)
            continue
        wanted = row.cents
        for one in credit.objects.filter(account_id=row.account_id, left_cents__gt=0).order_by("pk"):
            part = min(wanted, one.left_cents)
            if part:
                debit.objects.create(credit=one, account_id=row.account_id, entry_id=row.entry_id, cents=part)
                credit.objects.filter(pk=one.pk).update(left_cents=one.left_cents - part)
                wanted -= part


class Migration(migrations.Migration):

    dependencies = [
        ('accounts', '0001_initial'),
        ('invoicing', '0006_subscription_changes'),
    ]

    operations = [
        migrations.CreateModel(
            name='FundsCredit',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('cents', models.BigIntegerField()),
                ('left_cents', models.BigIntegerField()),
                ('at', models.DateTimeField()),
            ],
            options={
                'ordering': ('pk',),
            },
        ),
        migrations.CreateModel(
            name='FundsDebit',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('cents', models.BigIntegerField()),
            ],
            options={
                'ordering': ('pk',),
            },
        ),
        migrations.CreateModel(
            name='TopUp',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('reference', models.CharField(max_length=20, unique=True)),
                ('key', models.CharField(max_length=120, unique=True)),
                ('amount_cents', models.BigIntegerField()),
                ('asked_at', models.DateTimeField()),
                ('credited_at', models.DateTimeField(null=True)),
            ],
            options={
                'ordering': ('-asked_at', '-id'),
            },
        ),
        migrations.RemoveConstraint(
            model_name='payment',
            name='payment_has_one_purpose',
        ),
        migrations.AddField(
            model_name='fundscredit',
            name='account',
            field=models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='funds_credits', to='accounts.account'),
        ),
        migrations.AddField(
            model_name='fundscredit',
            name='entry',
            field=models.OneToOneField(on_delete=django.db.models.deletion.PROTECT, related_name='funds_credit', to='invoicing.entry'),
        ),
        migrations.AddField(
            model_name='fundsdebit',
            name='account',
            field=models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to='accounts.account'),
        ),
        migrations.AddField(
            model_name='fundsdebit',
            name='credit',
            field=models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='debits', to='invoicing.fundscredit'),
        ),
        migrations.AddField(
            model_name='fundsdebit',
            name='entry',
            field=models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='funds_debits', to='invoicing.entry'),
        ),
        migrations.AddField(
            model_name='topup',
            name='account',
            field=models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='top_ups', to='accounts.account'),
        ),
        migrations.AddField(
            model_name='payment',
            name='top_up',
            field=models.ForeignKey(null=True, on_delete=django.db.models.deletion.PROTECT, related_name='payments', to='invoicing.topup'),
        ),
        migrations.AddConstraint(
            model_name='payment',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('invoice__isnull', True), ('order__isnull', False), ('top_up__isnull', True)), models.Q(('invoice__isnull', False), ('order__isnull', True), ('top_up__isnull', True)), models.Q(('invoice__isnull', True), ('order__isnull', True), ('top_up__isnull', False)), _connector='OR'), name='payment_has_one_purpose'),
        ),
        migrations.AddConstraint(
            model_name='payment',
            constraint=models.UniqueConstraint(condition=models.Q(('state__in', ('new', 'waiting', 'processing', 'succeeded'))), fields=('top_up',), name='one_live_payment_per_top_up'),
        ),
        migrations.AddIndex(
            model_name='fundscredit',
            index=models.Index(condition=models.Q(('left_cents__gt', 0)), fields=['account'], name='funds_left'),
        ),
        migrations.AddConstraint(
            model_name='fundscredit',
            constraint=models.CheckConstraint(condition=models.Q(('cents__gt', 0)), name='funds_credit_positive'),
        ),
        migrations.AddConstraint(
            model_name='fundscredit',
            constraint=models.CheckConstraint(condition=models.Q(('left_cents__gte', 0), ('left_cents__lte', models.F('cents'))), name='funds_never_below_zero'),
        ),
        migrations.AddConstraint(
            model_name='fundsdebit',
            constraint=models.CheckConstraint(condition=models.Q(('cents__gt', 0)), name='funds_debit_positive'),
        ),
        migrations.AddConstraint(
            model_name='fundsdebit',
            constraint=models.UniqueConstraint(models.F('credit'), models.F('entry'), name='funds_debit_once'),
        ),
        migrations.AddConstraint(
            model_name='topup',
            constraint=models.CheckConstraint(condition=models.Q(('amount_cents__gt', 0)), name='top_up_positive'),
        ),
        migrations.RunPython(name_the_credits, migrations.RunPython.noop),
    ]
