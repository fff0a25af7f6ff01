# Makes of the sample pgweir.ini what packages put into /etc/pgweir: nobody can log in until somebody is added to
# userlist.txt, and every database of the PostgreSQL on this machine can be asked for.
s,^; A configuration of pgweir that runs as it is:,; The configuration of pgweir.service. After a change: systemctl reload pgweir. What may be wrong with it says:,
s,^;     pgweir etc/pgweir.ini$,;     pgweir check -u pgweir /etc/pgweir/pgweir.ini,
/^;     psql postgres:..app:app@/d
s,^; It expects PostgreSQL on 127.0.0.1:5432.*,; Users are those of userlist.txt beside this file\, with the passwords that they have in PostgreSQL.,
s,^app = host=127.0.0.1 port=5432 dbname=app$,;app = host=127.0.0.1 port=5432 dbname=app,
s,^;\* = host=127.0.0.1$,* = host=/var/run/postgresql,
s,^unix_socket_dir =$,unix_socket_dir = /run/pgweir,
s,^admin_users = app$,;admin_users =,
