/* The SQLSTATEs that the pooler itself sends or tells apart (PostgreSQL, appendix "Error Codes"). */
#ifndef WIRE_SQLSTATE_H
#define WIRE_SQLSTATE_H

#define SQLSTATE_BYTES 6 /* five characters and a NUL */

#define SQLSTATE_SUCCESSFUL "00000"           /* successful_completion: notices */
#define SQLSTATE_WARNING "01000"              /* warning */
#define SQLSTATE_CANNOT_CONNECT "08001"       /* sqlclient_unable_to_establish_sqlconnection */
#define SQLSTATE_CONNECTION_LOST "08006"      /* connection_failure */
#define SQLSTATE_PROTOCOL "08P01"             /* protocol_violation: what PgBouncer says for nearly everything */
#define SQLSTATE_NOT_SUPPORTED "0A000"        /* feature_not_supported */
#define SQLSTATE_INVALID_PARAMETER "22023"    /* invalid_parameter_value */
#define SQLSTATE_READ_ONLY "25006"            /* read_only_sql_transaction */
#define SQLSTATE_IDLE_IN_TRANSACTION "25P03"  /* idle_in_transaction_session_timeout */
#define SQLSTATE_NO_STATEMENT "26000"         /* invalid_sql_statement_name */
#define SQLSTATE_NOT_AUTHORIZED "28000"       /* invalid_authorization_specification */
#define SQLSTATE_WRONG_PASSWORD "28P01"       /* invalid_password */
#define SQLSTATE_NO_PORTAL "34000"            /* invalid_cursor_name */
#define SQLSTATE_NO_DATABASE "3D000"          /* invalid_catalog_name */
#define SQLSTATE_NO_PRIVILEGE "42501"         /* insufficient_privilege */
#define SQLSTATE_SYNTAX "42601"               /* syntax_error */
#define SQLSTATE_DUPLICATE_PORTAL "42P03"     /* duplicate_cursor */
#define SQLSTATE_DUPLICATE_STATEMENT "42P05"  /* duplicate_prepared_statement */
#define SQLSTATE_NO_RESOURCES "53000"         /* insufficient_resources */
#define SQLSTATE_NO_MEMORY "53200"            /* out_of_memory */
#define SQLSTATE_TOO_MANY_CONNECTIONS "53300" /* too_many_connections */
#define SQLSTATE_PROGRAM_LIMIT "54000"        /* program_limit_exceeded */
#define SQLSTATE_CANCELED "57014"             /* query_canceled */
#define SQLSTATE_ADMIN_SHUTDOWN "57P01"       /* admin_shutdown */
#define SQLSTATE_CRASH_SHUTDOWN "57P02"       /* crash_shutdown */
#define SQLSTATE_CANNOT_CONNECT_NOW "57P03"   /* cannot_connect_now: starting up, shutting down */
#define SQLSTATE_IDLE_SESSION "57P05"         /* idle_session_timeout */
#define SQLSTATE_CONFIG_FILE "F0000"          /* config_file_error */
#define SQLSTATE_INTERNAL "XX000"             /* internal_error */

#endif
