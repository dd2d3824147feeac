#define _POSIX_C_SOURCE 200809L
#include "check.h"

#include <stdarg.h>
#include <stdio.h>

/* Bytes around outputs. A build with AddressSanitizer has none: it watches closer than canaries. */
#ifndef GUARD
#define GUARD 64
#endif

enum { NAN_BYTE = 0xFF, CACHE_LINE = 64, MOST_GRABBED = 64 };

static struct {
    const char *test, *level;
    int number, grabbed;
    uint64_t state;
    void *memory[MOST_GRABBED];
} now;

void start_case(const char *test, const char *level, int number)
{
    now.test = test;
    now.level = level;
    now.number = number;
    now.state = (uint64_t)number;
    for (const char *c = test; *c; c++)
        now.state = now.state * 31 + (uint64_t)*c;
}

void end_case(void)
{
    while (now.grabbed > 0)
        free(now.memory[--now.grabbed]);
}

void expect(int holds, const char *format, ...)
{
    va_list arguments;

    if (holds)
        return;
    fprintf(stderr, "%s, case %d at level %s: ", now.test, now.number, now.level);
    va_start(arguments, format);
    vfprintf(stderr, format, arguments);
    va_end(arguments);
    fputc('\n', stderr);
    exit(1);
}

/* splitmix64 */
static uint64_t draw(void)
{
    uint64_t z = now.state += 0x9E3779B97F4A7C15u;

    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
    return z ^ (z >> 31);
}

int64_t between(int64_t least, int64_t most)
{
    return least + (int64_t)(draw() % (uint64_t)(most - least + 1));
}

int chance(int percent)
{
    return between(0, 99) < percent;
}

double uniform(void)
{
    return (double)(draw() >> 11) * 0x1p-52 - 1;
}

static void *keep(void *memory)
{
    expect(memory != NULL && now.grabbed < MOST_GRABBED, "out of memory");
    return now.memory[now.grabbed++] = memory;
}

void *grab(int64_t bytes)
{
    return keep(calloc((size_t)(bytes > 0 ? bytes : 1), 1));
}

char *scratch_of(int64_t bytes)
{
    void *memory = NULL;

    expect(posix_memalign(&memory, CACHE_LINE, (size_t)(bytes + GUARD + 1)) == 0, "out of memory");
    memset(memory, NAN_BYTE, (size_t)bytes);
    for (int k = 0; k < GUARD; k++)
        ((unsigned char *)memory)[bytes + k] = CANARY;
    return keep(memory);
}

static void expect_canaries(const void *memory, int64_t bytes, const char *where)
{
    const unsigned char *byte = memory;

    for (int64_t k = 0; k < bytes; k++)
        expect(byte[k] == CANARY, "byte %lld %s was written", (long long)k, where);
}

void expect_scratch_kept(const char *scratch, int64_t bytes)
{
    expect_canaries(scratch + bytes, GUARD, "behind the scratch memory");
}

/* Which axis lies outermost, next... in memory. */
static void draw_order(int axes, int *order)
{
    static const int last[] = {0, 2, 3, 4, 1};
    const int kind = (int)between(0, 9);

    for (int k = 0; k < axes; k++)
        order[k] = kind < 4 || axes == 3 ? k : last[k];
    if (kind >= 7)
        for (int k = axes - 1; k > 0; k--) {
            int other = (int)between(0, k), axis = order[k];
            order[k] = order[other];
            order[other] = axis;
        }
}

/* Any order of axes; perhaps gaps, some axes backwards, or items off their natural addresses. */
static block lay_out(int64_t size, int axes, const int64_t *shape, int64_t guard, int repeats,
                     int adjoining)
{
    const int gaps = chance(25), flips = chance(25), shifted = chance(25);
    const int repeated = repeats && chance(10) ? (int)between(0, axes - 1) : -1;
    const int64_t lead = guard + (shifted ? between(1, 9) : 0);
    block b = {.axes = axes};
    int64_t span = size, start = 0;
    int order[5];

    b.a.size = size;
    draw_order(axes, order);
    for (int k = 0; adjoining && k < axes; k++)
        if (order[k] == 1) {
            order[k] = order[axes - 1];
            order[axes - 1] = 1;
        }
    for (int k = 0; k < 5; k++)
        b.a.shape[k] = k < axes ? shape[k] : 1;
    for (int k = axes - 1; k >= 0; k--) {
        const int axis = order[k], plain = adjoining && axis == 1;
        const int64_t wide = gaps ? between(1, 2) : 1;
        const int64_t step = plain ? size : axis == repeated ? 0 : span * wide;
        const int64_t length = b.a.shape[axis] > 0 ? b.a.shape[axis] - 1 : 0;
        const int backwards = flips && chance(50) && !plain;
        b.a.stride[axis] = backwards ? -step : step;
        start += backwards ? step * length : 0;
        span += step * length;
    }
    b.bytes = lead + span + guard;
    b.memory = keep(malloc((size_t)b.bytes));
    memset(b.memory, CANARY, (size_t)b.bytes);
    b.a.data = (char *)b.memory + lead + start;
    return b;
}

block input(int64_t size, int axes, const int64_t *shape)
{
    return lay_out(size, axes, shape, 0, 1, 0);
}

block output(int64_t size, int axes, const int64_t *shape)
{
    return lay_out(size, axes, shape, GUARD, 0, 0);
}

block input_of(int64_t size, int axes, const int64_t *shape, int adjoining)
{
    return lay_out(size, axes, shape, 0, 1, adjoining);
}

block output_of(int64_t size, int axes, const int64_t *shape, int adjoining)
{
    return lay_out(size, axes, shape, GUARD, 0, adjoining);
}

block bias_of(int dtype, int64_t channels)
{
    block b = {.axes = 3};

    b.a.size = fc_dtypes[dtype].size;
    b.bytes = channels * b.a.size + 1;
    b.memory = keep(malloc((size_t)b.bytes));
    b.a.data = (char *)b.memory + 1;
    memcpy(b.a.shape, (int64_t[]){1, 1, channels, 1, 1}, sizeof b.a.shape);
    b.a.stride[2] = b.a.size;
    fill_uniform(&b, dtype);
    return b;
}

int64_t count_of(const fc_array *a)
{
    return a->shape[0] * a->shape[1] * a->shape[2] * a->shape[3] * a->shape[4];
}

char *item(const fc_array *a, int64_t index)
{
    char *at = a->data;

    for (int k = 4; k >= 0; k--) {
        at += index % a->shape[k] * a->stride[k];
        index /= a->shape[k];
    }
    return at;
}

char *item_at(const fc_array *a, int64_t n, int64_t c, int64_t d, int64_t h, int64_t w)
{
    const int64_t *step = a->stride;
    return a->data + n * step[0] + c * step[1] + d * step[2] + h * step[3] + w * step[4];
}

double value(const char *from, int dtype)
{
    switch (dtype) {
#define CASE(name, type)                                                                           \
    case FC_##name: {                                                                              \
        type v;                                                                                    \
        memcpy(&v, from, sizeof v);                                                                \
        return (double)v;                                                                          \
    }
        FC_DTYPES(CASE)
#undef CASE
    }
    return NAN;
}

void set_value(char *to, int dtype, double given)
{
    switch (dtype) {
#define CASE(name, type)                                                                           \
    case FC_##name: {                                                                              \
        type v = (type)given;                                                                      \
        memcpy(to, &v, sizeof v);                                                                  \
        break;                                                                                     \
    }
        FC_DTYPES(CASE)
#undef CASE
    }
}

double epsilon(int dtype)
{
    return dtype == FC_float32 ? FLT_EPSILON : DBL_EPSILON;
}

void fill_uniform(block *b, int dtype)
{
    for (int64_t k = 0; k < count_of(&b->a); k++)
        set_value(item(&b->a, k), dtype, uniform());
}

void fill_integers(block *b, int dtype, int64_t least, int64_t most)
{
    for (int64_t k = 0; k < count_of(&b->a); k++)
        set_value(item(&b->a, k), dtype, (double)between(least, most));
}

void fill_bytes(block *b)
{
    for (int64_t k = 0; k < count_of(&b->a); k++)
        for (int64_t i = 0; i < b->a.size; i++)
            item(&b->a, k)[i] = (char)draw();
}

void before_call(block *y, int threads)
{
    if (threads == 1)
        memcpy(y->before = grab(y->bytes), y->memory, (size_t)y->bytes);
    else
        memcpy(y->memory, y->before, (size_t)y->bytes);
}

void after_call(block *y, int threads)
{
    if (threads == 1)
        memcpy(y->first = grab(y->bytes), y->memory, (size_t)y->bytes);
    else
        expect(memcmp(y->memory, y->first, (size_t)y->bytes) == 0,
               "other bits at %d threads than at one", threads);
}

void expect_blank(const block *y)
{
    expect_canaries(y->memory, y->bytes, "of an output's memory, where nothing belongs,");
}

void expect_gaps_kept(block *y)
{
    for (int64_t k = 0; k < count_of(&y->a); k++)
        memset(item(&y->a, k), CANARY, (size_t)y->a.size);
    expect_blank(y);
}

void expect_near(block *y, int dtype, const double *want, const double *bound)
{
    for (int64_t k = 0; k < count_of(&y->a); k++) {
        const double got = value(item(&y->a, k), dtype);
        const int close = isnan(want[k]) ? isnan(got)
                                         : got == want[k] || fabs(got - want[k]) <= bound[k];
        expect(close, "item %lld is %.17g, not %.17g, off by more than %.3g", (long long)k, got,
               want[k], bound[k]);
    }
    expect_gaps_kept(y);
}

void expect_equal(block *y, int dtype, const double *want)
{
    expect_near(y, dtype, want, grab(count_of(&y->a) * (int64_t)sizeof(double)));
}
