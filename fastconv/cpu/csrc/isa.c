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

/* clang before 18 and gcc before 11 do not know the name "avx512bf16". */
static int has_leaf7_bit(unsigned subleaf, int in_ecx, unsigned bit)
{
    unsigned a, b, c, d;
    return __get_cpuid_count(7, subleaf, &a, &b, &c, &d) && ((in_ecx ? c : a) >> bit & 1);
}

static int has_avx512_vnni(void)
{
    return has_avx512() && has_leaf7_bit(0, 1, 11);
}

static int has_avx512_bf16(void)
{
    return has_avx512_vnni() && has_leaf7_bit(1, 0, 5);
}

/* Name, test, and whose kernels it has but for narrow types. */
#define FC_LEVELS(X)                                                                               \
    X(baseline, has_baseline, baseline)                                                            \
    X(avx2, has_avx2, avx2)                                                                        \
    X(avx512, has_avx512, avx512)                                                                  \
    X(avx512_vnni, has_avx512_vnni, avx512)                                                        \
    X(avx512_bf16, has_avx512_bf16, avx512)
#else
static int always(void)
{
    return 1;
}

#if defined(FC_HAVE_NEON)
#define FC_LEVELS(X) X(neon, always, neon)
#else
#define FC_LEVELS(X) X(baseline, always, baseline)
#endif
#endif

#if defined(FC_HAVE_BASELINE)
extern const fc_kernels fc_kernels_baseline;
extern const fc_narrow_kernels fc_narrow_baseline;
#define FC_KERNELS_baseline &fc_kernels_baseline
#define FC_NARROW_OF_baseline &fc_narrow_baseline
#else
#define FC_KERNELS_baseline NULL
#define FC_NARROW_OF_baseline NULL
#endif
#if defined(FC_HAVE_NEON)
extern const fc_kernels fc_kernels_neon;
extern const fc_narrow_kernels fc_narrow_neon;
#define FC_KERNELS_neon &fc_kernels_neon
#define FC_NARROW_OF_neon &fc_narrow_neon
#else
#define FC_KERNELS_neon NULL
#define FC_NARROW_OF_neon NULL
#endif
#if defined(FC_HAVE_AVX2)
extern const fc_kernels fc_kernels_avx2;
extern const fc_narrow_kernels fc_narrow_avx2;
#define FC_KERNELS_avx2 &fc_kernels_avx2
#define FC_NARROW_OF_avx2 &fc_narrow_avx2
#else
#define FC_KERNELS_avx2 NULL
#define FC_NARROW_OF_avx2 NULL
#endif
#if defined(FC_HAVE_AVX512)
extern const fc_kernels fc_kernels_avx512;
extern const fc_narrow_kernels fc_narrow_avx512;
#define FC_KERNELS_avx512 &fc_kernels_avx512
#define FC_NARROW_OF_avx512 &fc_narrow_avx512
#else
#define FC_KERNELS_avx512 NULL
#define FC_NARROW_OF_avx512 NULL
#endif
#if defined(FC_HAVE_AVX512_VNNI)
extern const fc_narrow_kernels fc_narrow_avx512_vnni;
#define FC_NARROW_OF_avx512_vnni &fc_narrow_avx512_vnni
#else
#define FC_NARROW_OF_avx512_vnni NULL
#endif
#if defined(FC_HAVE_AVX512_BF16)
extern const fc_narrow_kernels fc_narrow_avx512_bf16;
#define FC_NARROW_OF_avx512_bf16 &fc_narrow_avx512_bf16
#else
#define FC_NARROW_OF_avx512_bf16 NULL
#endif

#define FC_ROW(level, test, base) {#level, FC_KERNELS_##base, FC_NARROW_OF_##level, test},
const fc_level fc_levels[] = {FC_LEVELS(FC_ROW)};
const int fc_level_count = sizeof fc_levels / sizeof fc_levels[0];

enum { UNDECIDED = -2, NO_LEVEL = -1 };
static atomic_int active = UNDECIDED;

int fc_level_built(int level)
{
    return fc_levels[level].kernels != NULL && fc_levels[level].narrow != NULL;
}

int fc_level_usable(int level)
{
    return fc_level_built(level) && fc_levels[level].supported();
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

const fc_narrow_kernels *fc_active_narrow(void)
{
    return fc_levels[fc_level_active()].narrow;
}
