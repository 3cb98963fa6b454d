from django.db import migrations


class Migration(migrations.Migration):

    dependencies = [
        ('migrations_app', '0005_beyond_the_checkpoint'),
    ]

    operations = [
        migrations.RenameField('jobcollection', 'index_wish', 'index_action_state'),
        migrations.RenameField('jobcollection', 'load_wish', 'load_action_state'),
    ]
