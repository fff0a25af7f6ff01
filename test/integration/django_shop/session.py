"""What an application does: creates, asks, changes, rolls back, meets an error. Prints one line at the end."""

import django

django.setup()

from django.db import IntegrityError, transaction
from django.db.models import Count, F, Sum

from django_shop.models import Customer, Order


def main():
	Customer.objects.all().delete()
	ada, bob = (Customer.objects.create(name=name) for name in ("Ada", "Bob"))
	Order.objects.bulk_create([Order(customer=ada, cents=n, details={"n": n}) for n in range(500)])
	Order.objects.create(customer=bob, cents=7)
	Order.objects.filter(customer=ada).update(cents=F("cents") + 1)

	try:
		with transaction.atomic():
			Order.objects.all().delete()
			assert Order.objects.count() == 0
			raise RuntimeError("changed our mind")
	except RuntimeError:
		pass

	with transaction.atomic():
		try:
			with transaction.atomic():  # a savepoint
				Customer.objects.create(name="Ada")
		except IntegrityError:
			pass
		Customer.objects.create(name="Cid")

	found = {c.name: (c.n, c.total) for c in Customer.objects.annotate(n=Count("orders"), total=Sum("orders__cents"))}
	assert found == {"Ada": (500, 125250), "Bob": (1, 7), "Cid": (0, None)}, found
	assert Order.objects.filter(details__n__gte=490).count() == 10
	assert sum(1 for _ in Order.objects.iterator()) == 501
	print("the shop is in order")


main()
