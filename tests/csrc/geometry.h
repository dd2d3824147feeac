/* Convolutions' geometries, drawn by chance, and which input lies under a kernel's element. */
#ifndef GEOMETRY_H
#define GEOMETRY_H

#include "check.h"

int64_t product(const int64_t *three);

/* Padding differs before and after, and may be negative; `longest` bounds the input's last axis. */
fc_geometry draw_geometry(int axes, int64_t longest);

/* The input's item of image n under row (channel and element) and position, or NULL in padding. */
const char *under(const fc_geometry *g, const fc_array *x, int64_t n, int64_t row,
                  int64_t position);

#endif
