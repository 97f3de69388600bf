"""The Celery side of a worker: the only folder that imports Celery and kombu."""
