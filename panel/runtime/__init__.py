"""How the panel runs: connected to Redis and Celery in production, or all of it in one process (`manage.py serve`)."""
