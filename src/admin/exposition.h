/*
 * Writes metrics in the formats that Prometheus and its like read: text 0.0.4 and OpenMetrics 1.0.0. Pure bytes, any
 * thread.
 */
#ifndef ADMIN_EXPOSITION_H
#define ADMIN_EXPOSITION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/histogram.h"
#include "base/str.h"

enum exposition {
	EXPOSITION_TEXT, /* 0.0.4 */
	EXPOSITION_OPEN  /* OpenMetrics 1.0.0 */
};

/* What goes into a label's value at most, bytes; longer ones are cut. */
#define EXPOSITION_LABEL_BYTES 256u

/* What an Accept header asks for; NULL: there is none. */
enum exposition exposition_wanted(const char *accept);
/* The Content-Type of the format. */
const char *exposition_content_type(enum exposition format);

/* Before the samples of a family, whose name ends in _total if it is a counter. `unit` may be "". */
void exposition_family(struct str *out, enum exposition format, const char *name, const char *type, const char *unit,
                       const char *help);
/* `labels` are what exposition_label has written, maybe nothing. The value is value / divisor. */
void exposition_sample(struct str *out, const char *name, const char *labels, size_t len, uint64_t value,
                       uint64_t divisor);
/* All samples of a histogram without labels. */
void exposition_histogram(struct str *out, const char *name, const struct histogram *h);
void exposition_end(struct str *out, enum exposition format);

/* Appends name="value" for a sample's labels, with a comma if something is there already. What is no UTF-8 becomes
   <invalid>, as pgbouncer_exporter does it. */
void exposition_label(struct str *out, size_t from, const char *name, const char *value, size_t len);

#endif
