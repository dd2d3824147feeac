/* One pool of sleeping threads, shared by the whole process.
 *
 * libgomp hangs in a forked child; this pool is forgotten there and built again when asked for.
 * One caller has the pool at a time. A second one, and a call from inside a body, run inline.
 * Waking a sleeper takes longer than many a layer, so who has just worked looks out for more for a
 * moment before going to sleep; never where there are fewer cores than threads.
 */
#define _GNU_SOURCE /* for the affinity mask */
#define _DARWIN_C_SOURCE
#include "fc.h"

#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <time.h>
#include <unistd.h>

enum { MAX_THREADS = 256, CHUNKS_PER_THREAD = 4, SPIN_NANOSECONDS = 20 * 1000 };

typedef struct {
    fc_body body;
    void *context;
    int64_t count, chunk;
    _Atomic int64_t next;
} fc_job;

static pthread_mutex_t in_use = PTHREAD_MUTEX_INITIALIZER; /* held for the length of a call */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;   /* guards what follows */
static pthread_cond_t wake = PTHREAD_COND_INITIALIZER;
static pthread_cond_t finished = PTHREAD_COND_INITIALIZER;
static fc_job *job;
static int tickets; /* workers that may still join the job */
static pthread_t pool[MAX_THREADS];
static int avoided[MAX_THREADS]; /* the core that each worker keeps off */
static int workers;
static int sleepers; /* workers that only a signal wakes */
static int may_spin; /* whether the last job left a core to each of its threads */
static int cores;
/* Written with the lock held, and read without it by those who spin. */
static _Atomic int joined;      /* workers inside the job */
static _Atomic unsigned posted; /* how many jobs there were */

static void drain(fc_job *j)
{
    for (;;) {
        int64_t begin = atomic_fetch_add(&j->next, j->chunk);
        if (begin >= j->count)
            return;
        int64_t left = j->count - begin;
        j->body(j->context, begin, begin + (left < j->chunk ? left : j->chunk));
    }
}

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
static void await_ticket(void)
{
    if (tickets == 0 && may_spin) {
        unsigned seen = atomic_load_explicit(&posted, memory_order_relaxed);
        pthread_mutex_unlock(&lock);
        spin_while_job(seen);
        pthread_mutex_lock(&lock);
    }
    while (tickets == 0) {
        sleepers++;
        pthread_cond_wait(&wake, &lock);
        sleepers--;
    }
}

static void *worker(void *unused)
{
    (void)unused;
    pthread_mutex_lock(&lock);
    for (;;) {
        await_ticket();
        tickets--;
        joined++;
        fc_job *j = job;
        pthread_mutex_unlock(&lock);
        drain(j);
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
    wake = (pthread_cond_t)PTHREAD_COND_INITIALIZER;
    finished = (pthread_cond_t)PTHREAD_COND_INITIALIZER;
    job = NULL;
    joined = 0;
    tickets = workers = sleepers = 0;
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
 * */
static void keep_off_caller(int helpers)
{
#if defined(__linux__)
    const int core = sched_getcpu();
    cpu_set_t set;

    if (core < 0 || core >= CPU_SETSIZE || core == avoided[helpers - 1]
        || sched_getaffinity(0, sizeof set, &set) != 0 || CPU_COUNT(&set) <= helpers)
        return;
    CPU_CLR(core, &set);
    for (int i = 0; i < helpers; i++) {
        if (core != avoided[i])
            pthread_setaffinity_np(pool[i], sizeof set, &set);
        avoided[i] = core;
    }
#else
    (void)helpers;
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
        if (pthread_create(&pool[workers], &detached, worker, NULL) != 0)
            break;
        avoided[workers++] = -1;
    }
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    pthread_attr_destroy(&detached);
    return workers;
}

/* Calls body on disjoint ranges that cover [0, count), none shorter than grain but the last, on at
 * most `threads` threads. Who gets which range is decided by speed: a body's result for an index
 * may not depend on the range it came in. */
void fc_parallel_for(fc_body body, void *context, int64_t count, int64_t grain, int threads)
{
    if (count <= 0)
        return;
    grain = grain < 1 ? 1 : grain;
    threads = threads > MAX_THREADS ? MAX_THREADS : threads;
    int64_t most = count / grain + (count % grain != 0);
    threads = most < threads ? (int)most : threads;
    if (threads < 2 || pthread_mutex_trylock(&in_use) != 0) {
        body(context, 0, count);
        return;
    }
    int64_t chunk = count / ((int64_t)threads * CHUNKS_PER_THREAD);
    fc_job j = {body, context, count, chunk > grain ? chunk : grain, 0};

    pthread_mutex_lock(&lock);
    int helpers = grow_pool(threads - 1);
    helpers = helpers < threads - 1 ? helpers : threads - 1;
    job = &j;
    tickets = helpers;
    may_spin = threads <= cores;
    atomic_fetch_add_explicit(&posted, 1, memory_order_release);
    /* Who is awake sees the job; only the others need the system. */
    int asleep = helpers - (workers - sleepers);
    if (asleep > 0)
        keep_off_caller(helpers);
    for (; asleep > 0; asleep--)
        pthread_cond_signal(&wake);
    pthread_mutex_unlock(&lock);

    drain(&j);

    pthread_mutex_lock(&lock);
    tickets = 0; /* nothing is left for a worker that has not woken yet */
    if (joined != 0 && may_spin) {
        pthread_mutex_unlock(&lock);
        spin_while_joined();
        pthread_mutex_lock(&lock);
    }
    while (joined != 0)
        pthread_cond_wait(&finished, &lock);
    job = NULL;
    pthread_mutex_unlock(&lock);
    pthread_mutex_unlock(&in_use);
}

int fc_pool_threads(void)
{
    pthread_mutex_lock(&lock);
    int alive = workers;
    pthread_mutex_unlock(&lock);
    return alive;
}
