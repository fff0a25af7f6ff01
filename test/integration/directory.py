"""A private LDAP server (OpenLDAP's slapd): in the foreground, with files of its own, thrown away at the end."""

import os
import subprocess
import tempfile

from processes import Port, account, end, environment, identity, make_directory, start
from waiting import until

SUFFIX = "dc=example,dc=net"
ADMIN, ADMIN_PASSWORD = "cn=admin," + SUFFIX, 'sec ret"quoted'

CONFIG = """\
include /etc/ldap/schema/core.schema
include /etc/ldap/schema/cosine.schema
include /etc/ldap/schema/inetorgperson.schema
pidfile {folder}/slapd.pid
modulepath /usr/lib/ldap
moduleload back_mdb
TLSCertificateFile {cert}
TLSCertificateKeyFile {key}
database mdb
maxsize 16777216
suffix "{suffix}"
rootdn "{admin}"
rootpw "{password}"
directory {folder}/data
access to attrs=userPassword by anonymous auth by * none
access to dn.subtree="ou=hidden,{suffix}" by dn.exact="{admin}" read by anonymous auth by * none
access to * by * read
"""


def entry(dn, **attributes):
	lines = [f"dn: {dn}"]
	for name, values in attributes.items():
		lines += [f"{name}: {value}" for value in (values if isinstance(values, list) else [values])]
	return "\n".join(lines) + "\n\n"


def person(rdn, cn, password, unit="people", **more):
	return entry(f"{rdn},ou={unit},{SUFFIX}", objectClass=["inetOrgPerson"], cn=cn, sn=cn, userPassword=password, **more)


PEOPLE = (
	entry(SUFFIX, objectClass=["dcObject", "organization"], o="example", dc="example")
	+ "".join(entry(f"ou={unit},{SUFFIX}", objectClass="organizationalUnit", ou=unit) for unit in ("people", "others", "hidden"))
	+ person("uid=app", "app", "ldap-app", uid="app", mail="app@example.net")
	+ person("uid=other", "other", "ldap-other", uid="other", mail="other@example.net")
	+ person("uid=shut", "shut", "ldap-shut", unit="hidden", uid="shut")
	+ person("cn=twice", "twice", "ldap-twice", uid="twice")
	+ person("cn=twice", "twice", "ldap-twice", unit="others", uid="twice"))


class Directory:
	"""`pair`: paths of its certificate and key. `port` speaks plain LDAP and StartTLS, `tls_port` ldaps."""

	def __init__(self, folder, pair):
		self.who = account("nobody", "daemon")
		self.folder = make_directory(tempfile.mkdtemp(prefix="slapd-", dir=folder), self.who)
		make_directory(os.path.join(self.folder, "data"), self.who)
		self.held = Port(), Port()
		self.port, self.tls_port = (p.number for p in self.held)
		self.config = os.path.join(self.folder, "slapd.conf")
		self.log_path = os.path.join(self.folder, "log")
		self.pair = pair
		self.process = None

	def create(self):
		with open(self.config, "w") as f:
			f.write(CONFIG.format(folder=self.folder, suffix=SUFFIX, admin=ADMIN, password=ADMIN_PASSWORD.replace('"', '\\"'),
				cert=self.pair[0], key=self.pair[1]))
		subprocess.run(["/usr/sbin/slapadd", "-q", "-f", self.config], input=PEOPLE, text=True, check=True, cwd=self.folder,
			env=environment(self.folder), **identity(self.who))
		self.start()
		return self

	def start(self):
		with open(self.log_path, "a") as log:
			self.process = start(["/usr/sbin/slapd", "-f", self.config, "-d", "stats",
				"-h", f"ldap://127.0.0.1:{self.port} ldaps://127.0.0.1:{self.tls_port}"], self.who, self.folder, log)
		until(lambda: "slapd starting" in self.log(), 30, "slapd has started")

	def stop(self):
		if self.process is not None:
			end(self.process)
			self.process = None

	def log(self):
		with open(self.log_path, errors="replace") as f:
			return f.read()

	def set_password(self, uid, password):
		subprocess.run(["/usr/bin/ldappasswd", "-x", "-H", f"ldap://127.0.0.1:{self.port}", "-D", ADMIN, "-w", ADMIN_PASSWORD,
			"-s", password, f"uid={uid},ou=people,{SUFFIX}"], check=True, stdout=subprocess.DEVNULL)
