/* The map between columns and images, shared by im2col and col2im. */
#ifndef FC_COLUMNS_H
#define FC_COLUMNS_H

#include "common.h"

/* A kernel element k of a channel: output o of an axis lies over input o * stride + offset, which
 * is inside for lo <= o < hi. */
typedef struct {
    int64_t channel, k[3], offset[3], lo[3], hi[3];
} fc_tap;

static inline void aim(const fc_geometry *g, fc_tap *tap, int axis)
{
    const int64_t offset = tap->k[axis] * g->dilation[axis] - g->before[axis];
    const int64_t stride = g->stride[axis], end = g->in[axis] - offset;

    tap->offset[axis] = offset;
    /* A division costs as much as copying a short row. */
    tap->lo[axis] = max64(0, stride == 1 ? -offset : ceil_div(-offset, stride));
    tap->lo[axis] = min64(g->out[axis], tap->lo[axis]);
    tap->hi[axis] = min64(g->out[axis], stride == 1 ? end : ceil_div(end, stride));
    tap->hi[axis] = max64(tap->lo[axis], tap->hi[axis]);
}

static inline fc_tap tap_of(const fc_geometry *g, int64_t row)
{
    fc_tap tap;

    for (int axis = 2; axis >= 0; axis--) {
        tap.k[axis] = row % g->kernel[axis];
        row /= g->kernel[axis];
        aim(g, &tap, axis);
    }
    tap.channel = row;
    return tap;
}

static inline void next_tap(const fc_geometry *g, fc_tap *tap)
{
    int axis = 2;

    while (axis >= 0 && ++tap->k[axis] == g->kernel[axis]) {
        tap->k[axis] = 0;
        if (g->kernel[axis] > 1)
            aim(g, tap, axis);
        axis--;
    }
    if (axis < 0)
        tap->channel++;
    else
        aim(g, tap, axis);
}

/* How (images, rows, positions) are cut into pieces of work. */
typedef struct {
    int64_t images, rows, positions, tile_rows, tile_positions, across, down;
    int by_row; /* the inner loop runs along positions */
} fc_tiling;

typedef struct {
    int64_t image, row, position, rows, positions;
} fc_tile;

static inline fc_tile tile_of(const fc_tiling *t, int64_t index)
{
    int64_t tiles = t->down * t->across;
    int64_t row = index % t->down * t->tile_rows;
    int64_t position = index % tiles / t->down * t->tile_positions;
    return (fc_tile){index / tiles, row, position,
                     min64(t->tile_rows, t->rows - row),
                     min64(t->tile_positions, t->positions - position)};
}

/* Rows are written one after the other where positions lie close together; where rows do, a few
 * positions at a time, so that the lines being filled stay in the cache. */
static inline fc_tiling tiling_of(const fc_array *a)
{
    enum { ROW_BYTES = 64 * 1024, TILE_BYTES = 16 * 1024, LINES = 32 };
    fc_tiling t = {.images = a->shape[0], .rows = a->shape[1], .positions = a->shape[2]};

    t.by_row = abs64(a->stride[2]) <= abs64(a->stride[1]) || t.rows == 1;
    if (t.by_row) {
        t.tile_positions = min64(t.positions, max64(1, ROW_BYTES / a->size));
        t.tile_rows = min64(t.rows, max64(1, TILE_BYTES / a->size / t.tile_positions));
    } else {
        t.tile_rows = t.rows;
        t.tile_positions = min64(t.positions, max64(LINES, TILE_BYTES / a->size / t.rows));
    }
    t.down = ceil_div(t.rows, t.tile_rows);
    t.across = ceil_div(t.positions, t.tile_positions);
    return t;
}

typedef struct {
    fc_geometry g;
    fc_array x, columns;
    int64_t n0, r0, p0;
    fc_tiling tiles;
    int side_by_side; /* source and target run side by side through whole planes */
    int64_t first_channel, channels;
} fc_column_job;

typedef struct {
    fc_array acc, y;
    int64_t extent[3], n0, c0, p0;
    fc_tiling tiles;
} fc_scatter_job;

#endif
