/* The largest magnitude among float32 items. */
#ifndef FC_MAGNITUDE_H
#define FC_MAGNITUDE_H

#include "narrow_formats.h"

/* Lanes of NaN stay NaN: a comparison with NaN is false. */
FC_INLINE fc_vector_float32 larger_magnitude(fc_vector_float32 most, fc_vector_float32 v)
{
    const fc_vector_u32 size = (fc_vector_u32)v & 0x7fffffff, before = (fc_vector_u32)most;

    return (fc_vector_float32)chosen((fc_vector_i32)size > (fc_vector_i32)before, size, before);
}

static float magnitude_of(const float *x, int64_t n)
{
    fc_vector_float32 most[4] = {{0}};
    uint32_t found = 0;
    float largest;
    int64_t j = 0;

    for (; j + 4 * NARROW_LANES <= n; j += 4 * NARROW_LANES)
        for (int i = 0; i < 4; i++) {
            const char *at = (const char *)(x + j + i * NARROW_LANES);
            most[i] = larger_magnitude(most[i], *(const fc_vector_float32 *)at);
        }
    for (; j < n; j += NARROW_LANES)
        most[0] = larger_magnitude(most[0],
                                   load_some_float32(x + j, min64(NARROW_LANES, n - j)));
    for (int i = 1; i < 4; i++)
        most[0] = larger_magnitude(most[0], most[i]);
    for (int i = 0; i < NARROW_LANES; i++) {
        const uint32_t bits = ((fc_vector_u32)most[0])[i];
        found = found > bits ? found : bits;
    }
    memcpy(&largest, &found, sizeof largest);
    return largest;
}

#endif
