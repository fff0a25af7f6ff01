"""The files of etc/kubernetes: whatever one names, another one has; the numbers fit; the configuration runs and answers the probes."""

import os
import re
import subprocess
import urllib.request

import pytest
import yaml

from pooler import PROGRAM, ROOT, USERS
from processes import Port, environment, identity

FOLDER = os.path.join(ROOT, "etc", "kubernetes")
SECRET = "pgweir-userlist" # README.md says how to make it
MAX_CONNECTIONS, RESERVED = 100, 10
pytestmark = pytest.mark.pgweir


def read(name):
	with open(os.path.join(FOLDER, name)) as f:
		return f.read()


def documents(name):
	return list(yaml.safe_load_all(read(name)))


KUSTOMIZATION = documents("kustomization.yaml")[0]
OBJECTS = {(doc["kind"], doc["metadata"]["name"]): doc for name in KUSTOMIZATION["resources"] for doc in documents(name)}
SET = OBJECTS["StatefulSet", "pgweir"]["spec"]
POD = SET["template"]["spec"]
CONTAINER = POD["containers"][0]
HPA = OBJECTS["HorizontalPodAutoscaler", "pgweir"]["spec"]
LABELS = SET["template"]["metadata"]["labels"]


def ini(name):
	"""A setting of pgbouncer.ini."""
	return re.search(rf"(?m)^{name} = (.*)$", read("pgbouncer.ini")).group(1)


def test_every_file_is_listed():
	named = {*KUSTOMIZATION["resources"], *(name for one in KUSTOMIZATION["configMapGenerator"] for name in one["files"])}
	assert set(os.listdir(FOLDER)) - named == {"kustomization.yaml", "README.md", "prometheus-adapter.yaml"}
	assert all(f"`{name}`" in read("README.md") for name in os.listdir(FOLDER) if name != "README.md")


def test_every_object_is_of_a_kind_and_version_that_exists():
	versions = {"StatefulSet": "apps/v1", "Service": "v1", "PodDisruptionBudget": "policy/v1", "HorizontalPodAutoscaler": "autoscaling/v2"}
	assert {kind: doc["apiVersion"] for (kind, _), doc in OBJECTS.items()} == versions


def test_selectors_mean_the_pods():
	selectors = [SET["selector"]["matchLabels"], OBJECTS["PodDisruptionBudget", "pgweir"]["spec"]["selector"]["matchLabels"],
		*(doc["spec"]["selector"] for (kind, _), doc in OBJECTS.items() if kind == "Service"),
		*(one["labelSelector"]["matchLabels"] for one in POD["topologySpreadConstraints"])]
	assert len(selectors) == 5 and all(selector.items() <= LABELS.items() for selector in selectors)
	target = HPA["scaleTargetRef"]
	assert OBJECTS[target["kind"], target["name"]]["apiVersion"] == target["apiVersion"]


def test_volumes_are_there():
	volumes = {volume["name"] for volume in POD["volumes"]}
	mounts = {mount["name"] for one in [CONTAINER, *POD["initContainers"]] for mount in one["volumeMounts"]}
	assert mounts == volumes
	sources = next(volume for volume in POD["volumes"] if "projected" in volume)["projected"]["sources"]
	assert [source["configMap"]["name"] for source in sources if "configMap" in source] == [one["name"] for one in KUSTOMIZATION["configMapGenerator"]]
	assert [source["secret"]["name"] for source in sources if "secret" in source] == [SECRET]
	assert f"kubectl create secret generic {SECRET} --from-file=userlist.txt" in read("README.md")
	paths = {mount["mountPath"] for mount in CONTAINER["volumeMounts"]}
	assert all(os.path.dirname(path) in paths for path in (ini("auth_file"), CONTAINER["command"][1], ini("unix_socket_dir") + "/x"))
	assert all(one["image"] == KUSTOMIZATION["images"][0]["name"] for one in [CONTAINER, *POD["initContainers"]])


def test_ports_are_those_of_the_configuration():
	ports = {port["name"]: port["containerPort"] for port in CONTAINER["ports"]}
	assert ports == {"postgres": int(ini("listen_port")), "http": int(ini("http_listen").rpartition(":")[2])}
	named = [port["targetPort"] for (kind, _), doc in OBJECTS.items() if kind == "Service" for port in doc["spec"]["ports"]]
	assert set(named) == {"postgres"}
	assert all(CONTAINER[probe]["httpGet"]["port"] == "http" for probe in ("startupProbe", "livenessProbe", "readinessProbe"))
	assert SET["template"]["metadata"]["annotations"]["prometheus.io/port"] == str(ports["http"])


def test_every_pod_that_may_be_is_a_peer():
	service = OBJECTS["Service", SET["serviceName"]]["spec"]
	assert service["clusterIP"] == "None" and service["publishNotReadyAddresses"]
	peers = re.findall(r"(?m)^(\d+) = host=(\S+) port=(\d+)$", read("pgbouncer.ini").split("[peers]")[1])
	assert peers == [(str(n + 1), f"pgweir-{n}.{SET['serviceName']}", ini("listen_port")) for n in range(HPA["maxReplicas"])]


def test_the_limits_of_all_pods_fit_into_postgresql():
	assert int(ini("max_db_connections")) * HPA["maxReplicas"] <= MAX_CONNECTIONS - RESERVED
	assert int(ini("default_pool_size")) <= int(ini("max_db_connections"))
	assert f"max_connections = {MAX_CONNECTIONS}" in read("pgbouncer.ini")


def test_a_pod_has_the_time_that_draining_takes():
	needed = sum(int(ini(name)) for name in ("drain_delay", "drain_timeout", "transaction_timeout"))
	assert needed < POD["terminationGracePeriodSeconds"] <= needed + 10
	probe = CONTAINER["readinessProbe"]
	assert probe["periodSeconds"] * probe["failureThreshold"] + probe["timeoutSeconds"] < int(ini("drain_delay"))


def test_the_autoscaler_asks_for_a_metric_that_is_made_from_one_of_ours():
	rule = documents("prometheus-adapter.yaml")[0]["rules"]["custom"][0]
	assert rule["name"]["as"] == HPA["metrics"][0]["pods"]["metric"]["name"]
	with open(os.path.join(ROOT, "src", "admin", "metrics.def")) as f:
		assert f'METRIC("{rule["seriesQuery"].partition("{")[0]}"' in f.read()


def test_the_hook_ends_the_process_and_waits_for_it(start_pooler):
	"""The same words, with the pooler's number in place of 1."""
	pooler = start_pooler(drain_timeout=0.1)
	with pooler.login():
		command = [word.replace("-TERM 1", f"-TERM {pooler.pid}").replace("-0 1", f"-0 {pooler.pid}") for word in
			CONTAINER["lifecycle"]["preStop"]["exec"]["command"]]
		hook = subprocess.Popen(command, stderr=subprocess.DEVNULL)
		assert pooler.process.wait(30) == 0
	assert hook.wait(30) == 0
	assert "got SIGTERM" in pooler.log()


@pytest.fixture
def pod(start_pooler, cluster):
	"""The third pod, on ports and in folders of the test's own."""
	http = Port()

	def pooler_text(pooler):
		text = read("pgbouncer.ini")
		for old, new in [("host=postgres port=5432", f"host=127.0.0.1 port={cluster.port}"), ("/run/pgbouncer", pooler.folder),
				("/etc/pgbouncer/userlist.txt", pooler.userlist), ("0.0.0.0:9127", f"127.0.0.1:{http.number}"), ("listen_addr = 0.0.0.0", "listen_addr = 127.0.0.1"),
				("listen_port = 6432", f"listen_port = {pooler.port}\nthreads = 2\nadmin_users = admin")]:
			assert old in text
			text = text.replace(old, new)
		return text

	pooler = start_pooler(secrets={name: None for name in USERS if name not in ("app", "admin")})
	pooler.stop()
	for one in POD["initContainers"]:
		command = [word.replace("/run/pgbouncer", pooler.folder) for word in one["command"]]
		subprocess.run(command, env={**os.environ, "HOSTNAME": "pgweir-2"}, check=True)
	write = pooler.write
	pooler.write = lambda: write(pooler_text(pooler))
	pooler.start()
	pooler.http = http.number
	yield pooler
	http.close()


def test_the_configuration_runs_and_answers_the_probes(pod):
	assert pod.serves()
	assert {row["key"]: row["value"] for row in pod.console("SHOW CONFIG")}["peer_id"] == "3"
	for path in [*(CONTAINER[probe]["httpGet"]["path"] for probe in ("startupProbe", "livenessProbe", "readinessProbe")), "/metrics"]:
		with urllib.request.urlopen(f"http://127.0.0.1:{pod.http}{path}", timeout=10) as answer:
			assert answer.status == 200


def test_pgweir_check_finds_nothing_wrong(pod):
	done = subprocess.run([PROGRAM, "check", pod.ini], capture_output=True, text=True, env=environment(pod.folder), timeout=60, **identity(pod.who))
	assert "✗" not in done.stdout, done.stdout
