/* What all kernels share. Included once per instruction-set level, hence static throughout. */
#ifndef FC_COMMON_H
#define FC_COMMON_H

#include "fc.h"

#include <math.h>
#include <string.h>

#define FC_INLINE static inline __attribute__((always_inline))

/* Items in memory: at any address, and under any other type's name too, so that the compiler emits
 * unaligned moves and assumes nothing. */
#define FC_MEMORY_TYPE(name, type) typedef type fc_##name __attribute__((aligned(1), may_alias));
FC_DTYPES(FC_MEMORY_TYPE)
#undef FC_MEMORY_TYPE

/* Waking a thread costs some 10 us. Below these amounts per thread it does not pay. */
enum { GRAIN_BYTES = 64 * 1024, GRAIN_ITEMS = 8 * 1024, GRAIN_FUNCTIONS = 1024,
       GRAIN_PRODUCTS = 256 * 1024 };

static inline int64_t min64(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

static inline int64_t max64(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

static inline int64_t abs64(int64_t a)
{
    return a < 0 ? -a : a;
}

/* For b > 0; C's own division rounds towards zero. */
static inline int64_t ceil_div(int64_t a, int64_t b)
{
    return a / b + (a % b > 0);
}

/* Items, windows or taps `first` to `end`, which is none of them. */
typedef struct {
    int64_t first, end;
} fc_range;

/* How many pieces of `each` units make one grain. */
static inline int64_t grain_of(int64_t grain, int64_t each)
{
    return max64(1, grain / max64(1, each));
}

static inline int is_empty(const fc_array *a, int axes)
{
    for (int k = 0; k < axes; k++)
        if (a->shape[k] == 0)
            return 1;
    return 0;
}

/* True unless the strides prove that no two items share a byte. Threads may not write into such an
 * array: the last write would win by chance. */
static inline int may_overlap(const fc_array *a, int axes)
{
    int done = 0;
    int64_t span = a->size;

    for (int round = 0; round < axes; round++) {
        int least = -1;
        for (int k = 0; k < axes; k++)
            if (!(done >> k & 1) && (least < 0 || abs64(a->stride[k]) < abs64(a->stride[least])))
                least = k;
        done |= 1 << least;
        if (a->shape[least] == 1)
            continue;
        if (abs64(a->stride[least]) < span)
            return 1;
        span += (a->shape[least] - 1) * abs64(a->stride[least]);
    }
    return 0;
}

/* A place among the outputs of three axes, and the step to the next one without a division. */
typedef struct {
    int64_t d, h, w;
} fc_place;

static inline fc_place place_of(int64_t index, const int64_t *extent)
{
    int64_t line = index / extent[2];
    return (fc_place){line / extent[1], line % extent[1], index % extent[2]};
}

static inline void next_line(fc_place *p, const int64_t *extent)
{
    p->w = 0;
    if (++p->h == extent[1]) {
        p->h = 0;
        p->d++;
    }
}

#endif
