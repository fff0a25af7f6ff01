import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
	initial = True
	dependencies = []
	operations = [
		migrations.CreateModel("Customer", [
			("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
			("name", models.CharField(max_length=100, unique=True)),
		]),
		migrations.CreateModel("Order", [
			("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
			("cents", models.IntegerField()),
			("placed", models.DateTimeField(auto_now_add=True)),
			("details", models.JSONField(default=dict)),
			("customer", models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name="orders", to="django_shop.customer")),
		]),
	]
