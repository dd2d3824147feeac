/* Which instruction-set levels this build has and this processor can run. Compiled without any
 * level's flags: it must run everywhere. */
#include "fc.h"

#include <stddef.h>

#if defined(__x86_64__)
#include <cpuid.h>

/* __builtin_cpu_supports also asks whether the operating system saves the registers (XGETBV). */
static int has_baseline(void)
{
    __builtin_cpu_init();
    return __builtin_cpu_supports("sse4.2") && __builtin_cpu_supports("popcnt");
}

/* clang before 18 does not know the name "f16c"; its registers are AVX's. */
static int has_f16c(void)
{
    unsigned a, b, c, d;
    return __get_cpuid(1, &a, &b, &c, &d) && (c & bit_F16C);
}

static int has_avx2(void)
{
    return has_baseline() && __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")
           && has_f16c();
}

static int has_avx512(void)
{
    return has_avx2() && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw")
           && __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl")
           && __builtin_cpu_supports("avx512cd");
}

#define FC_LEVELS(X) X(baseline, has_baseline) X(avx2, has_avx2) X(avx512, has_avx512)
#else
static int always(void)
{
    return 1;
}

#if defined(FC_HAVE_NEON)
#define FC_LEVELS(X) X(neon, always)
#else
#define FC_LEVELS(X) X(baseline, always)
#endif
#endif

#if defined(FC_HAVE_BASELINE)
extern const fc_kernels fc_kernels_baseline;
#define FC_ROW_baseline &fc_kernels_baseline
#else
#define FC_ROW_baseline NULL
#endif
#if defined(FC_HAVE_NEON)
extern const fc_kernels fc_kernels_neon;
#define FC_ROW_neon &fc_kernels_neon
#endif
#if defined(FC_HAVE_AVX2)
extern const fc_kernels fc_kernels_avx2;
#define FC_ROW_avx2 &fc_kernels_avx2
#else
#define FC_ROW_avx2 NULL
#endif
#if defined(FC_HAVE_AVX512)
extern const fc_kernels fc_kernels_avx512;
#define FC_ROW_avx512 &fc_kernels_avx512
#else
#define FC_ROW_avx512 NULL
#endif

#define FC_ROW(level, test) {#level, FC_ROW_##level, test},
const fc_level fc_levels[] = {FC_LEVELS(FC_ROW)};
const int fc_level_count = sizeof fc_levels / sizeof fc_levels[0];

enum { UNDECIDED = -2, NO_LEVEL = -1 };
static atomic_int active = UNDECIDED;

int fc_level_usable(int level)
{
    return fc_levels[level].kernels != NULL && fc_levels[level].supported();
}

int fc_level_active(void)
{
    int level = atomic_load(&active);
    if (level == UNDECIDED) {
        int best = fc_level_count - 1;
        while (best > NO_LEVEL && !fc_level_usable(best))
            best--;
        /* Another thread may have chosen meanwhile; its choice stands. */
        level = atomic_compare_exchange_strong(&active, &level, best) ? best : level;
    }
    return level;
}

void fc_level_set(int level)
{
    atomic_store(&active, level);
}

const fc_kernels *fc_active(void)
{
    return fc_levels[fc_level_active()].kernels;
}
