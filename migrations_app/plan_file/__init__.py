"""Plan files: a plan is read from YAML, and written as YAML without secrets.

read.py       the plan and its settings, with all faults of the file
yaml_text.py  the text, parsed with limits on its size
lines.py      the line of a fault
write.py      a plan, or the plan of a job, as text
variables.py  ``${NAME}``
"""

from migrations_app.plan_file.lines import line_of
from migrations_app.plan_file.read import PlanFile, read_opened_plan, read_plan
from migrations_app.plan_file.write import dump_yaml, job_data, job_yaml

__all__ = ["PlanFile", "dump_yaml", "job_data", "job_yaml", "line_of", "read_opened_plan", "read_plan"]
