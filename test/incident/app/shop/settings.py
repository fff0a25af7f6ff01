"""Everything as Django's manual says for a pooler in transaction mode; the database is $DATABASE_URL."""

import os
from urllib.parse import unquote, urlsplit

url = urlsplit(os.environ["DATABASE_URL"])

DATABASES = {"default": {
	"ENGINE": "django.db.backends.postgresql",
	"HOST": url.hostname,
	"PORT": url.port or 5432,
	"NAME": url.path.lstrip("/"),
	"USER": unquote(url.username),
	"PASSWORD": unquote(url.password or ""),
	# seconds that a thread keeps its connection: 0 opens one for each request, as Django does by default
	"CONN_MAX_AGE": int(os.environ.get("CONN_MAX_AGE", "0")),
	"DISABLE_SERVER_SIDE_CURSORS": True,
}}
SECRET_KEY = "keeps nothing secret: there are no sessions"
ALLOWED_HOSTS = ["*"]
INSTALLED_APPS = ["shop"]
MIDDLEWARE = ["shop.trouble.DatabaseErrors"]
ROOT_URLCONF = "shop.urls"
WSGI_APPLICATION = "shop.wsgi.application"
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
USE_TZ = True
LOGGING_CONFIG = None  # each failed request would be a traceback
