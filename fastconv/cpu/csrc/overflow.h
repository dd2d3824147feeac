/* The processor's own note that a result was rounded to infinity: a flag of each thread, which
 * stays set until it is cleared. Infinite operands don't set it. */
#ifndef FC_OVERFLOW_H
#define FC_OVERFLOW_H

#include <stdint.h>

#if defined(__x86_64__)
#include <xmmintrin.h>
enum { INVALID_FLAG = 1, DENORMAL_FLAG = 1 << 1, OVERFLOW_FLAG = 1 << 3 };

static inline uint64_t status_flags(void)
{
    return _mm_getcsr();
}

static inline void set_status_flags(uint64_t flags)
{
    _mm_setcsr((unsigned)flags);
}
#elif defined(__aarch64__)
enum { OVERFLOW_FLAG = 1 << 2 };

static inline uint64_t status_flags(void)
{
    uint64_t flags;

    __asm__ volatile("mrs %0, fpsr" : "=r"(flags));
    return flags;
}

static inline void set_status_flags(uint64_t flags)
{
    __asm__ volatile("msr fpsr, %0" : : "r"(flags));
}
#else
/* Unknown: always set, so that nobody relies on it. */
enum { OVERFLOW_FLAG = 1 };

static inline uint64_t status_flags(void)
{
    return OVERFLOW_FLAG;
}

static inline void set_status_flags(uint64_t flags)
{
    (void)flags;
}
#endif

static inline int overflow_noted(void)
{
    return (status_flags() & OVERFLOW_FLAG) != 0;
}

static inline void note_overflow(void)
{
    set_status_flags(status_flags() | OVERFLOW_FLAG);
}

static inline void clear_overflow(void)
{
    set_status_flags(status_flags() & ~(uint64_t)OVERFLOW_FLAG);
}

#endif
