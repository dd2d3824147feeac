/* The thread pool: ranges, many callers, nested calls, growth, forks. */
#define _POSIX_C_SOURCE 200809L
#include "check.h"
#include "tests.h"

#include <pthread.h>
#include <stdatomic.h>
#include <sys/wait.h>
#include <unistd.h>

enum { MOST_ITEMS = 3000, CALLERS = 6 };

/* How often each index was visited. */
typedef struct {
    int64_t count, grain;
    atomic_int visits[MOST_ITEMS];
    atomic_int short_ranges;
} census;

static void visit(void *context, int64_t begin, int64_t end)
{
    census *c = context;

    if (end - begin < c->grain && end < c->count)
        atomic_fetch_add(&c->short_ranges, 1);
    for (int64_t i = begin; i < end; i++)
        atomic_fetch_add(&c->visits[i], 1);
}

static int all_visited_once(census *c, int threads)
{
    int once = 1;

    fc_parallel_for(visit, c, c->count, c->grain, threads);
    for (int64_t i = 0; i < MOST_ITEMS; i++)
        once &= atomic_load(&c->visits[i]) == (i < c->count);
    return once && atomic_load(&c->short_ranges) == 0;
}

void test_ranges(const fc_kernels *unused)
{
    census *c = grab(sizeof *c);
    const int threads = (int)between(0, 6);

    (void)unused;
    c->count = between(0, MOST_ITEMS);
    c->grain = chance(50) ? between(1, 20) : between(0, MOST_ITEMS);
    expect(all_visited_once(c, threads), "%d items, grain %d, %d threads: not each once",
           (int)c->count, (int)c->grain, threads);
}

/* What slots found: each index once, and each slot one thread's, which no other slot had. */
typedef struct {
    census found;
    pthread_t thread[8];
    atomic_int used[8];
    atomic_int wrong;
} slot_census;

static void visit_slot(void *context, int slot, fc_shares *left)
{
    slot_census *c = context;
    int64_t begin, end;

    if (slot < 0 || slot >= 8 || atomic_fetch_add(&c->used[slot], 1) != 0)
        atomic_fetch_add(&c->wrong, 1);
    else
        c->thread[slot] = pthread_self();
    while (fc_next_range(left, slot, &begin, &end))
        visit(&c->found, begin, end);
}

void test_slots(const fc_kernels *unused)
{
    slot_census *c = grab(sizeof *c);
    const int threads = (int)between(1, 8);

    (void)unused;
    c->found.count = between(1, MOST_ITEMS);
    c->found.grain = between(1, 40);
    fc_parallel_slots(visit_slot, c, c->found.count, c->found.grain, threads);
    for (int64_t i = 0; i < MOST_ITEMS; i++)
        expect(atomic_load(&c->found.visits[i]) == (i < c->found.count), "item %d", (int)i);
    expect(atomic_load(&c->wrong) == 0, "a slot twice, or one too many");
    expect(atomic_load(&c->used[0]) == 1 && pthread_equal(c->thread[0], pthread_self()),
           "slot 0 is not the caller's");
    for (int i = threads; i < 8; i++)
        expect(atomic_load(&c->used[i]) == 0, "slot %d of %d", i, threads);
}

/* A slot alone takes its own share in order, and then all others' from their ends. */
void test_shares(const fc_kernels *unused)
{
    fc_shares shares;
    const int64_t count = between(1, 100000), grain = between(1, 50);
    const int slots = (int)between(1, 9), slot = (int)between(0, slots - 1);
    int64_t begin, end, covered = 0, own_end = -1;

    (void)unused;
    fc_share_out(&shares, count, grain, slots);
    const int64_t grains = (count + grain - 1) / grain;
    const int64_t first = grains * slot / slots * grain, last = grains * (slot + 1) / slots * grain;
    while (fc_next_range(&shares, slot, &begin, &end)) {
        expect(begin < end && end <= count, "%d to %d of %d", (int)begin, (int)end, (int)count);
        if (begin >= first && begin < last) {
            expect(begin == (own_end < 0 ? first : own_end), "its own share out of order");
            own_end = end;
        }
        covered += end - begin;
    }
    expect(covered == count, "%d of %d items", (int)covered, (int)count);
    fc_share_out(&shares, INT64_MAX, 1, slots);
    expect(fc_next_range(&shares, 0, &begin, &end) && begin == 0 && end > 0, "a huge count");
}

static void *call_often(void *failures)
{
    census *c = malloc(sizeof *c);

    for (int round = 0; c != NULL && round < 20; round++) {
        memset(c, 0, sizeof *c);
        c->count = 500 + round;
        c->grain = 1 + round % 7;
        if (!all_visited_once(c, 1 + round % 5))
            atomic_fetch_add((atomic_int *)failures, 1);
    }
    free(c);
    return NULL;
}

/* One of them has the pool, the others compute alone. */
void test_many_callers(const fc_kernels *unused)
{
    pthread_t callers[CALLERS];
    atomic_int failures = 0;

    (void)unused;
    for (int i = 0; i < CALLERS; i++)
        expect(pthread_create(&callers[i], NULL, call_often, &failures) == 0, "no thread");
    for (int i = 0; i < CALLERS; i++)
        pthread_join(callers[i], NULL);
    expect(atomic_load(&failures) == 0, "%d calls went wrong", atomic_load(&failures));
}

static void add_one(void *sum, int64_t begin, int64_t end)
{
    atomic_fetch_add((atomic_int *)sum, (int)(end - begin));
}

static void call_again(void *sum, int64_t begin, int64_t end)
{
    for (int64_t i = begin; i < end; i++)
        fc_parallel_for(add_one, sum, 100, 1, 3);
}

void test_nested_calls(const fc_kernels *unused)
{
    atomic_int sum = 0;

    (void)unused;
    fc_parallel_for(call_again, &sum, 50, 1, 3);
    expect(atomic_load(&sum) == 5000, "%d of 5000 items", atomic_load(&sum));
}

void test_growth(const fc_kernels *unused)
{
    census *c = grab(sizeof *c);
    const int before = fc_pool_threads(), threads = (int)between(2, 12);

    (void)unused;
    c->count = MOST_ITEMS;
    expect(all_visited_once(c, threads), "not each item once");
    const int wanted = threads - 1 > before ? threads - 1 : before;
    expect(fc_pool_threads() == wanted, "%d threads, not %d", fc_pool_threads(), wanted);
}

/* Threads do not survive a fork; the child makes its own. */
static int forked_child(void)
{
    census *c = calloc(1, sizeof *c);

    if (c == NULL || fc_pool_threads() != 0)
        return 1;
    c->count = MOST_ITEMS;
    return !all_visited_once(c, 3) || fc_pool_threads() != 2;
}

static void *call_until_told(void *stop)
{
    atomic_int sum = 0;

    while (!atomic_load((atomic_int *)stop))
        fc_parallel_for(add_one, &sum, 1000, 1, 3);
    return NULL;
}

/* While another thread is inside a call, so that the child finds the pool's locks in any state. */
void test_fork(const fc_kernels *unused)
{
    pthread_t other;
    atomic_int stop = 0;
    int status = 0;

    (void)unused;
    expect(pthread_create(&other, NULL, call_until_told, &stop) == 0, "no thread");
    for (int round = 0; round < 5 && status == 0; round++) {
        const pid_t child = fork();
        if (child == 0)
            _exit(forked_child());
        expect(child > 0 && waitpid(child, &status, 0) == child, "no child");
    }
    atomic_store(&stop, 1);
    pthread_join(other, NULL);
    expect(status == 0, "a child ended with status %d", status);
}
