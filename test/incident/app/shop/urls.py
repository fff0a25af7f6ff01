"""
What an application asks its database for:

/health                     nothing
/customers/N                one row
/customers/N/orders         a list of rows, and their sum: two queries
/customers/N/order?cents=M  POST: a transaction that locks, changes and inserts
"""

from django.db import transaction
from django.db.models import F, Sum
from django.http import Http404, JsonResponse
from django.urls import path
from django.views.decorators.http import require_GET, require_POST

from shop.models import Customer, Order


def found(number):
	try:
		return Customer.objects.get(pk=number)
	except Customer.DoesNotExist:
		raise Http404 from None


@require_GET
def health(request):
	return JsonResponse({"up": True})


@require_GET
def customer(request, number):
	who = found(number)
	return JsonResponse({"name": who.name, "spent": who.spent_cents})


@require_GET
def orders(request, number):
	theirs = Order.objects.filter(customer_id=number)
	total = theirs.aggregate(cents=Sum("cents"))["cents"]
	return JsonResponse({"total": total, "last": list(theirs.order_by("-id").values("id", "cents")[:20])})


@require_POST
@transaction.atomic
def order(request, number):
	cents = int(request.GET["cents"])
	if not Customer.objects.filter(pk=number).update(spent_cents=F("spent_cents") + cents):
		raise Http404
	placed = Order.objects.create(customer_id=number, cents=cents)
	return JsonResponse({"order": placed.pk, "spent": found(number).spent_cents})


urlpatterns = [
	path("health", health),
	path("customers/<int:number>", customer),
	path("customers/<int:number>/orders", orders),
	path("customers/<int:number>/order", order),
]
