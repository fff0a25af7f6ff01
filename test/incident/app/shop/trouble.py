"""Answers with what the database or the pooler said, so that whoever asks can read it."""

from django.db import Error
from django.http import HttpResponse


class DatabaseErrors:
	def __init__(self, get_response):
		self.get_response = get_response

	def __call__(self, request):
		return self.get_response(request)

	def process_exception(self, request, exception):
		if isinstance(exception, Error):
			return HttpResponse(str(exception), status=500, content_type="text/plain; charset=utf-8")
		return None
