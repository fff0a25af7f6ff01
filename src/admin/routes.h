/* What routes.def is made into. Main thread. */
#ifndef ADMIN_ROUTES_H
#define ADMIN_ROUTES_H

#include "admin/web.h"

enum route_access { ROUTE_OPEN, ROUTE_PROTECTED };

#define ROUTE(path, access, handler, doc) web_handler handler;
#include "admin/routes.def"

#endif
