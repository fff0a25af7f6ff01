# Makes of the sample pgweir.ini the one that comes with pgweir for Windows.
s,^;     pgweir etc/pgweir.ini$,;     pgweir.exe pgweir.ini,
s,^; Files of PgBouncer 1.26 are read unchanged.*,&\
; In paths / and \\ are the same. As a service\, pgweir takes relative ones from this file's directory.,
s,^\[pgbouncer\]$,&\
; ---- the service ----\
; Its name: pgweir.exe -regservice pgweir.ini\
service_name = pgweir\
,
/^; Directory of the Unix socket/d
/^unix_socket_dir =$/d
/^; ---- several processes on one port (examples) ----$/,/^$/d
s,^; After SIGTERM everything,; When the service is stopped everything,
s,0 waits for them to leave\.,0 waits for them to leave\, 30 seconds at most.,
/^; Another file than .etc.resolv.conf/d
/^;resolv_conf =$/d
s,/etc/pgweir/,,
s,^; Servers: prefer is the default.*,&\
; The file may be "system": the authorities that Windows trusts.,
s,^;logfile =$,logfile = log/pgweir.log,
s,^; Where nothing else does it: a new file,; There is no logrotate here: a new file,
s,^;log_rotation_size = 0$,log_rotation_size = 10MB,
s,^;log_rotation_age = 0$,log_rotation_age = 1d,
s,^;log_rotation_keep =,log_rotation_keep =,
/^; Cancel requests that reach the wrong process/,$d
