import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):

    initial = True

    dependencies = [
        ('accounts', '0001_initial'),
        ('core', '0001_initial'),
        ('invoicing', '0001_initial'),
    ]

    operations = [
        migrations.CreateModel(
            name='Server',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('reference', models.CharField(max_length=20, unique=True)),
                ('name', models.CharField(max_length=63)),
                ('state', models.CharField(choices=[('ordered', 'ordered'), ('creating', 'creating'), ('running', 'running'), ('stopped', 'stopped'), ('suspended', 'suspended'), ('destroying', 'destroying'), ('destroyed', 'destroyed'), ('failed', 'failed')], default='ordered', max_length=12)),
                ('place', models.CharField(max_length=40)),
                ('provider_ref', models.CharField(blank=True, max_length=120)),
                ('image', models.CharField(max_length=80)),
                ('size', models.JSONField(help_text='code, vcpu, memory_mb, disk_gb')),
                ('extra_addresses', models.PositiveSmallIntegerField(default=0)),
                ('included_bytes', models.BigIntegerField(default=0, help_text='per traffic month (SRV-4)')),
                ('warn_percent', models.PositiveSmallIntegerField(blank=True, help_text="the client's own (SRV-5)", null=True)),
                ('host_key', models.TextField(blank=True, help_text="pinned at creation, from the host's side")),
                ('resume_to', models.CharField(blank=True, help_text='the state before a suspension', max_length=12)),
                ('power', models.CharField(choices=[('unknown', 'unknown'), ('pending', 'pending'), ('on', 'on'), ('off', 'off'), ('gone', 'gone')], default='unknown', max_length=8)),
                ('reachable', models.BooleanField(null=True)),
                ('seen_at', models.DateTimeField(help_text='when SSH answered last', null=True)),
                ('checked_at', models.DateTimeField(null=True)),
                ('ordered_at', models.DateTimeField()),
                ('ready_at', models.DateTimeField(null=True)),
                ('ended_at', models.DateTimeField(null=True)),
                ('account', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='servers', to='accounts.account')),
                ('subscription', models.OneToOneField(on_delete=django.db.models.deletion.PROTECT, related_name='server', to='invoicing.subscription')),
            ],
            options={
                'ordering': ('-id',),
                'indexes': [models.Index(fields=['account', '-id'], name='server_account'), models.Index(fields=['state', '-id'], name='server_state'), models.Index(condition=models.Q(('state', 'destroyed'), _negated=True), fields=['place', '-id'], name='server_place'), models.Index(fields=['name', '-id'], name='server_name', opclasses=['varchar_pattern_ops', 'int8_ops']), models.Index(condition=models.Q(('reachable', False), ('state', 'running')), fields=['-id'], name='server_unreachable')],
                'constraints': [models.UniqueConstraint(models.F('place'), models.F('provider_ref'), condition=models.Q(('provider_ref', ''), _negated=True), name='server_ref_once')],
            },
        ),
        migrations.CreateModel(
            name='TrafficHour',
            fields=[
                ('pk', models.CompositePrimaryKey('server_id', 'hour', blank=True, editable=False, primary_key=True, serialize=False)),
                ('server_id', models.BigIntegerField()),
                ('hour', models.DateTimeField()),
                ('account_id', models.BigIntegerField()),
                ('rx_bytes', models.BigIntegerField(default=0)),
                ('tx_bytes', models.BigIntegerField(default=0)),
            ],
        ),
        migrations.CreateModel(
            name='TrafficReading',
            fields=[
                ('pk', models.CompositePrimaryKey('server_id', 'at', blank=True, editable=False, primary_key=True, serialize=False)),
                ('server_id', models.BigIntegerField()),
                ('at', models.DateTimeField()),
                ('account_id', models.BigIntegerField()),
                ('epoch', models.CharField(max_length=120)),
                ('rx_bytes', models.BigIntegerField(help_text='the counter, into the machine')),
                ('tx_bytes', models.BigIntegerField(help_text='the counter, out of it')),
                ('added', models.BigIntegerField(help_text='bytes this reading added, both directions')),
                ('verdict', models.CharField(max_length=12)),
            ],
        ),
        migrations.CreateModel(
            name='Address',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('ip', models.GenericIPAddressField(unique=True)),
                ('place', models.CharField(max_length=40)),
                ('state', models.CharField(choices=[('free', 'Free'), ('held', 'Held'), ('quarantine', 'Quarantine')], default='free', max_length=12)),
                ('free_at', models.DateTimeField(help_text='when its quarantine ends', null=True)),
                ('blocked', models.BooleanField(default=False)),
            ],
            options={
                'indexes': [models.Index(condition=models.Q(('state', 'free')), fields=['place', 'id'], name='address_free'), models.Index(condition=models.Q(('state', 'quarantine')), fields=['free_at'], name='address_quarantined')],
            },
        ),
        migrations.CreateModel(
            name='Discrepancy',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('place', models.CharField(max_length=40)),
                ('kind', models.CharField(choices=[('missing', 'missing'), ('orphan', 'orphan'), ('duplicate', 'duplicate'), ('power', 'power'), ('block_missing', 'block_missing'), ('block_extra', 'block_extra'), ('place', 'place'), ('meter', 'meter')], max_length=16)),
                ('ref', models.CharField(help_text='the machine or address at the place', max_length=160)),
                ('detail', models.CharField(blank=True, max_length=300)),
                ('first_seen', models.DateTimeField()),
                ('last_seen', models.DateTimeField()),
                ('resolved_at', models.DateTimeField(null=True)),
                ('operation', models.ForeignKey(null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='+', to='core.operation')),
                ('server', models.ForeignKey(null=True, on_delete=django.db.models.deletion.CASCADE, related_name='discrepancies', to='servers.server')),
            ],
            options={
                'ordering': ('-id',),
                'constraints': [models.UniqueConstraint(models.F('place'), models.F('kind'), models.F('ref'), condition=models.Q(('resolved_at__isnull', True)), name='discrepancy_one_open')],
            },
        ),
        migrations.CreateModel(
            name='AvailabilityMonth',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('starts_on', models.DateField()),
                ('measured_seconds', models.PositiveIntegerField()),
                ('down_seconds', models.PositiveIntegerField()),
                ('credited_cents', models.BigIntegerField(default=0)),
                ('terms_version', models.CharField(max_length=60)),
                ('reckoned_at', models.DateTimeField()),
                ('account', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to='accounts.account')),
                ('server', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='availability_months', to='servers.server')),
            ],
            options={
                'ordering': ('-starts_on',),
                'constraints': [models.UniqueConstraint(models.F('server'), models.F('starts_on'), name='availability_month_once')],
            },
        ),
        migrations.CreateModel(
            name='AddressHolding',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('is_first', models.BooleanField(help_text='the address that came with the server')),
                ('since', models.DateTimeField()),
                ('until', models.DateTimeField(null=True)),
                ('account', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='address_holdings', to='accounts.account')),
                ('address', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='holdings', to='servers.address')),
                ('server', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='holdings', to='servers.server')),
            ],
            options={
                'ordering': ('-since', '-id'),
                'indexes': [models.Index(fields=['address', 'since'], name='holding_when'), models.Index(fields=['server', 'since'], name='holding_server')],
                'constraints': [models.UniqueConstraint(models.F('address'), condition=models.Q(('until__isnull', True)), name='holding_one_open'), models.UniqueConstraint(models.F('server'), condition=models.Q(('is_first', True), ('until__isnull', True)), name='holding_one_first'), models.CheckConstraint(condition=models.Q(('until__isnull', True), ('until__gte', models.F('since')), _connector='OR'), name='holding_forward')],
            },
        ),
        migrations.CreateModel(
            name='Outage',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('since', models.DateTimeField()),
                ('until', models.DateTimeField(null=True)),
                ('judged', models.BooleanField(default=False)),
                ('account', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to='accounts.account')),
                ('server', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='outages', to='servers.server')),
            ],
            options={
                'ordering': ('-since', '-id'),
                'indexes': [models.Index(fields=['server', 'since'], name='outage_of'), models.Index(condition=models.Q(('judged', False)), fields=['since'], name='outage_to_judge')],
                'constraints': [models.UniqueConstraint(models.F('server'), condition=models.Q(('until__isnull', True)), name='outage_one_open'), models.CheckConstraint(condition=models.Q(('until__isnull', True), ('until__gte', models.F('since')), _connector='OR'), name='outage_forward')],
            },
        ),
        migrations.CreateModel(
            name='ServerAction',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('verb', models.CharField(choices=[('start', 'start'), ('stop', 'stop'), ('reboot', 'reboot'), ('create', 'create'), ('suspend', 'suspend'), ('resume', 'resume'), ('keys', 'keys'), ('resize', 'resize'), ('destroy', 'destroy')], max_length=12)),
                ('state', models.CharField(choices=[('waiting', 'Waiting'), ('done', 'Done'), ('failed', 'Failed'), ('cancelled', 'Cancelled')], default='waiting', max_length=10)),
                ('actor_kind', models.CharField(max_length=10)),
                ('actor_id', models.BigIntegerField(null=True)),
                ('because', models.CharField(blank=True, help_text='a rule or a code, never free text of a person', max_length=120)),
                ('facts', models.JSONField(default=dict, help_text='what was true before')),
                ('steps', models.JSONField(default=list)),
                ('requested_at', models.DateTimeField()),
                ('finished_at', models.DateTimeField(null=True)),
                ('account', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to='accounts.account')),
                ('operation', models.ForeignKey(null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='core.operation')),
                ('server', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='actions', to='servers.server')),
            ],
            options={
                'ordering': ('-id',),
                'indexes': [models.Index(fields=['server', '-id'], name='action_server')],
                'constraints': [models.UniqueConstraint(models.F('server'), condition=models.Q(('state', 'waiting'), ('verb__in', ['reboot', 'start', 'stop'])), name='action_one_power')],
            },
        ),
        migrations.CreateModel(
            name='SshKey',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('name', models.CharField(max_length=80)),
                ('public_key', models.TextField(help_text='kind and key, without the comment')),
                ('fingerprint', models.CharField(max_length=60)),
                ('added_at', models.DateTimeField()),
                ('removed_at', models.DateTimeField(null=True)),
                ('account', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='ssh_keys', to='accounts.account')),
                ('came_with', models.ForeignKey(help_text='the server of another account it was on', null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='servers.server')),
            ],
            options={
                'ordering': ('name', 'id'),
                'constraints': [models.UniqueConstraint(models.F('account'), models.F('fingerprint'), condition=models.Q(('removed_at__isnull', True)), name='ssh_key_once')],
            },
        ),
        migrations.CreateModel(
            name='KeyOnServer',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('wanted', models.BooleanField(default=True)),
                ('installed_at', models.DateTimeField(null=True)),
                ('turn', models.PositiveIntegerField(default=0, help_text="counts the changes of mind, for the operation's key")),
                ('account', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to='accounts.account')),
                ('server', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='keys', to='servers.server')),
                ('key', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='on_servers', to='servers.sshkey')),
            ],
            options={
                'constraints': [models.UniqueConstraint(models.F('server'), models.F('key'), name='key_on_server_once')],
            },
        ),
        migrations.CreateModel(
            name='TrafficMonth',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('starts_on', models.DateField()),
                ('ends_on', models.DateField(help_text='the first day of the next month')),
                ('rx_bytes', models.BigIntegerField(default=0)),
                ('tx_bytes', models.BigIntegerField(default=0)),
                ('included_bytes', models.BigIntegerField()),
                ('given_rx_bytes', models.BigIntegerField(default=0, help_text='of them before it came to this account')),
                ('given_tx_bytes', models.BigIntegerField(default=0)),
                ('warned_percent', models.PositiveSmallIntegerField(default=0)),
                ('account', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to='accounts.account')),
                ('server', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='months', to='servers.server')),
            ],
            options={
                'ordering': ('-starts_on',),
                'constraints': [models.UniqueConstraint(models.F('server'), models.F('starts_on'), name='traffic_month_once')],
            },
        ),
        migrations.CreateModel(
            name='Meter',
            fields=[
                ('server', models.OneToOneField(on_delete=django.db.models.deletion.CASCADE, primary_key=True, related_name='meter', serialize=False, to='servers.server')),
                ('epoch', models.CharField(blank=True, max_length=120)),
                ('rx_bytes', models.BigIntegerField(default=0)),
                ('tx_bytes', models.BigIntegerField(default=0)),
                ('at', models.DateTimeField(null=True)),
                ('failing_since', models.DateTimeField(null=True)),
                ('error', models.CharField(blank=True, max_length=300)),
                ('closed_at', models.DateTimeField(help_text='after the last reading of a destroyed machine', null=True)),
                ('account', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to='accounts.account')),
            ],
        ),
    ]
