/* Kernels whose targets are given by indices, flattened within each plane. */
#ifndef FC_INDEXED_H
#define FC_INDEXED_H

#include "common.h"

typedef struct {
    fc_array listed, indices; /* of one shape */
    fc_array plane;           /* what the indices point into */
    int64_t elements, flat;   /* of a plane; its one stride, where it has one */
    int is_flat, clears; /* the target is cleared first */
    _Atomic int64_t fault; /* least place of an index outside its plane */
} fc_index_job;

static int64_t index_offset(const fc_index_job *job, int64_t index, int *outside)
{
    const int64_t *shape = job->plane.shape + 2, *stride = job->plane.stride + 2;

    *outside = index < 0 || index >= job->elements;
    if (*outside || job->is_flat)
        return *outside ? 0 : index * job->flat;
    fc_place at = place_of(index, shape);
    return at.d * stride[0] + at.h * stride[1] + at.w * stride[2];
}

/* Whether the spatial axes are one with items side by side. */
static int is_side_by_side(const fc_array *a)
{
    int64_t next = a->size;

    for (int k = 4; k >= 2; k--) {
        if (a->shape[k] > 1 && a->stride[k] != next)
            return 0;
        next *= a->shape[k];
    }
    return 1;
}

/* The least place is reported, whatever the number of threads. */
static void report_fault(fc_index_job *job, int64_t place)
{
    int64_t least = atomic_load(&job->fault);

    while (place < least && !atomic_compare_exchange_weak(&job->fault, &least, place))
        continue;
}

typedef void (*fc_pair)(char *listed, char *target, int64_t size);

/* Acts on each listed item of plane t and its target, in order; stops at the first index outside.
 * The action is inlined. */
FC_INLINE void each_listed(fc_index_job *job, int64_t t, fc_pair act)
{
    const fc_array *listed = &job->listed, *indices = &job->indices, *plane = &job->plane;
    const int64_t n = t / listed->shape[1], c = t % listed->shape[1];
    char *target = plane->data + n * plane->stride[0] + c * plane->stride[1];
    char *item = listed->data + n * listed->stride[0] + c * listed->stride[1];
    char *place = indices->data + n * indices->stride[0] + c * indices->stride[1];
    const int64_t *extent = listed->shape + 2;
    int64_t count = t * extent[0] * extent[1] * extent[2];

    for (int64_t d = 0; d < extent[0]; d++)
        for (int64_t h = 0; h < extent[1]; h++) {
            char *from = item + d * listed->stride[2] + h * listed->stride[3];
            char *index = place + d * indices->stride[2] + h * indices->stride[3];
            for (int64_t w = 0; w < extent[2]; w++, count++) {
                int outside;
                int64_t offset =
                    index_offset(job, *(fc_int64 *)(index + w * indices->stride[4]), &outside);
                if (outside) {
                    report_fault(job, count);
                    return;
                }
                act(from + w * listed->stride[4], target + offset, plane->size);
            }
        }
}

#endif
