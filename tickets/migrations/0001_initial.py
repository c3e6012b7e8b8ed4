import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models

import tickets.rules


class Migration(migrations.Migration):

    initial = True

    dependencies = [
        ('accounts', '0001_initial'),
        ('accounts', '__first__'),
        ('core', '0001_initial'),
    ]

    operations = [
        migrations.CreateModel(
            name='Message',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('author_kind', models.CharField(choices=[(tickets.rules.Author['CUSTOMER'], tickets.rules.Author['CUSTOMER']), (tickets.rules.Author['STAFF'], tickets.rules.Author['STAFF']), (tickets.rules.Author['PANEL'], tickets.rules.Author['PANEL'])], max_length=10)),
                ('author_name', models.CharField(blank=True, help_text='of a mail from somebody we do not know', max_length=200)),
                ('body', models.TextField()),
                ('at', models.DateTimeField(help_text='when it arrived at our server, not when it says it was written')),
                ('via', models.CharField(choices=[(tickets.rules.Via['WEB'], tickets.rules.Via['WEB']), (tickets.rules.Via['MAIL'], tickets.rules.Via['MAIL']), (tickets.rules.Via['API'], tickets.rules.Via['API']), (tickets.rules.Via['PANEL'], tickets.rules.Via['PANEL'])], max_length=8)),
                ('internal', models.BooleanField(default=False, help_text='a note that the customer never sees')),
                ('automatic', models.BooleanField(default=False, help_text='written by a machine: it answers nothing')),
                ('message_id', models.CharField(blank=True, max_length=250)),
                ('doubt', models.CharField(blank=True, choices=[('asked', 'Whose is it?'), ('vouched', 'Vouched for by staff'), ('denied', "Not the customer's")], help_text='of a mail that only its subject ties to the request', max_length=8)),
                ('account', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to='accounts.account')),
                ('author', models.ForeignKey(null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='+', to=settings.AUTH_USER_MODEL)),
            ],
            options={
                'ordering': ('at', 'id'),
            },
        ),
        migrations.CreateModel(
            name='Attachment',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('name', models.CharField(max_length=200)),
                ('size', models.PositiveBigIntegerField()),
                ('account', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to='accounts.account')),
                ('blob', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to='core.blob')),
                ('message', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='attachments', to='tickets.message')),
            ],
        ),
        migrations.CreateModel(
            name='Ticket',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('number', models.CharField(max_length=20, unique=True)),
                ('department', models.CharField(choices=[('support', 'Technical support'), ('billing', 'Billing'), ('sales', 'Services and orders'), ('abuse', 'Abuse desk'), ('privacy', 'Privacy')], max_length=10, verbose_name='Department')),
                ('kind', models.CharField(default='question', max_length=40)),
                ('title', models.CharField(max_length=200, verbose_name='Subject')),
                ('state', models.CharField(choices=[('open', 'Open'), ('waiting_staff', 'With our team'), ('waiting_customer', 'Your reply needed'), ('closed', 'Closed')], default='open', max_length=20)),
                ('level', models.CharField(default='standard', help_text='the support level it was opened under (TIC-2)', max_length=20)),
                ('subject_type', models.CharField(blank=True, max_length=60)),
                ('subject_id', models.BigIntegerField(null=True)),
                ('opened_at', models.DateTimeField()),
                ('first_answered_at', models.DateTimeField(null=True)),
                ('changed_at', models.DateTimeField(help_text='the last message')),
                ('waiting_since', models.DateTimeField(help_text='since when staff must act', null=True)),
                ('closed_at', models.DateTimeField(null=True)),
                ('terms_version', models.CharField(max_length=60)),
                ('account', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='tickets', to='accounts.account')),
                ('assigned_to', models.ForeignKey(null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='+', to=settings.AUTH_USER_MODEL)),
                ('opened_by', models.ForeignKey(null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='+', to=settings.AUTH_USER_MODEL)),
            ],
            options={
                'ordering': ('-changed_at', '-id'),
                'indexes': [models.Index(fields=['account', '-changed_at'], name='ticket_account'), models.Index(condition=models.Q(('waiting_since__isnull', False)), fields=['waiting_since'], name='ticket_waiting'), models.Index(fields=['subject_type', 'subject_id'], name='ticket_subject'), models.Index(fields=['-changed_at'], name='ticket_recent')],
            },
        ),
        migrations.AddField(
            model_name='message',
            name='ticket',
            field=models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='messages', to='tickets.ticket'),
        ),
        migrations.AddIndex(
            model_name='message',
            index=models.Index(fields=['ticket', 'at'], name='ticket_message_thread'),
        ),
        migrations.AddConstraint(
            model_name='message',
            constraint=models.UniqueConstraint(condition=models.Q(('message_id', ''), _negated=True), fields=('ticket', 'message_id'), name='ticket_message_once'),
        ),
    ]
