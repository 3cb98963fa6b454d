from django.db import migrations, models
import django.db.models.deletion

ACTION_STATES = {'asked': 'waiting', 'running': 'running', 'done': 'done', 'failed': 'failed'}
RUNNING_JOBS = ('in_progress', 'canceling')


def create_steps(apps, schema_editor):
    """Create the steps of existing jobs from the untyped progress and the columns that steps replace."""
    Step = apps.get_model('migrations_app', 'JobStep')
    for job in apps.get_model('migrations_app', 'Job').objects.all():
        rows = list(job.collections.all())
        Step.objects.bulk_create(step for row in rows for step in steps_of(Step, job, row))
        if rows and all(row.is_prepared for row in rows):
            Step.objects.create(job=job, kind='prepare', state='done')
        # Rows whose existing collection was dropped, and whose own collection was not yet created.
        for row in rows:
            if row.target_state == 'none' and row.finish.get('replaced'):
                row.target_state = 'replacing'
                row.save(update_fields=['target_state'])


def steps_of(Step, job, row):
    def step(kind, state, **values):
        return Step(job=job, collection=row, kind=kind, state=state, **values)

    unfinished = 'running' if job.status in RUNNING_JOBS else 'waiting'
    if row.is_sliced:
        yield step('plan_slices', 'done')
    for name, kind in (('before', 'count_before'), ('count', 'count_after')):
        if position := row.finish.get(name):
            yield step(kind, 'done' if position.get('is_done') else unfinished, position=position)
    if keys := row.finish.get('keys'):
        # An unfinished check starts over: its counters at the start of the slice are not known.
        yield step('key_check', 'done', position=keys) if keys.get('is_done') else step('key_check', unfinished)
    if row.checks:
        yield step('verify', 'done')
    if row.index_action_state:
        yield step(
            'index',
            ACTION_STATES[row.index_action_state],
            percent=row.index_percent,
            error_message=row.index_error,
            position=row.finish.get('index_watch', {}),
        )
    if row.load_action and row.load_action_state:
        yield step(
            row.load_action,
            ACTION_STATES[row.load_action_state],
            percent=row.load_percent,
            error_message=row.load_error,
            position=row.finish.get('load_watch', {}),
        )


class Migration(migrations.Migration):

    dependencies = [
        ('migrations_app', '0007_inexact_counts'),
    ]

    operations = [
        migrations.AlterField(
            model_name='jobcollection',
            name='target_state',
            field=models.CharField(choices=[('none', 'not created'), ('replacing', 'an existing collection is being dropped'), ('creating', 'being created'), ('created', 'created by this job'), ('existing', 'existed before this job'), ('dropped', 'created by this job and dropped again')], default='none', max_length=20),
        ),
        migrations.CreateModel(
            name='JobStep',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('kind', models.CharField(choices=[('prepare', 'checking the plan'), ('plan_slices', 'planning slices'), ('count_before', 'counting existing rows'), ('verify', 'comparing counts'), ('count_after', 'counting rows'), ('key_check', 'comparing keys'), ('duplicate_keys', 'counting duplicate keys'), ('index', 'creating indexes'), ('load', 'loading'), ('release', 'releasing'), ('cleanup', 'cleaning up')], max_length=20)),
                ('state', models.CharField(choices=[('waiting', 'waiting'), ('running', 'running'), ('done', 'done'), ('failed', 'failed')], default='waiting', max_length=10)),
                ('position', models.JSONField(blank=True, default=dict)),
                ('percent', models.PositiveSmallIntegerField(default=0)),
                ('error_code', models.CharField(blank=True, default='', max_length=60)),
                ('error_message', models.TextField(blank=True, default='')),
                ('error_hint', models.TextField(blank=True, default='')),
                ('collection', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.CASCADE, related_name='steps', to='migrations_app.jobcollection')),
                ('job', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='steps', to='migrations_app.job')),
            ],
            options={
                'ordering': ('job', 'pk'),
                'indexes': [models.Index(fields=['state', 'kind'], name='steps_by_state')],
                'constraints': [models.UniqueConstraint(fields=('collection', 'kind'), name='one_step_a_kind'), models.UniqueConstraint(condition=models.Q(('collection', None)), fields=('job', 'kind'), name='one_step_a_kind_of_a_job')],
            },
        ),
        migrations.RunPython(create_steps, migrations.RunPython.noop),
    ]
