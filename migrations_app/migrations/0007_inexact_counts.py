from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('migrations_app', '0006_action_state'),
    ]

    operations = [
        migrations.AlterField(
            model_name='jobcollection',
            name='target_state',
            field=models.CharField(choices=[('none', 'not created'), ('creating', 'being created'), ('created', 'created by this job'), ('existing', 'existed before this job'), ('dropped', 'created by this job and dropped again')], default='none', max_length=20),
        ),
        migrations.AddField(
            model_name='jobcollection',
            name='rows_source_exact',
            field=models.BooleanField(default=True),
        ),
    ]
