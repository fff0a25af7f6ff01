"""The tables, and 200 customers with 25 orders each."""

import django.db.models.deletion
from django.db import migrations, models

CUSTOMERS = 200
ORDERS = 25


def fill(apps, editor):
	customer, order = apps.get_model("shop", "Customer"), apps.get_model("shop", "Order")
	customers = customer.objects.bulk_create(customer(name=f"customer {n}") for n in range(1, CUSTOMERS + 1))
	order.objects.bulk_create(order(customer=c, cents=100 + n) for c in customers for n in range(ORDERS))


class Migration(migrations.Migration):
	initial = True
	operations = [
		migrations.CreateModel("Customer", [
			("id", models.BigAutoField(primary_key=True)),
			("name", models.CharField(max_length=100, unique=True)),
			("spent_cents", models.BigIntegerField(default=0)),
		]),
		migrations.CreateModel("Order", [
			("id", models.BigAutoField(primary_key=True)),
			("cents", models.IntegerField()),
			("placed", models.DateTimeField(auto_now_add=True)),
			("customer", models.ForeignKey("shop.Customer", django.db.models.deletion.CASCADE, related_name="orders")),
		]),
		migrations.RunPython(fill, migrations.RunPython.noop),
	]
