"""For Django's own tests: two databases, straight or through a pool."""

import os

from django.db.backends.postgresql.creation import DatabaseCreation


def database(alias):
	return {"ENGINE": "django.db.backends.postgresql", "HOST": os.environ["DJANGO_HOST"], "PORT": os.environ["DJANGO_PORT"], "USER": "postgres",
		"NAME": "postgres", "TEST": {"NAME": f"{os.environ['DJANGO_PREFIX']}_{alias}"}, "DISABLE_SERVER_SIDE_CURSORS": True}


def destroy(self, name, verbosity):
	"""Nobody uses it any more, but the pool still has sessions there."""
	with self._nodb_cursor() as cursor:
		cursor.execute(f"DROP DATABASE {self.connection.ops.quote_name(name)} WITH (FORCE)")


DatabaseCreation._destroy_test_db = destroy

DATABASES = {alias: database(alias) for alias in ("default", "other")}
SECRET_KEY = "not secret"
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
DEFAULT_AUTO_FIELD = "django.db.models.AutoField"
USE_TZ = False
