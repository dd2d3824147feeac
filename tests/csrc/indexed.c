/* Kernels whose targets are given by indices; some of which lie outside. */
#include "check.h"
#include "tests.h"

/* Items listed, where they belong in their planes, and the least place of an index outside. */
typedef struct {
    int64_t listed[5], plane[5], fault;
    block indices;
} listing;

static listing draw_listing(void)
{
    const int64_t longest = chance(10) ? 70 : 6;
    listing l = {.fault = -1};

    l.listed[0] = l.plane[0] = between(1, 3);
    l.listed[1] = l.plane[1] = between(1, 4);
    for (int k = 2; k < 5; k++) {
        l.listed[k] = between(k == 2 && longest > 6 ? 1 : 0, k == 2 ? 2 : longest);
        l.plane[k] = between(1, k == 2 ? 2 : longest);
    }
    l.indices = input(sizeof(int64_t), 5, l.listed);
    fill_integers(&l.indices, FC_int64, 0, l.plane[2] * l.plane[3] * l.plane[4] - 1);
    const int64_t count = count_of(&l.indices.a);
    if (count > 0 && chance(20)) {
        const double wrong = chance(50) ? -1 : (double)(l.plane[2] * l.plane[3] * l.plane[4]);
        set_value(item(&l.indices.a, between(0, count - 1)), FC_int64, wrong);
    }
    for (int64_t i = count - 1; i >= 0; i--) {
        const double v = value(item(&l.indices.a, i), FC_int64);
        if (v < 0 || v >= (double)(l.plane[2] * l.plane[3] * l.plane[4]))
            l.fault = i;
    }
    return l;
}

/* Logical index of the plane's item that a listed item names. */
static int64_t target_of(const listing *l, int64_t i)
{
    const int64_t elements = l->plane[2] * l->plane[3] * l->plane[4];
    const int64_t plane = i / (l->listed[2] * l->listed[3] * l->listed[4]);

    return plane * elements + (int64_t)value(item(&l->indices.a, i), FC_int64);
}

static void expect_fault(const listing *l, int64_t got)
{
    expect(got == l->fault, "fault at %d, not %d", (int)got, (int)l->fault);
}

void test_scatter_add(const fc_kernels *k)
{
    static const int dtypes[] = {FC_float32, FC_float64, FC_uint8, FC_uint16, FC_uint32, FC_uint64};
    const int dtype = dtypes[between(0, 5)], clears = chance(50);
    listing l = draw_listing();
    block grad = input(fc_dtypes[dtype].size, 5, l.listed);
    block dx = output(fc_dtypes[dtype].size, 5, l.plane);
    double *want = grab(count_of(&dx.a) * (int64_t)sizeof *want);

    fill_integers(&grad, dtype, 0, 3);
    fill_integers(&dx, dtype, 0, 9);
    for (int64_t i = 0; i < count_of(&dx.a); i++)
        want[i] = clears ? 0 : value(item(&dx.a, i), dtype);
    for (int64_t i = 0; l.fault < 0 && i < count_of(&grad.a); i++)
        want[target_of(&l, i)] += value(item(&grad.a, i), dtype);
    for (int64_t i = 0; dtype == FC_uint8 && i < count_of(&dx.a); i++)
        want[i] = fmod(want[i], 256);
    for (int threads = 1; threads <= MOST_THREADS; threads++) {
        before_call(&dx, threads);
        expect_fault(&l, k->scatter_add(&grad.a, &l.indices.a, &dx.a, dtype, clears, threads));
        after_call(&dx, threads);
    }
    if (l.fault < 0)
        expect_equal(&dx, dtype, want);
    else
        expect_gaps_kept(&dx);
}

/* unpool, where the last of several wins, and its gradient. */
void test_unpool(const fc_kernels *k)
{
    const int64_t size = between(1, 16);
    listing l = draw_listing();
    block listed = input(size, 5, l.listed), plane = output(size, 5, l.plane);
    block back = output(size, 5, l.listed);
    const int64_t count = count_of(&listed.a);

    fill_bytes(&listed);
    for (int threads = 1; threads <= MOST_THREADS; threads++) {
        before_call(&plane, threads);
        expect_fault(&l, k->unpool(&listed.a, &l.indices.a, &plane.a, threads));
        after_call(&plane, threads);
        before_call(&back, threads);
        expect_fault(&l, k->gather(&plane.a, &l.indices.a, &back.a, threads));
        after_call(&back, threads);
    }
    if (l.fault >= 0) {
        expect_gaps_kept(&plane);
        expect_gaps_kept(&back);
        return;
    }
    int64_t *winner = grab(count_of(&plane.a) * (int64_t)sizeof *winner);
    for (int64_t i = 0; i < count; i++)
        winner[target_of(&l, i)] = i;
    for (int64_t i = 0; i < count; i++) {
        const char *want = item(&listed.a, winner[target_of(&l, i)]);
        expect(memcmp(item(&plane.a, target_of(&l, i)), want, (size_t)size) == 0
                   && memcmp(item(&back.a, i), want, (size_t)size) == 0,
               "wrong bytes at the listed item %d", (int)i);
    }
    for (int64_t i = 0; i < count; i++)
        memset(item(&plane.a, target_of(&l, i)), CANARY, (size_t)size);
    expect_blank(&plane);
    expect_gaps_kept(&back);
}
