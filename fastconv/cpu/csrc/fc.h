/* The C side of fastconv.cpu._core: what the Cython module may call, and nothing else.
 *
 * Arrays arrive as raw bytes with byte strides, which may be negative, zero or no multiple of the
 * item size, and whose items may lie at any address. Ranges are checked before a kernel is called;
 * a kernel itself never fails, except for the index kernels, whose indices are data.
 */
#ifndef FC_H
#define FC_H

#include "fc_kernels.h"

#include <stdatomic.h>
#include <stdint.h>

/* isa.c */
typedef struct {
    const char *name;
    const fc_kernels *kernels; /* NULL: this build's compiler could not make them */
    const fc_narrow_kernels *narrow;
    int (*supported)(void);
} fc_level;

extern const fc_level fc_levels[];
extern const int fc_level_count;
int fc_level_built(int level);
int fc_level_usable(int level);
int fc_level_active(void);     /* -1: this processor is below the lowest level */
void fc_level_set(int level);
const fc_kernels *fc_active(void);
const fc_narrow_kernels *fc_active_narrow(void);

/* shares.c */
enum { FC_MAX_THREADS = 256, FC_CACHE_LINE = 64 };

typedef struct {
    /* What is left, in grains: the first in the upper half, the one past the last in the lower. */
    _Alignas(FC_CACHE_LINE) _Atomic uint64_t left;
} fc_share;

typedef struct {
    int64_t count, grain;
    int slots;
    fc_share share[FC_MAX_THREADS];
} fc_shares;

void fc_share_out(fc_shares *shares, int64_t count, int64_t grain, int slots);
int fc_next_range(fc_shares *shares, int slot, int64_t *begin, int64_t *end);

/* threads.c */
typedef void (*fc_body)(void *context, int64_t begin, int64_t end);
typedef void (*fc_slot_body)(void *context, int slot, fc_shares *left);
void fc_parallel_for(fc_body body, void *context, int64_t count, int64_t grain, int threads);
void fc_parallel_slots(fc_slot_body body, void *context, int64_t count, int64_t grain, int threads);
int fc_pool_threads(void);

/* memory.c */
char *fc_memory_take(int64_t size);
void fc_memory_give(char *data, int64_t size);
void fc_memory_bound(int64_t bytes);
void fc_memory_release(void);
int64_t fc_memory_idle(void);

/* windows.c */
void fc_window_runs(const int64_t *begin, const int64_t *taps, int64_t outputs, int64_t *run);

#endif
