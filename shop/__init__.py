"""The ground: settings, urls, Celery, and what every app stands on. Imports no app."""
