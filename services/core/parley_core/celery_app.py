"""The Celery application as a module attribute, for tools that take one by name: `celery -A parley_core.celery_app`."""

from parley_core.celery_queue import create_app
from parley_core.logs import configure_logs
from parley_core.process import keep_memory_private
from parley_core.settings import Settings

keep_memory_private()  # the process is that of the tool, and holds the password from here on
settings = Settings()
configure_logs("flower", settings.log_format, "WARNING")
app = create_app(settings)
