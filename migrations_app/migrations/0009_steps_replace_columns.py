from django.db import migrations


class Migration(migrations.Migration):

    dependencies = [
        ('migrations_app', '0008_job_steps'),
    ]

    operations = [
        migrations.RemoveField(
            model_name='jobcollection',
            name='finish',
        ),
        migrations.RemoveField(
            model_name='jobcollection',
            name='index_action_state',
        ),
        migrations.RemoveField(
            model_name='jobcollection',
            name='index_error',
        ),
        migrations.RemoveField(
            model_name='jobcollection',
            name='index_percent',
        ),
        migrations.RemoveField(
            model_name='jobcollection',
            name='is_prepared',
        ),
        migrations.RemoveField(
            model_name='jobcollection',
            name='is_sliced',
        ),
        migrations.RemoveField(
            model_name='jobcollection',
            name='load_action',
        ),
        migrations.RemoveField(
            model_name='jobcollection',
            name='load_action_state',
        ),
        migrations.RemoveField(
            model_name='jobcollection',
            name='load_error',
        ),
        migrations.RemoveField(
            model_name='jobcollection',
            name='load_percent',
        ),
    ]
