/* One pool of sleeping threads, shared by the whole process.
 *
 * libgomp hangs in a forked child; this pool is forgotten there and built again when asked for.
 * One caller has the pool at a time. A second one, and a call from inside a body, run inline.
 * A worker always has the same slot, and so the same share of equal calls: their data are in its
 * core's caches then, which may be far from another core's.
 * Waking a sleeper takes longer than many a layer, so who has just worked looks out for more for a
 * moment before going to sleep; never where there are fewer cores than threads.
 */
#define _GNU_SOURCE /* for the affinity mask */
#define _DARWIN_C_SOURCE
#include "fc.h"
#include "overflow.h"

#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <time.h>
#include <unistd.h>

enum { SPIN_NANOSECONDS = 20 * 1000 };

typedef struct {
    fc_slot_body body;
    void *context;
    fc_shares *left;
    _Atomic int overflow; /* whether a worker's overflow flag was set */
} fc_job;

typedef struct {
    pthread_t thread;
    pthread_cond_t wake;
    int asleep;  /* whether only a signal wakes it */
    int avoided; /* the core that it keeps off */
} fc_worker;

static pthread_mutex_t in_use = PTHREAD_MUTEX_INITIALIZER; /* held for the length of a call */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;   /* guards what follows */
static pthread_cond_t finished = PTHREAD_COND_INITIALIZER;
static fc_job *job;
static int helpers; /* workers that may join the job: the first ones */
static fc_worker pool[FC_MAX_THREADS];
static int workers;
static int may_spin; /* whether the last job left a core to each of its threads */
static int cores;
/* Written with the lock held, and read without it by those who spin. */
static _Atomic int joined;      /* workers inside the job */
static _Atomic unsigned posted; /* how many jobs there were */

static void pause_briefly(void)
{
    for (int i = 0; i < 8; i++) {
#if defined(__x86_64__)
        __builtin_ia32_pause();
#elif defined(__aarch64__)
        __asm__ volatile("isb");
#endif
    }
}

static int64_t nanoseconds(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * (int64_t)1000000000 + t.tv_nsec;
}

static void spin_while_job(unsigned seen)
{
    int64_t end = nanoseconds() + SPIN_NANOSECONDS;
    while (atomic_load_explicit(&posted, memory_order_acquire) == seen && nanoseconds() < end)
        pause_briefly();
}

static void spin_while_joined(void)
{
    int64_t end = nanoseconds() + SPIN_NANOSECONDS;
    while (atomic_load_explicit(&joined, memory_order_acquire) != 0 && nanoseconds() < end)
        pause_briefly();
}

/* Called with the lock held, which it gives up meanwhile. */
static void await_job(fc_worker *self, unsigned seen)
{
    if (posted == seen && may_spin) {
        pthread_mutex_unlock(&lock);
        spin_while_job(seen);
        pthread_mutex_lock(&lock);
    }
    while (job == NULL || posted == seen || self - pool >= helpers) {
        self->asleep = 1;
        pthread_cond_wait(&self->wake, &lock);
        self->asleep = 0;
    }
}

static void *worker(void *given)
{
    fc_worker *self = given;
    const int slot = (int)(self - pool) + 1;

    pthread_mutex_lock(&lock);
    for (unsigned seen = posted - 1;;) {
        await_job(self, seen);
        seen = posted;
        joined++;
        fc_job *j = job;
        pthread_mutex_unlock(&lock);
        clear_overflow();
        j->body(j->context, slot, j->left);
        if (overflow_noted())
            atomic_store_explicit(&j->overflow, 1, memory_order_relaxed);
        pthread_mutex_lock(&lock);
        if (--joined == 0)
            pthread_cond_signal(&finished);
    }
    return NULL;
}

/* Only the forking thread lives on in a child, so that whatever it finds locked stays locked. */
static void forget_pool(void)
{
    in_use = (pthread_mutex_t)PTHREAD_MUTEX_INITIALIZER;
    lock = (pthread_mutex_t)PTHREAD_MUTEX_INITIALIZER;
    finished = (pthread_cond_t)PTHREAD_COND_INITIALIZER;
    job = NULL;
    joined = 0;
    workers = 0;
}

static pthread_once_t fork_handler = PTHREAD_ONCE_INIT;

static void watch_forks(void)
{
    pthread_atfork(NULL, NULL, forget_pool);
}

static int usable_cores(void)
{
#if defined(__linux__)
    cpu_set_t set;
    if (sched_getaffinity(0, sizeof set, &set) == 0)
        return CPU_COUNT(&set);
#endif
    return (int)sysconf(_SC_NPROCESSORS_ONLN);
}

/* A worker that slept for long is often woken on the core of who wakes it, and waits there for it
 * to finish: both together as slow as one (seen on Linux 6.18, after some 10 ms of sleep). So
 * workers may run wherever the caller may, except on its present core. Called with the lock held.
 */
static void keep_off_caller(void)
{
#if defined(__linux__)
    const int core = sched_getcpu();
    cpu_set_t set;

    if (core < 0 || core >= CPU_SETSIZE || core == pool[helpers - 1].avoided
        || sched_getaffinity(0, sizeof set, &set) != 0 || CPU_COUNT(&set) <= helpers)
        return;
    CPU_CLR(core, &set);
    for (int i = 0; i < helpers; i++) {
        if (core != pool[i].avoided)
            pthread_setaffinity_np(pool[i].thread, sizeof set, &set);
        pool[i].avoided = core;
    }
#endif
}

/* Called with the lock held. Returns how many workers there are, which may be fewer than asked. */
static int grow_pool(int wanted)
{
    sigset_t all, before;
    pthread_attr_t detached;

    if (workers >= wanted)
        return workers;
    pthread_once(&fork_handler, watch_forks);
    cores = usable_cores();
    if (pthread_attr_init(&detached) != 0)
        return workers;
    pthread_attr_setdetachstate(&detached, PTHREAD_CREATE_DETACHED);
    /* A signal handled by a worker would miss the interpreter's main thread. */
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    while (workers < wanted) {
        fc_worker *w = &pool[workers];
        *w = (fc_worker){.wake = PTHREAD_COND_INITIALIZER, .avoided = -1};
        if (pthread_create(&w->thread, &detached, worker, w) != 0)
            break;
        workers++;
    }
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    pthread_attr_destroy(&detached);
    return workers;
}

/* Called with the lock held. */
static void post(fc_job *j, int wanted)
{
    const int some = grow_pool(wanted);

    helpers = some < wanted ? some : wanted;
    job = j;
    may_spin = helpers < cores;
    atomic_fetch_add_explicit(&posted, 1, memory_order_release);
    if (helpers > 0)
        keep_off_caller();
    /* Who is awake sees the job; only the others need the system. */
    for (int i = 0; i < helpers; i++)
        if (pool[i].asleep)
            pthread_cond_signal(&pool[i].wake);
}

/* Called with the lock held. Nothing is left for a worker that has not woken yet. */
static void await_workers(void)
{
    job = NULL;
    if (joined != 0 && may_spin) {
        pthread_mutex_unlock(&lock);
        spin_while_joined();
        pthread_mutex_lock(&lock);
    }
    while (joined != 0)
        pthread_cond_wait(&finished, &lock);
}

/* Calls body once for each slot that a thread is found for, in that thread: 0 is the caller's. The
 * ranges that fc_next_range gives them cover [0, count). They are no shorter than grain, except
 * the last of all; how they are cut depends on speed, so an index's result may not. The caller's
 * overflow flag is set where any thread's was. */
void fc_parallel_slots(fc_slot_body body, void *context, int64_t count, int64_t grain, int threads)
{
    fc_shares left;
    fc_job j = {body, context, &left, 0};

    if (count <= 0)
        return;
    grain = grain < 1 ? 1 : grain;
    threads = threads > FC_MAX_THREADS ? FC_MAX_THREADS : threads;
    const int64_t most = count / grain + (count % grain != 0);
    threads = most < threads ? (int)most : threads;
    if (threads < 2 || pthread_mutex_trylock(&in_use) != 0) {
        fc_share_out(&left, count, grain, 1);
        body(context, 0, &left);
        return;
    }
    fc_share_out(&left, count, grain, threads);
    pthread_mutex_lock(&lock);
    post(&j, threads - 1);
    pthread_mutex_unlock(&lock);

    body(context, 0, &left);

    pthread_mutex_lock(&lock);
    await_workers();
    pthread_mutex_unlock(&lock);
    pthread_mutex_unlock(&in_use);
    if (atomic_load_explicit(&j.overflow, memory_order_relaxed))
        note_overflow();
}

typedef struct {
    fc_body body;
    void *context;
} fc_ranges;

static void run_ranges(void *context, int slot, fc_shares *left)
{
    const fc_ranges *ranges = context;
    int64_t begin, end;

    while (fc_next_range(left, slot, &begin, &end))
        ranges->body(ranges->context, begin, end);
}

/* Calls body on disjoint ranges that cover [0, count), on at most `threads` threads. */
void fc_parallel_for(fc_body body, void *context, int64_t count, int64_t grain, int threads)
{
    fc_ranges ranges = {body, context};

    fc_parallel_slots(run_ranges, &ranges, count, grain, threads);
}

int fc_pool_threads(void)
{
    pthread_mutex_lock(&lock);
    int alive = workers;
    pthread_mutex_unlock(&lock);
    return alive;
}
