/* What the variables amount to, by the conventions of one image: two texts; private to conf/. */
#ifndef CONF_IMAGES_H
#define CONF_IMAGES_H

#include <stdbool.h>

#include "base/attr.h"
#include "base/str.h"
#include "conf/config.h"
#include "conf/variables.h"

/* The text of a file, and of each of its lines the variables that it was made from. Secrets are in it. */
struct made_text {
	struct str text;
	struct conf_texts from; /* from.text[i]: of line i + 1, "" for none: "DB_HOST, DB_PORT" */
};

/* What the texts stand beside. Nothing is owned. */
struct image_frame {
	const char *mounted_ini;   /* path of the file that is there; NULL: the text counts */
	const char *users_path;    /* of the user list, mounted or not */
	const char *mounted_users; /* its content if it is there; NULL: it is not */
	bool adds_users;           /* users whom it does not have are added to it */
	bool (*can_write)(const char *directory);
};

/* Owned by whoever called images_make. */
struct image_texts {
	enum image image; /* IMAGE_ANY: no variable says where a server is */
	struct made_text ini, users;
	bool is_http_standard; /* http_listen is there because nobody said anything about it */
};

/* Whose conventions these variables follow. When they follow several, or none, that is an error if a configuration must
   be made of them (`needed`). */
enum image images_choose(struct variables *v, bool needed);

/* Makes both texts, as far as they are wanted. What is wrong is noted in `v`; false: out of memory. image_texts_fini is
   right afterwards in any case. */
bool images_make(struct variables *v, enum image image, const struct image_frame *frame,
                 struct image_texts *out) MUST_USE;
void image_texts_fini(struct image_texts *t);

#endif
