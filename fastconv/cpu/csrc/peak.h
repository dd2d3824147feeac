/* What this level's registers can do at best, for benchmarks to be measured against. */
#ifndef FC_PEAK_H
#define FC_PEAK_H

#include "common.h"
#include "vector.h"

/* Independent sums hide the latency of one: 4 cycles x 2 pipes, 6 where product and sum are two
 * instructions. With a factor and a term they must fit into the registers. */
#if defined(__AVX512F__) || defined(__aarch64__)
enum { PEAK_SUMS = 24 };
#else
enum { PEAK_SUMS = 12 };
#endif

/* More pieces than threads, so that one that is interrupted doesn't hold up the others. */
enum { PEAK_PIECES = 16 };

#endif
