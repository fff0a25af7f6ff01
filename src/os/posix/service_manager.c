/* No such manager. */
#include "os/service_manager.h"

bool service_manager_exists(void)
{
	return false;
}

enum service_run service_run(uint32_t (*serve)(void *arg), void *arg)
{
	(void)serve;
	(void)arg;
	return SERVICE_NO_MANAGER;
}

static bool say_there_is_none(struct log *log)
{
	log_write(log, LEVEL_FATAL, "this system has no services that a program registers by itself");
	return false;
}

bool service_register(const struct service_plan *plan, struct log *log)
{
	(void)plan;
	return say_there_is_none(log);
}

char *service_find(const char *config)
{
	(void)config;
	return NULL;
}

bool service_unregister(const char *name, struct log *log)
{
	(void)name;
	return say_there_is_none(log);
}
