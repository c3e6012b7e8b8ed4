import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):

    initial = True

    dependencies = [
    ]

    operations = [
        migrations.CreateModel(
            name='User',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('password', models.CharField(max_length=128, verbose_name='password')),
                ('last_login', models.DateTimeField(blank=True, null=True, verbose_name='last login')),
                ('email', models.EmailField(max_length=254, unique=True, verbose_name='E-mail')),
                ('name', models.CharField(max_length=120, verbose_name='Name')),
                ('phone', models.CharField(blank=True, max_length=40, verbose_name='Telephone')),
                ('language', models.CharField(choices=[('en', 'English'), ('fr', 'Français')], default='en', max_length=5, verbose_name='Language')),
                ('timezone', models.CharField(default='Europe/Paris', max_length=50, verbose_name='Time zone')),
                ('theme', models.CharField(choices=[('system', 'System'), ('light', 'Light'), ('dark', 'Dark')], default='system', max_length=6)),
                ('is_active', models.BooleanField(default=True)),
                ('created_at', models.DateTimeField()),
                ('confirmed_at', models.DateTimeField(help_text='when the e-mail address was confirmed (ACC-2)', null=True)),
            ],
            options={
                'abstract': False,
            },
        ),
        migrations.CreateModel(
            name='Account',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('reference', models.CharField(max_length=20, unique=True)),
                ('kind', models.CharField(choices=[('business', 'Business'), ('consumer', 'Private person')], max_length=10, verbose_name='Kind')),
                ('name', models.CharField(max_length=120, verbose_name='Name')),
                ('company', models.CharField(blank=True, max_length=160, verbose_name='Company')),
                ('siren', models.CharField(blank=True, max_length=9, verbose_name='SIREN')),
                ('vat_number', models.CharField(blank=True, max_length=20, verbose_name='VAT number')),
                ('vat_valid_at', models.DateTimeField(blank=True, null=True)),
                ('vat_evidence', models.JSONField(blank=True, default=dict)),
                ('street', models.CharField(blank=True, max_length=200, verbose_name='Street')),
                ('postcode', models.CharField(blank=True, max_length=20, verbose_name='Postcode')),
                ('city', models.CharField(blank=True, max_length=120, verbose_name='City')),
                ('country', models.CharField(default='FR', max_length=2, verbose_name='Country')),
                ('phone', models.CharField(blank=True, max_length=40, verbose_name='Telephone')),
                ('billing_email', models.EmailField(max_length=254, verbose_name='Billing e-mail')),
                ('billing_contact', models.CharField(blank=True, help_text='A person or a department, printed on invoices.', max_length=120, verbose_name='Billing contact')),
                ('buyer_reference', models.CharField(blank=True, help_text='Printed on every invoice from now on, and part of the e-invoice.', max_length=60, verbose_name='Your order number')),
                ('language', models.CharField(default='en', max_length=5)),
                ('state', models.CharField(choices=[('open', 'Open'), ('closed', 'Closed')], default='open', max_length=10)),
                ('created_at', models.DateTimeField()),
            ],
            options={
                'constraints': [models.UniqueConstraint(condition=models.Q(('vat_number', ''), _negated=True), fields=('vat_number',), name='account_vat_once'), models.UniqueConstraint(condition=models.Q(('siren', ''), _negated=True), fields=('siren',), name='account_siren_once')],
            },
        ),
        migrations.CreateModel(
            name='Acceptance',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('documents', models.JSONField(help_text='[{"document": ..., "version": ..., "sha256": ...}]')),
                ('terms_version', models.CharField(max_length=40)),
                ('at', models.DateTimeField()),
                ('ip', models.GenericIPAddressField(null=True)),
                ('subject_type', models.CharField(blank=True, max_length=60)),
                ('subject_id', models.BigIntegerField(null=True)),
                ('user', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL)),
                ('account', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='acceptances', to='accounts.account')),
            ],
        ),
        migrations.CreateModel(
            name='Approval',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('kind', models.CharField(max_length=40)),
                ('key', models.CharField(max_length=120, unique=True)),
                ('rule', models.CharField(blank=True, max_length=10)),
                ('subject_type', models.CharField(blank=True, max_length=60)),
                ('subject_id', models.BigIntegerField(null=True)),
                ('summary', models.TextField()),
                ('needed', models.PositiveSmallIntegerField(default=2)),
                ('state', models.CharField(choices=[('open', 'Waiting for approval'), ('granted', 'Granted'), ('refused', 'Refused')], default='open', max_length=10)),
                ('asked_at', models.DateTimeField()),
                ('decided_at', models.DateTimeField(null=True)),
                ('account', models.ForeignKey(null=True, on_delete=django.db.models.deletion.PROTECT, related_name='approvals', to='accounts.account')),
            ],
        ),
        migrations.CreateModel(
            name='Membership',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('is_owner', models.BooleanField(default=False)),
                ('permissions', models.JSONField(default=list)),
                ('created_at', models.DateTimeField()),
                ('account', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='memberships', to='accounts.account')),
                ('invited_by', models.ForeignKey(null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='+', to=settings.AUTH_USER_MODEL)),
                ('user', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='memberships', to=settings.AUTH_USER_MODEL)),
            ],
            options={
                'constraints': [models.UniqueConstraint(fields=('user', 'account'), name='membership_once'), models.UniqueConstraint(condition=models.Q(('is_owner', True)), fields=('account',), name='membership_one_owner')],
            },
        ),
        migrations.CreateModel(
            name='ApiToken',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('name', models.CharField(max_length=80)),
                ('prefix', models.CharField(max_length=12, unique=True)),
                ('digest', models.CharField(max_length=64)),
                ('scopes', models.JSONField(default=list)),
                ('created_at', models.DateTimeField()),
                ('expires_at', models.DateTimeField(null=True)),
                ('last_used_at', models.DateTimeField(null=True)),
                ('revoked_at', models.DateTimeField(null=True)),
                ('account', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='tokens', to='accounts.account')),
                ('membership', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='tokens', to='accounts.membership')),
            ],
        ),
        migrations.CreateModel(
            name='Restriction',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('key', models.CharField(max_length=120, unique=True)),
                ('scope', models.CharField(choices=[('address', 'IP address'), ('ports', 'Ports'), ('server', 'Server'), ('subscription', 'Subscription'), ('account', 'Account')], max_length=12)),
                ('subject_type', models.CharField(blank=True, max_length=60)),
                ('subject_id', models.BigIntegerField(null=True)),
                ('rule', models.CharField(max_length=10)),
                ('author_kind', models.CharField(max_length=10)),
                ('author_id', models.BigIntegerField(null=True)),
                ('evidence', models.JSONField(default=dict, help_text='ids: the case, its reports, the invoice')),
                ('statement', models.TextField(help_text='the statement of reasons the customer reads (ABU-10)')),
                ('state', models.CharField(choices=[('waiting', 'Waiting for release'), ('active', 'In force'), ('lifted', 'Lifted'), ('refused', 'Not applied')], default='active', max_length=10)),
                ('decided_at', models.DateTimeField()),
                ('starts_at', models.DateTimeField(null=True)),
                ('effective_at', models.DateTimeField(help_text='when the outside world confirmed it', null=True)),
                ('lifted_at', models.DateTimeField(null=True)),
                ('lifted_by_id', models.BigIntegerField(null=True)),
                ('lifted_reason', models.TextField(blank=True)),
                ('account', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='restrictions', to='accounts.account')),
            ],
            options={
                'indexes': [models.Index(condition=models.Q(('state', 'active')), fields=['account'], name='restriction_in_force'), models.Index(fields=['subject_type', 'subject_id'], name='restriction_subject'), models.Index(fields=['decided_at'], name='restriction_decided')],
            },
        ),
        migrations.CreateModel(
            name='StaffRole',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('role', models.CharField(choices=[('support', 'Support'), ('billing', 'Billing'), ('abuse', 'Abuse desk'), ('infrastructure', 'Infrastructure'), ('administrator', 'Administrator')], max_length=20)),
                ('user', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='staff_roles', to=settings.AUTH_USER_MODEL)),
            ],
            options={
                'constraints': [models.UniqueConstraint(fields=('user', 'role'), name='staff_role_once')],
            },
        ),
        migrations.CreateModel(
            name='TermsAnnouncement',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('terms_version', models.CharField(max_length=40)),
                ('announced_at', models.DateTimeField()),
                ('account', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='announcements', to='accounts.account')),
            ],
            options={
                'constraints': [models.UniqueConstraint(fields=('account', 'terms_version'), name='announcement_once')],
            },
        ),
        migrations.CreateModel(
            name='ApprovalVote',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('agrees', models.BooleanField()),
                ('reason', models.TextField(blank=True)),
                ('at', models.DateTimeField()),
                ('approval', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='votes', to='accounts.approval')),
                ('user', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL)),
            ],
            options={
                'constraints': [models.UniqueConstraint(fields=('approval', 'user'), name='approval_vote_once')],
            },
        ),
    ]
