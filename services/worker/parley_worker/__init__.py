"""The Celery worker of Parley and its engines."""
