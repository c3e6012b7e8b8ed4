import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('accounts', '0001_initial'),
        ('servers', '0011_vitals'),
    ]

    operations = [
        migrations.CreateModel(
            name='AddressBlock',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('place', models.CharField(max_length=40)),
                ('network', models.CharField(help_text='as ipaddress writes it, such as 192.0.2.0/24', max_length=43, unique=True)),
                ('added_at', models.DateTimeField()),
                ('added_by', models.BigIntegerField(help_text='the staff member')),
            ],
            options={
                'ordering': ('place', 'id'),
            },
        ),
        migrations.RemoveIndex(
            model_name='address',
            name='address_free',
        ),
        migrations.AddField(
            model_name='address',
            name='family',
            field=models.PositiveSmallIntegerField(default=4, help_text='4 or 6'),
        ),
        migrations.RunSQL("UPDATE servers_address SET family = 6 WHERE CAST(ip AS varchar(60)) LIKE '%:%'", migrations.RunSQL.noop),
        migrations.AddField(
            model_name='address',
            name='move',
            field=models.ForeignKey(help_text='the latest one asked for', null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='+', to='servers.serveraction'),
        ),
        migrations.AddField(
            model_name='addressholding',
            name='attached',
            field=models.BooleanField(default=True, help_text='False: reserved, and on no server'),
        ),
        migrations.AddField(
            model_name='addressholding',
            name='leaves',
            field=models.BooleanField(default=False, help_text='its holder chose it as the next to be given back'),
        ),
        migrations.AddField(
            model_name='addressholding',
            name='ordered_with',
            field=models.ForeignKey(null=True, help_text='whose subscription pays for it', on_delete=django.db.models.deletion.PROTECT, related_name='ordered_holdings', to='servers.server'),
        ),
        migrations.RunSQL('UPDATE servers_addressholding SET ordered_with_id = server_id', migrations.RunSQL.noop),
        migrations.AlterField(
            model_name='addressholding',
            name='ordered_with',
            field=models.ForeignKey(help_text='whose subscription pays for it', on_delete=django.db.models.deletion.PROTECT, related_name='ordered_holdings', to='servers.server'),
        ),
        migrations.AddField(
            model_name='server',
            name='extra_addresses6',
            field=models.PositiveSmallIntegerField(default=0, help_text='of IPv6'),
        ),
        migrations.AlterField(
            model_name='addressholding',
            name='server',
            field=models.ForeignKey(help_text='the one it is on; while it is on none, the one it was ordered with', on_delete=django.db.models.deletion.PROTECT, related_name='holdings', to='servers.server'),
        ),
        migrations.AlterField(
            model_name='discrepancy',
            name='kind',
            field=models.CharField(choices=[('missing', 'missing'), ('orphan', 'orphan'), ('duplicate', 'duplicate'), ('power', 'power'), ('block_missing', 'block_missing'), ('block_extra', 'block_extra'), ('place', 'place'), ('meter', 'meter'), ('host_key', 'host_key'), ('firewall', 'firewall'), ('address_extra', 'address_extra'), ('address_lost', 'address_lost'), ('copy_lost', 'copy_lost'), ('copy_extra', 'copy_extra')], max_length=16),
        ),
        migrations.AlterField(
            model_name='server',
            name='extra_addresses',
            field=models.PositiveSmallIntegerField(default=0, help_text='of IPv4, besides the first one'),
        ),
        migrations.AlterField(
            model_name='serveraction',
            name='verb',
            field=models.CharField(choices=[('start', 'start'), ('stop', 'stop'), ('cut', 'cut'), ('reboot', 'reboot'), ('rename', 'rename'), ('rebuild', 'rebuild'), ('rescue', 'rescue'), ('leave_rescue', 'leave_rescue'), ('protect', 'protect'), ('unprotect', 'unprotect'), ('create', 'create'), ('suspend', 'suspend'), ('resume', 'resume'), ('keys', 'keys'), ('resize', 'resize'), ('destroy', 'destroy'), ('firewall', 'firewall'), ('snapshot', 'snapshot'), ('restore', 'restore'), ('address', 'address')], max_length=12),
        ),
        migrations.AddIndex(
            model_name='address',
            index=models.Index(condition=models.Q(('state', 'free')), fields=['place', 'family', 'id'], name='address_free'),
        ),
        migrations.AddConstraint(
            model_name='addressholding',
            constraint=models.CheckConstraint(condition=models.Q(('is_first', False), models.Q(('attached', True), ('ordered_with', models.F('server'))), _connector='OR'), name='holding_first_stays'),
        ),
        migrations.AddConstraint(
            model_name='addressholding',
            constraint=models.CheckConstraint(condition=models.Q(('attached', True), ('ordered_with', models.F('server')), _connector='OR'), name='holding_reserved_with'),
        ),
    ]
