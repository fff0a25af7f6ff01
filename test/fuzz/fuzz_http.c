/* Our own parts of HTTP: the value of http_listen, a login, a host. fuzz runs: 200000 */
#include "admin/gate.h"
#include "conf/http_listen.h"
#include "fuzz.h"

static void look_at_list(const char *text)
{
	struct http_place place;
	const char *list = text;
	unsigned n = 0;
	bool found = true, good = true;

	while (good && found) {
		good = http_listen_next(&list, &place, &found);
		if (!good || !found)
			break;
		n++;
		HOLDS(place.port != 0 && place.host[0] != '\0');
		HOLDS(strchr(place.host, ',') == NULL && strchr(place.host, ' ') == NULL);
	}
	HOLDS(http_listen_is_valid(text) == (good && n <= HTTP_LISTEN_MAX_PARTS));
}

static void look_at_request(const char *text)
{
	char user[] = "watcher", password[] = "a password";
	struct settings set, with_login;
	struct gate_request r = {.on_loopback = true, .host = text, .authorization = text};

	HOLDS(settings_init(&set));
	(void)gate_judge(&set, &r); /* without a login: the host */
	r.on_loopback = false;
	HOLDS(gate_judge(&set, &r) == GATE_NO_LOGIN);
	with_login = set;
	with_login.http_auth_user = user;
	with_login.http_auth_password = password;
	if (gate_judge(&with_login, &r) == GATE_OPEN)
		HOLDS(strstr(text, "d2F0Y2hlcjphIHBhc3N3b3Jk") != NULL);
	settings_fini(&set);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = fuzz_copy(data, size, 1);

	look_at_list(text);
	look_at_request(text);
	free(text);
	return 0;
}
