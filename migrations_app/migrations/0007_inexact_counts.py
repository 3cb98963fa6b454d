from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('migrations_app', '0006_action_state'),
    ]

    operations = [
        migrations.AddField(
            model_name='jobcollection',
            name='rows_source_exact',
            field=models.BooleanField(default=True),
        ),
    ]
