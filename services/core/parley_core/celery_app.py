"""The Celery application as a module attribute, for tools that take one by name: `celery -A parley_core.celery_app`."""

from parley_core.celery_queue import create_app
from parley_core.settings import Settings

app = create_app(Settings())
