/* Pooling windows drawn by chance: fixed, adaptive, and any that the tables can hold. */
#ifndef WINDOWS_H
#define WINDOWS_H

#include "check.h"

/* An input, its windows and the shape of what a pool gives; planes lie in the first two axes. */
typedef struct {
    fc_windows windows;
    int64_t in[5], out[5];
} pool;

/* With channels_inner the last axis is one of channels: each window holds one of its inputs. */
pool draw_pool(int channels_inner);

/* Calls visit with each input's logical index of each output's window, in order. */
typedef void (*visitor)(void *context, int64_t output, int64_t input);
void each_tap(const pool *p, visitor visit, void *context);

int64_t taps_of(const pool *p, int64_t output);
double share_of(const pool *p, int64_t output);

#endif
