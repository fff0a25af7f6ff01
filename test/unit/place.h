/* A directory for a test's files. What it cannot do ends the test program. */
#ifndef TEST_PLACE_H
#define TEST_PLACE_H

#define PLACE_BYTES 300

/* A new, empty one, without a separator at its end; with a letter that is not ASCII in it. */
void place_make(char place[PLACE_BYTES]);
/* Another one in it, or a deeper one. */
void place_make_directory(const char *path);
/* With the files in it; directories in it must be gone. */
void place_remove(const char *place);

/* A file with this text, as it is. */
void place_put(const char *path, const char *text);

/* Changes the environment of this process; NULL: takes it out. */
void place_set_variable(const char *name, const char *value);

#endif
