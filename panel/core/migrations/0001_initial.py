import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):

    initial = True

    dependencies = [
    ]

    operations = [
        migrations.CreateModel(
            name='Attempt',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('number', models.PositiveIntegerField()),
                ('started_at', models.DateTimeField()),
                ('ended_at', models.DateTimeField(null=True)),
                ('outcome', models.CharField(blank=True, help_text='done, happened, later, error, gave_up, lost', max_length=12)),
                ('error', models.TextField(blank=True)),
            ],
            options={
                'ordering': ['number'],
            },
        ),
        migrations.CreateModel(
            name='Blob',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('sha256', models.CharField(max_length=64)),
                ('size', models.PositiveBigIntegerField()),
                ('name', models.CharField(max_length=200)),
                ('content_type', models.CharField(max_length=100)),
                ('created_at', models.DateTimeField()),
            ],
        ),
        migrations.CreateModel(
            name='Event',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('at', models.DateTimeField()),
                ('kind', models.CharField(max_length=80)),
                ('rule', models.CharField(blank=True, max_length=10)),
                ('actor_kind', models.CharField(max_length=10)),
                ('actor_id', models.BigIntegerField(null=True)),
                ('actor_name', models.CharField(blank=True, max_length=60)),
                ('account_id', models.BigIntegerField(null=True)),
                ('subject_type', models.CharField(blank=True, max_length=60)),
                ('subject_id', models.BigIntegerField(null=True)),
                ('data', models.JSONField(default=dict)),
                ('private_digest', models.CharField(blank=True, max_length=64)),
            ],
            options={
                'indexes': [models.Index(fields=['account_id', '-id'], name='event_account'), models.Index(fields=['subject_type', 'subject_id', '-id'], name='event_subject'), models.Index(fields=['kind', '-id'], name='event_kind')],
            },
        ),
        migrations.CreateModel(
            name='MailMessage',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('key', models.CharField(max_length=200, unique=True)),
                ('template', models.CharField(max_length=80)),
                ('account_id', models.BigIntegerField(null=True)),
                ('subject_type', models.CharField(blank=True, max_length=60)),
                ('subject_id', models.BigIntegerField(null=True)),
                ('created_at', models.DateTimeField()),
                ('accepted_at', models.DateTimeField(null=True)),
                ('failed_at', models.DateTimeField(null=True)),
            ],
            options={
                'indexes': [models.Index(fields=['-id'], name='mail_recent'), models.Index(fields=['account_id', '-id'], name='mail_account'), models.Index(fields=['subject_type', 'subject_id'], name='mail_subject')],
            },
        ),
        migrations.CreateModel(
            name='Operation',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('kind', models.CharField(max_length=80)),
                ('key', models.CharField(help_text='idempotency key: the same deed has the same key', max_length=200, unique=True)),
                ('state', models.CharField(choices=[('due', 'Due'), ('running', 'Running'), ('done', 'Done'), ('failed', 'Failed'), ('cancelled', 'Cancelled')], default='due', max_length=10)),
                ('account_id', models.BigIntegerField(null=True)),
                ('subject_type', models.CharField(blank=True, max_length=60)),
                ('subject_id', models.BigIntegerField(null=True)),
                ('payload', models.JSONField(default=dict, help_text='ids and codes only')),
                ('result', models.JSONField(default=dict)),
                ('due_at', models.DateTimeField(null=True)),
                ('lease_until', models.DateTimeField(null=True)),
                ('attempts', models.PositiveIntegerField(default=0)),
                ('failures', models.PositiveIntegerField(default=0)),
                ('last_error', models.TextField(blank=True)),
                ('created_at', models.DateTimeField()),
                ('finished_at', models.DateTimeField(null=True)),
            ],
            options={
                'indexes': [models.Index(condition=models.Q(('state', 'due')), fields=['due_at'], name='operation_due'), models.Index(condition=models.Q(('state', 'running')), fields=['lease_until'], name='operation_lease'), models.Index(condition=models.Q(('state', 'failed')), fields=['-id'], name='operation_failed'), models.Index(fields=['subject_type', 'subject_id', '-id'], name='operation_subject'), models.Index(fields=['account_id', '-id'], name='operation_account')],
            },
        ),
        migrations.CreateModel(
            name='RequestKey',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('scope', models.CharField(max_length=80)),
                ('key', models.CharField(max_length=120)),
                ('digest', models.CharField(max_length=64)),
                ('status', models.PositiveSmallIntegerField(default=0, help_text='0 while the first request is still running')),
                ('answer', models.JSONField(default=dict)),
                ('created_at', models.DateTimeField()),
            ],
            options={
                'constraints': [models.UniqueConstraint(fields=('scope', 'key'), name='request_key_once')],
            },
        ),
        migrations.CreateModel(
            name='RuntimeLease',
            fields=[
                ('name', models.CharField(max_length=40, primary_key=True, serialize=False)),
                ('holder', models.CharField(max_length=80)),
                ('heartbeat_at', models.DateTimeField()),
            ],
        ),
        migrations.CreateModel(
            name='Seal',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('previous', models.CharField(max_length=64, unique=True)),
                ('hash', models.CharField(max_length=64, unique=True)),
                ('sealed_at', models.DateTimeField()),
            ],
        ),
        migrations.CreateModel(
            name='Tick',
            fields=[
                ('name', models.CharField(max_length=80, primary_key=True, serialize=False)),
                ('last_at', models.DateTimeField()),
                ('last_report', models.JSONField(default=dict)),
                ('failures', models.PositiveIntegerField(default=0)),
            ],
        ),
        migrations.CreateModel(
            name='ClockGap',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('since', models.DateTimeField()),
                ('until', models.DateTimeField()),
            ],
            options={
                'indexes': [models.Index(fields=['-until'], name='clockgap_until')],
            },
        ),
        migrations.CreateModel(
            name='EventPrivate',
            fields=[
                ('event', models.OneToOneField(on_delete=django.db.models.deletion.PROTECT, primary_key=True, related_name='private', serialize=False, to='core.event')),
                ('salt', models.CharField(max_length=32)),
                ('data', models.JSONField(default=dict)),
            ],
        ),
        migrations.CreateModel(
            name='MailContent',
            fields=[
                ('message', models.OneToOneField(on_delete=django.db.models.deletion.CASCADE, primary_key=True, related_name='content', serialize=False, to='core.mailmessage')),
                ('to', models.EmailField(max_length=254)),
                ('reply_to', models.EmailField(blank=True, max_length=254)),
                ('subject', models.CharField(max_length=300)),
                ('body', models.TextField()),
                ('attachments', models.JSONField(default=list, help_text='ids of blobs')),
            ],
        ),
        migrations.AddField(
            model_name='attempt',
            name='operation',
            field=models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='tries', to='core.operation'),
        ),
        migrations.AddField(
            model_name='seal',
            name='event',
            field=models.OneToOneField(on_delete=django.db.models.deletion.PROTECT, related_name='seal', to='core.event'),
        ),
        migrations.AddConstraint(
            model_name='attempt',
            constraint=models.UniqueConstraint(fields=('operation', 'number'), name='attempt_once'),
        ),
    ]
