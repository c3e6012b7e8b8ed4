from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('servers', '0012_addressing'),
    ]

    operations = [
        migrations.AddField(
            model_name='firewall',
            name='filtered_ports',
            field=models.CharField(blank=True, help_text='outgoing TCP, while mail is filtered (ABU-14)', max_length=60),
        ),
    ]
