from django.db import migrations

# Keys of a draft's state that got other names.
STATE_KEYS = {"sheets": "tables"}
CAPABILITY_KEYS = {"filters_find_ends": "filters_find_int64_limits"}


def rename_draft_keys(apps, schema_editor):
    for draft in apps.get_model("migrations_app", "Draft").objects.all():
        if not isinstance(draft.state, dict):
            continue
        state = {STATE_KEYS.get(name, name): value for name, value in draft.state.items()}
        target = state.get("target")
        if isinstance(target, dict) and isinstance(target.get("capabilities"), dict):
            capabilities = {CAPABILITY_KEYS.get(name, name): v for name, v in target["capabilities"].items()}
            state["target"] = target | {"capabilities": capabilities}
        draft.state = state
        draft.save(update_fields=["state"])


class Migration(migrations.Migration):

    dependencies = [
        ('migrations_app', '0005_beyond_the_checkpoint'),
    ]

    operations = [
        migrations.RenameField('jobcollection', 'index_wish', 'index_action_state'),
        migrations.RenameField('jobcollection', 'load_wish', 'load_action_state'),
        migrations.RunPython(rename_draft_keys, migrations.RunPython.noop),
    ]
