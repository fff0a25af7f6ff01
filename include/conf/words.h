/* The words that settings and keys of entries may have as values, in the order of their enums (settings.h). */
#ifndef CONF_WORDS_H
#define CONF_WORDS_H

#define AUTH_TYPE_WORDS "any", "trust", "plain", "md5", "cert", "hba", "ldap", "pam", "scram-sha-256"
#define POOL_MODE_WORDS "session", "transaction", "statement"
#define TLS_MODE_WORDS "disable", "allow", "prefer", "require", "verify-ca", "verify-full"
#define TLS_NEGOTIATION_WORDS "postgres", "direct"
#define PROTOCOL_VERSION_WORDS "3.0", "3.2"
#define ERROR_SQLSTATE_WORDS "compatible", "precise"
#define LOG_FORMAT_WORDS "text", "json"
#define STATE_GUARD_WORDS "off", "warn", "reject", "pin"
#define SESSION_ATTRS_WORDS "any", "read-write", "read-only", "primary", "standby", "prefer-standby"
#define LOAD_BALANCE_WORDS "round-robin", "disable"

#endif
