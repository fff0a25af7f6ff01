"""
Django's own tests of its database layer, in transaction pooling. What fails must fail on a direct connection, too: the
tests are older than some of what Debian has mended in Django.
"""

import os
import re
import subprocess
import sys

import pytest

from pooler import ROOT
from processes import environment

HERE = os.path.dirname(os.path.abspath(__file__))

# The applications of its tests that are about the database. Left out are those that are about pages and forms, and auth_tests and
# cache, which take minutes for passwords and waiting.
PARTS = {
	"queries": "basic queries aggregation aggregation_regress annotations lookup raw_query prefetch_related update get_or_create defer"
		" defer_regress distinct_on_fields empty extra_regress filtered_relation from_db_value get_earliest_or_latest managers_regress"
		" null_queries or_lookups ordering queryset_pickle reverse_lookup select_related select_related_onetoone select_related_regress"
		" string_lookup known_related_objects nested_foreign_keys null_fk null_fk_ordering custom_lookups dates datetimes db_functions",
	"writes": "transactions transaction_hooks select_for_update bulk_create delete delete_regress expressions expressions_case"
		" expressions_window model_fields constraints indexes force_insert_update field_defaults update_only_fields save_delete_hooks"
		" signals m2m_signals serializers fixtures fixtures_regress timezones datatypes",
	"models": "custom_columns custom_managers custom_methods custom_pk foreign_object generic_relations generic_relations_regress"
		" m2m_and_m2o m2m_intermediary m2m_multiple m2m_recursive m2m_regress m2m_through m2m_through_regress m2o_recursive many_to_many"
		" many_to_one many_to_one_null model_inheritance model_inheritance_regress model_regress multiple_database mutually_referential"
		" one_to_one order_with_respect_to proxy_models reserved_names swappable_models unmanaged_models validation contenttypes_tests"
		" sessions_tests test_utils test_client model_formsets",
	"backend": "backends postgres_tests introspection inspectdb db_typecasts db_utils",
	"schema": "schema migrations migrate_signals migration_test_data_persistence",
}


@pytest.fixture(scope="module")
def tests():
	done = subprocess.run([os.path.join(ROOT, "build-aux", "get-django-tests")], capture_output=True, text=True, timeout=300)
	assert done.returncode == 0, done.stderr
	return done.stdout.strip()


def failures(tests, folder, host, port, prefix, labels):
	"""Runs these tests; names of those that failed, and the output."""
	env = dict(environment(folder), DJANGO_HOST=host, DJANGO_PORT=str(port), DJANGO_PREFIX=prefix, PYTHONPATH=HERE, PYTHONDONTWRITEBYTECODE="1")
	done = subprocess.run([sys.executable, "-W", "ignore", "runtests.py", "--settings=django_own.settings", "--parallel=1", "--noinput", *labels],
		cwd=tests, env=env, capture_output=True, text=True, timeout=500)
	ran = re.search(r"^Ran (\d+) tests? in", done.stderr, re.M)
	assert ran, done.stderr[-4000:]
	failed = set()
	for name, place in re.findall(r"^(?:FAIL|ERROR): (\w+) \(([\w.]+)\)", done.stderr, re.M):
		failed.add(place if name in ("setUpClass", "tearDownClass") or place.endswith("." + name) else f"{place}.{name}")
	assert (done.returncode != 0) == bool(failed), done.stderr[-4000:]
	return failed, int(ran[1]), done.stderr


@pytest.mark.early
@pytest.mark.unsanitized
@pytest.mark.parametrize("part", PARTS)
def test_django_is_content(start_pooler, cluster, tests, part):
	# three servers in turn: what a transaction leaves behind, another one meets
	pooler = start_pooler(databases={"*": "HERE"}, default_pool_size=3, min_pool_size=3, server_round_robin=1)
	failed, ran, said = failures(tests, pooler.folder, "127.0.0.1", pooler.port, f"django_{part}", PARTS[part].split())
	assert ran > 300
	if failed:
		direct, _, _ = failures(tests, pooler.folder, cluster.folder, cluster.port, f"straight_{part}", sorted(failed))
		assert failed - direct == set(), said[-20000:]
