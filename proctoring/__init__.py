"""The Django project: settings, processes and addresses."""

__version__ = "0.1.0"

from proctoring.celery import app as celery_app

__all__ = ["__version__", "celery_app"]
