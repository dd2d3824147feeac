/* Gradients of pools whose channels lie innermost, gathered: an item gets what the windows around
 * it give it, and is written once. Adding each window's gradient to its items waits for memory. */
#ifndef FC_GATHERED_H
#define FC_GATHERED_H

#include "half_vectors.h"
#include "pools.h"

/* Of maxima, only the indices of a pool are found, each within its window. Whether all were, their
 * number tells; else the caller begins again by adding, which also says what is wrong. */
typedef struct {
    fc_pool_job pool; /* x: the result; extra: indices */
    _Atomic int64_t found;
    _Atomic int beyond; /* an index has more than 32 bits */
} fc_max_grad;

/* What is counted, and seen of indices, in lanes. */
typedef struct {
    fc_mask_float32 found, seen;
} fc_found_float32;

typedef struct {
    fc_mask_float64 found, seen;
} fc_found_float64;

/* Adds the gradients whose places are those asked for. */
#if defined(__AVX512F__)
FC_INLINE void take_grads_float32(fc_mask_float32 places, fc_mask_float32 at,
                                  fc_vector_float32 grads, fc_vector_float32 *sum,
                                  fc_mask_float32 *found)
{
    const __mmask16 here = _mm512_cmpeq_epi32_mask((__m512i)places, (__m512i)at);
    const __m512i one = _mm512_set1_epi32(1);

    *sum = (fc_vector_float32)_mm512_mask_add_ps((__m512)*sum, here, (__m512)*sum, (__m512)grads);
    *found = (fc_mask_float32)_mm512_mask_add_epi32((__m512i)*found, here, (__m512i)*found, one);
}

FC_INLINE void take_grads_float64(fc_mask_float64 places, fc_mask_float64 at,
                                  fc_vector_float64 grads, fc_vector_float64 *sum,
                                  fc_mask_float64 *found)
{
    const __mmask8 here = _mm512_cmpeq_epi64_mask((__m512i)places, (__m512i)at);
    const __m512i one = _mm512_set1_epi64(1);

    *sum = (fc_vector_float64)_mm512_mask_add_pd((__m512d)*sum, here, (__m512d)*sum,
                                                 (__m512d)grads);
    *found = (fc_mask_float64)_mm512_mask_add_epi64((__m512i)*found, here, (__m512i)*found, one);
}
#else
FC_INLINE void take_grads_float32(fc_mask_float32 places, fc_mask_float32 at,
                                  fc_vector_float32 grads, fc_vector_float32 *sum,
                                  fc_mask_float32 *found)
{
    const fc_mask_float32 here = places == at;

    *sum += (fc_vector_float32)(here & (fc_mask_float32)grads);
    *found -= here;
}

FC_INLINE void take_grads_float64(fc_mask_float64 places, fc_mask_float64 at,
                                  fc_vector_float64 grads, fc_vector_float64 *sum,
                                  fc_mask_float64 *found)
{
    const fc_mask_float64 here = places == at;

    *sum += (fc_vector_float64)(here & (fc_mask_float64)grads);
    *found -= here;
}
#endif

/* a / b of a >= 0, where b is 1 or 2 as a rule: a division takes as long as a row of channels. */
FC_INLINE int64_t over_spacing(int64_t a, int64_t b)
{
    return b == 1 ? a : b == 2 ? a >> 1 : a / b;
}

/* The windows of an axis that reach over item p, on a tap of theirs or not. */
FC_INLINE fc_range windows_over(const fc_uniform *u, int64_t step, int64_t p)
{
    const int64_t after = p - u->begin, before = after - (u->taps - 1) * step - 1;

    return (fc_range){before < 0 ? 0 : over_spacing(before, u->spacing) + 1,
                      after < 0 ? 0 : min64(u->n, over_spacing(after, u->spacing) + 1)};
}

FC_INLINE int same_range(fc_range a, fc_range b)
{
    return a.first == b.first && a.end == b.end;
}

/* A row of so many pixels, each of so many bytes, and `next` bytes apart. */
static void copy_pixels(const char *from, char *to, int64_t next, int64_t pixels, int64_t bytes)
{
    if (next == bytes) {
        memcpy(to, from, (size_t)(pixels * bytes));
        return;
    }
    for (int64_t q = 0; q < pixels; q++, from += next, to += next)
        memcpy(to, from, (size_t)bytes);
}

/* The gradients, or indices, of the windows over item (p, q) of a plane. */
FC_INLINE fc_rows rows_over(const fc_array *a, fc_line plane, fc_range p, fc_range q)
{
    const int64_t *stride = a->stride;

    return (fc_rows){plane_at(a, plane) + p.first * stride[2] + q.first * stride[3],
                     max64(0, p.end - p.first), max64(0, q.end - q.first), stride[2], stride[3]};
}

/* Elsewhere an item's neighbours in a vector are in other windows, and adding is as fast. */
static int may_gather(const fc_pool_job *job)
{
    const fc_uniform *u = &job->along[2];

    return job->along[0].holds && job->along[1].holds && u->holds && u->taps == 1
           && u->spacing == 1 && u->begin == 0 && u->n > 1 && u->n == job->windows.axis[2].inputs
           && job->x.stride[4] == job->x.size && job->grad.stride[4] == job->grad.size;
}

static int gathers_maxima(const fc_pool_job *job)
{
    const fc_axis *axis = job->windows.axis;

    return may_gather(job) && job->channels_inner
           && axis[0].inputs * axis[1].inputs < INT32_MAX
           && job->extra.stride[4] == (int64_t)sizeof(int64_t);
}

static int overlap(const fc_uniform *u)
{
    return u->n > 1 && u->taps > u->spacing;
}

/* Where all windows divide by the same number. Where 16-bit windows don't meet, and a pixel has
 * less than a vector of channels, a line of shares is rounded at once, and copied. */
static int gathers_shares(const fc_pool_job *job, int half)
{
    const fc_axis *axis = job->windows.axis;
    const fc_uniform *u = job->along;

    if (half && !overlap(&u[0]) && !overlap(&u[1]) && axis[2].inputs < NARROW_LANES)
        return 0;
    return may_gather(job) && axis[0].step == 1 && axis[1].step == 1
           && (job->divisor
               || (shares_alike(&axis[0]) && shares_alike(&axis[1]) && shares_alike(&axis[2])));
}

#endif
