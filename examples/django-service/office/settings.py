"""Settings of Django, and where the CRM is."""

import os
from pathlib import Path

BASE = Path(__file__).resolve().parent.parent

CRM_DATABASE = os.environ.get("CRM_DATABASE", f"sqlite://{BASE / 'crm.db'}")
"""The CRM's database, as `crm_app` where it is a PostgreSQL; Django's own may be the same one."""
CRM_KEYS = os.environ.get("CRM_KEYS", str(BASE / "crm.keys.toml"))
"""The CRM's keys, the same file for every process."""

DEBUG = os.environ.get("DEBUG") == "1"
SECRET_KEY = os.environ.get("SECRET_KEY", "for this machine alone" if DEBUG else "")
ALLOWED_HOSTS = os.environ.get("ALLOWED_HOSTS", "localhost").split(",")
DATABASES = {"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": BASE / "django.db"}}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
USE_TZ = True

ROOT_URLCONF = "office.urls"
LOGIN_URL = "login"
LOGIN_REDIRECT_URL = "search"
INSTALLED_APPS = [
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "office",
]
MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "office.refusals.Refusals",
]
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
            ]
        },
    }
]
