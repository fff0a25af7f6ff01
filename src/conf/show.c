/* The rows of SHOW CONFIG. Any thread. */
#include "conf/show.h"

bool conf_show(const struct config *c, conf_show_row *row, void *context)
{
	struct str value;
	bool good = true;

	str_init(&value, CONF_MAX_FILE_BYTES);
	for (int i = 0; i < N_SETTINGS && good; i++) {
		enum setting_id id = (enum setting_id)i;
		bool has_value;

		str_clear(&value);
		has_value = setting_text(&c->settings, id, &value);
		good = !value.failed && row(context, setting_name(id), has_value ? str_text(&value) : NULL,
		                            setting_default(id), setting_is_changeable(id));
	}
	str_fini(&value);
	return good;
}
