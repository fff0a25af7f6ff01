# The container image: docker build -t pgweir .
# It takes the place of edoburu/pgbouncer, bitnami/pgbouncer and pgbouncer/pgbouncer: doc/manual/image.md

FROM debian:bookworm-slim AS build
RUN apt-get update && DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends \
	gcc libc6-dev make autoconf automake pkg-config libevent-dev libssl-dev libpq-dev libc-ares-dev libidn-dev libpam0g-dev \
	libldap-dev libpcre2-dev
WORKDIR /build
COPY configure.ac Makefile.am ./
COPY build-aux build-aux
COPY include include
COPY src src
RUN build-aux/sources && autoreconf -i \
	&& ./configure --disable-dependency-tracking --with-cares --with-libidn --with-pam --with-ldap --with-pcre2 \
		CFLAGS="-O2 -fstack-protector-strong -fstack-clash-protection -D_FORTIFY_SOURCE=2 -fPIE" \
		LDFLAGS="-pie -Wl,-z,relro -Wl,-z,now -Wl,--as-needed" \
	&& make -j "$(nproc)" pgweir && strip pgweir

FROM debian:bookworm-slim
# psmisc and procps: killall and pkill, which preStop hooks call
RUN apt-get update && DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends \
		libevent-core-2.1-7 libevent-extra-2.1-7 libssl3 libpq5 libc-ares2 libidn12 libpam0g libldap-2.5-0 libpcre2-8-0 ca-certificates psmisc procps \
	&& rm -rf /var/lib/apt/lists/* /var/cache/apt /var/cache/debconf/*-old /var/cache/ldconfig/* /var/lib/dpkg/*-old \
		/var/log/apt /var/log/*.log
# One account with the number that Alpine gives to postgres, so that it can read what could be read before, under both names.
# One directory for the configuration, where each of the images has it, and places for log, process number and sockets that any
# account may use.
RUN echo "pgbouncer:x:70:" >> /etc/group && echo "postgres:x:70:" >> /etc/group \
	&& echo "pgbouncer:x:70:70:PgBouncer:/:/usr/sbin/nologin" >> /etc/passwd \
	&& echo "postgres:x:70:70:PgBouncer:/:/usr/sbin/nologin" >> /etc/passwd \
	&& install -d -o pgbouncer -g pgbouncer /etc/pgbouncer \
	&& install -d -m 1777 /var/log/pgbouncer /run/pgbouncer /var/log/postgresql /run/postgresql \
	&& mkdir -p /opt/pgbouncer /bitnami/pgbouncer /opt/bitnami/pgbouncer /opt/bitnami/scripts/pgbouncer \
	&& ln -s /etc/pgbouncer /bitnami/pgbouncer/conf && ln -s /etc/pgbouncer /opt/bitnami/pgbouncer/conf \
	&& ln -s /var/log/pgbouncer /opt/bitnami/pgbouncer/logs && ln -s /run/pgbouncer /opt/bitnami/pgbouncer/tmp \
	&& for program in /usr/bin/pgweir /usr/bin/pg_isready /usr/sbin/pgbouncer /opt/pgbouncer/pgbouncer; do \
		ln -s /usr/bin/pgbouncer "$program"; done \
	&& for script in /opt/pgbouncer /opt/bitnami/scripts/pgbouncer; do ln -s /entrypoint.sh "$script/entrypoint.sh"; done \
	&& ln -s /entrypoint.sh /opt/bitnami/scripts/pgbouncer/run.sh
COPY etc/pgweir.ini /etc/pgbouncer/pgbouncer.ini.example
COPY etc/userlist.txt /etc/pgbouncer/userlist.txt.example
COPY LICENSE /usr/share/doc/pgweir/copyright
COPY etc/container/entrypoint.sh etc/container/healthcheck.sh /
COPY --from=build /build/pgweir /usr/bin/pgbouncer

LABEL org.opencontainers.image.title="pgweir" \
	org.opencontainers.image.description="Connection pooler for PostgreSQL that takes the place of PgBouncer" \
	org.opencontainers.image.licenses="PostgreSQL"
USER 70:70
EXPOSE 5432 6432 9127
# Transactions may end, and after drain_timeout clients are told to go
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=5s --timeout=5s --start-period=10s --retries=2 CMD ["/healthcheck.sh"]
ENTRYPOINT ["/entrypoint.sh"]
CMD ["/usr/bin/pgbouncer", "--env"]
