"""A very small Django application, used by test_drivers.py."""
