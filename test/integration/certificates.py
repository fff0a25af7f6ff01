"""Certificates for tests, made by openssl: an authority, what it signs, and servers that use it."""

import os
import subprocess

from processes import make_directory
from waiting import until


class Authority:
	def __init__(self, folder, who, name="authority"):
		self.folder = make_directory(os.path.join(str(folder), name), who)
		self.who = who
		self.cert, self.key = self._make_own(name)

	def _path(self, name):
		return os.path.join(self.folder, name)

	def _run(self, *arguments):
		done = subprocess.run(["openssl", *arguments], capture_output=True, text=True)
		assert done.returncode == 0, done.stderr

	def _own(self, *paths):
		for path in paths:
			os.chmod(path, 0o600 if path.endswith(".key") else 0o644)
			if os.getuid() == 0:
				os.chown(path, self.who.pw_uid, self.who.pw_gid)

	def _make_own(self, name):
		cert, key = self._path("ca.crt"), self._path("ca.key")
		self._run("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-keyout", key, "-out", cert,
			"-subj", f"/CN={name}", "-days", "30")
		self._own(cert, key)
		return cert, key

	def sign(self, file, name, alternatives=None, days=("-1", "30"), kind=("ec", "-pkeyopt", "ec_paramgen_curve:prime256v1")):
		"""A certificate and its key: paths. `days`: from when until when it is valid, counted from now."""
		cert, key, request, extensions = (self._path(file + end) for end in (".crt", ".key", ".csr", ".ext"))
		self._run("req", "-newkey", *kind, "-nodes", "-keyout", key, "-out", request, "-subj", f"/CN={name}")
		with open(extensions, "w") as f:
			f.write("basicConstraints = CA:FALSE\n" + (f"subjectAltName = {alternatives}\n" if alternatives else ""))
		self._sign(request, cert, extensions, days)
		self._own(cert, key)
		return cert, key

	def _sign(self, request, cert, extensions, days):
		"""openssl x509 can only begin now; openssl ca takes both dates."""
		database = self._path("database")
		open(database, "w").close()
		config = self._path("ca.cnf")
		with open(config, "w") as f:
			f.write(f"[ca]\ndefault_ca = it\n[it]\ndatabase = {database}\nnew_certs_dir = {self.folder}\nrand_serial = yes\n"
				"default_md = sha256\npolicy = any\nunique_subject = no\n[any]\ncommonName = supplied\n")
		self._run("ca", "-batch", "-notext", "-config", config, "-cert", self.cert, "-keyfile", self.key, "-in", request, "-out", cert,
			"-extfile", extensions, "-startdate", self._date(days[0]), "-enddate", self._date(days[1]))

	def _date(self, days):
		return subprocess.run(["date", "-u", "-d", f"{days} days", "+%Y%m%d%H%M%SZ"], capture_output=True, text=True, check=True).stdout.strip()


def certify(cluster, pair):
	"""Gives the server this certificate and key; a reload puts them in force."""
	for path, name in zip(pair, ("tls.crt", "tls.key")):
		target = os.path.join(cluster.data, name)
		with open(path) as f, open(target + ".new", "w") as out:
			out.write(f.read())
		os.chmod(target + ".new", 0o600)
		if os.getuid() == 0:
			os.chown(target + ".new", cluster.who.pw_uid, cluster.who.pw_gid)
		os.replace(target + ".new", target)


def turn_tls_on(cluster, pair):
	certify(cluster, pair)
	for setting in ("ssl_cert_file = 'tls.crt'", "ssl_key_file = 'tls.key'", "ssl = on"):
		cluster.sql(f"ALTER SYSTEM SET {setting}")
	cluster.reload()
	until(lambda: cluster.value("SHOW ssl") == "on", what="the server has TLS")
