"""One attempt at one job. Imports neither Celery nor kombu."""
