/* Parts of vectors; vector.h has the types, and includes this. */
#ifndef FC_VECTOR_PARTS_H
#define FC_VECTOR_PARTS_H

#if defined(__x86_64__)
#include <immintrin.h>
#endif

/* The first `lanes` lanes of a vector, the others 0; and those lanes alone into memory. */
#if defined(__AVX512F__)
static inline fc_vector_float32 load_some_float32(const void *from, int64_t lanes)
{
    return (fc_vector_float32)_mm512_maskz_loadu_ps((__mmask16)((1u << lanes) - 1), from);
}

static inline fc_vector_float64 load_some_float64(const void *from, int64_t lanes)
{
    return (fc_vector_float64)_mm512_maskz_loadu_pd((__mmask8)((1u << lanes) - 1), from);
}

static inline void store_some_float32(void *to, fc_vector_float32 v, int64_t lanes)
{
    _mm512_mask_storeu_ps(to, (__mmask16)((1u << lanes) - 1), (__m512)v);
}

static inline void store_some_float64(void *to, fc_vector_float64 v, int64_t lanes)
{
    _mm512_mask_storeu_pd(to, (__mmask8)((1u << lanes) - 1), (__m512d)v);
}
#else
/* Two moves that may overlap, of the largest size that fits; a call of memcpy takes longer. */
static inline void copy_some(char *to, const char *from, int64_t bytes)
{
    if (VECTOR_BYTES > 16 && bytes >= 16) {
        memcpy(to, from, 16);
        memcpy(to + bytes - 16, from + bytes - 16, 16);
    } else if (bytes >= 8) {
        memcpy(to, from, 8);
        memcpy(to + bytes - 8, from + bytes - 8, 8);
    } else if (bytes >= 4)
        memcpy(to, from, 4);
}

#if defined(__x86_64__)
/* By way of memory, a vector would wait until its parts have got there, and they for it. */
static inline fc_vector_float32 load_some_float32(const void *from, int64_t lanes)
{
    const char *at = from;
    __m128 last = _mm_setzero_ps();

    if (lanes * (int64_t)sizeof(float) >= VECTOR_BYTES)
        return *(const fc_vector_float32 *)at;
    at += (lanes & 4) * (int64_t)sizeof(float);
    if (lanes & 1) {
        float item;
        memcpy(&item, at + (lanes & 2) * (int64_t)sizeof(float), sizeof item);
        last = _mm_set_ss(item);
    }
    if (lanes & 2)
        last = _mm_movelh_ps(_mm_castsi128_ps(_mm_loadl_epi64((const __m128i *)(const void *)at)),
                             last);
#if defined(__AVX__)
    if (lanes & 4)
        return (fc_vector_float32)_mm256_set_m128(last, _mm_loadu_ps(from));
    return (fc_vector_float32)_mm256_zextps128_ps256(last);
#else
    return (fc_vector_float32)last;
#endif
}

static inline fc_vector_float64 load_some_float64(const void *from, int64_t lanes)
{
    const char *at = from;
    __m128d last = _mm_setzero_pd();

    if (lanes * (int64_t)sizeof(double) >= VECTOR_BYTES)
        return *(const fc_vector_float64 *)at;
    if (lanes & 1) {
        double item;
        memcpy(&item, at + (lanes & 2) * (int64_t)sizeof(double), sizeof item);
        last = _mm_set_sd(item);
    }
#if defined(__AVX__)
    if (lanes & 2)
        return (fc_vector_float64)_mm256_set_m128d(last, _mm_loadu_pd(from));
    return (fc_vector_float64)_mm256_zextpd128_pd256(last);
#else
    return (fc_vector_float64)last;
#endif
}

static inline void store_some_float32(void *to, fc_vector_float32 v, int64_t lanes)
{
    char *at = to;

    if (lanes * (int64_t)sizeof(float) >= VECTOR_BYTES) {
        *(fc_vector_float32 *)at = v;
        return;
    }
#if defined(__AVX__)
    __m128 left = _mm256_castps256_ps128((__m256)v);
    if (lanes & 4) {
        _mm_storeu_ps((float *)(void *)at, left);
        left = _mm256_extractf128_ps((__m256)v, 1);
        at += 16;
    }
#else
    __m128 left = (__m128)v;
#endif
    if (lanes & 2) {
        _mm_storel_epi64((__m128i *)(void *)at, _mm_castps_si128(left));
        left = _mm_movehl_ps(left, left);
        at += 8;
    }
    if (lanes & 1) {
        const float item = _mm_cvtss_f32(left);
        memcpy(at, &item, sizeof item);
    }
}
#else
static inline fc_vector_float32 load_some_float32(const void *from, int64_t lanes)
{
    fc_vector_float32 v = {0};
    copy_some((char *)&v, from, lanes * (int64_t)sizeof(float));
    return v;
}

static inline fc_vector_float64 load_some_float64(const void *from, int64_t lanes)
{
    fc_vector_float64 v = {0};
    copy_some((char *)&v, from, lanes * (int64_t)sizeof(double));
    return v;
}

static inline void store_some_float32(void *to, fc_vector_float32 v, int64_t lanes)
{
    copy_some(to, (const char *)&v, lanes * (int64_t)sizeof(float));
}
#endif

static inline void store_some_float64(void *to, fc_vector_float64 v, int64_t lanes)
{
    copy_some(to, (const char *)&v, lanes * (int64_t)sizeof(double));
}
#endif

#endif
