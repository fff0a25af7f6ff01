import os

SECRET_KEY = "only for tests"
INSTALLED_APPS = ["django.contrib.contenttypes", "django.contrib.auth", "django_shop"]
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
USE_TZ = True
DATABASES = {"default": {
	"ENGINE": "django.db.backends.postgresql",
	"HOST": "127.0.0.1",
	"PORT": os.environ["SHOP_PORT"],
	"NAME": "app",
	"USER": "app",
	"PASSWORD": "app",
	"DISABLE_SERVER_SIDE_CURSORS": True,  # as Django's manual says for transaction pooling
}}
