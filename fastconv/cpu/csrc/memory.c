/* Large blocks of memory, kept when they are freed, for whoever asks next.
 *
 * The system clears a page when it is first touched, which takes longer than many a layer's own
 * work on it. The C library gives large blocks back at once, to get them anew at the next call.
 * Here the idle ones stay mapped, within a bound, and lie on huge pages where there are any.
 */
#define _GNU_SOURCE /* for madvise */
#define _DARWIN_C_SOURCE
#include "fc.h"

#include <pthread.h>
#include <string.h>
#include <sys/mman.h>

enum { MOST_IDLE = 1024, STEPS = 8, HUGE_PAGE = 2 << 20 };

typedef struct {
    char *data;
    int64_t size;
} idle_block;

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER; /* guards what follows */
static idle_block idle[MOST_IDLE]; /* in the order in which they were given back */
static int idle_count;
static int64_t idle_bytes, idle_bound;

/* Few sizes, so that a block fits many askers: eight to a doubling waste an eighth at most. */
static int64_t rounded(int64_t size)
{
    int64_t step = ((int64_t)1 << (63 - __builtin_clzll((uint64_t)size))) / STEPS;
    step = step < 4096 ? 4096 : step;
    return (size + step - 1) / step * step;
}

static char *map_small(int64_t size)
{
    void *found = mmap(NULL, (size_t)size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANON, -1, 0);
    return found == MAP_FAILED ? NULL : found;
}

/* Only a huge page's own multiples can be one. */
static char *map_huge(int64_t size)
{
    char *start = map_small(size + HUGE_PAGE);
    if (start == NULL)
        return NULL;
    size_t before = -(uintptr_t)start % HUGE_PAGE;
    char *data = start + before;
    if (before != 0)
        munmap(start, before);
    munmap(data + size, HUGE_PAGE - before);
#if defined(MADV_HUGEPAGE)
    madvise(data, (size_t)size, MADV_HUGEPAGE);
#endif
    return data;
}

static char *map(int64_t size)
{
    return size < HUGE_PAGE ? map_small(size) : map_huge(size);
}

/* Called with the lock held. */
static char *remove_idle(int place)
{
    char *data = idle[place].data;
    idle_bytes -= idle[place].size;
    idle_count--;
    memmove(idle + place, idle + place + 1, sizeof *idle * (size_t)(idle_count - place));
    return data;
}

/* Called with the lock held, which it gives up meanwhile: unmapping takes long. */
static void unmap_oldest(void)
{
    int64_t size = idle[0].size;
    char *data = remove_idle(0);
    pthread_mutex_unlock(&lock);
    munmap(data, (size_t)size);
    pthread_mutex_lock(&lock);
}

/* The latest is the likeliest to be in a cache still. */
static char *take_idle(int64_t size)
{
    char *data = NULL;
    pthread_mutex_lock(&lock);
    for (int place = idle_count - 1; place >= 0 && data == NULL; place--)
        if (idle[place].size == size)
            data = remove_idle(place);
    pthread_mutex_unlock(&lock);
    return data;
}

static void before_fork(void)
{
    pthread_mutex_lock(&lock);
}

static void after_fork(void)
{
    pthread_mutex_unlock(&lock);
}

/* Pages shared with the parent would be copied when they are written to: fresh ones cost less. */
static void after_fork_in_child(void)
{
    while (idle_count != 0) {
        int64_t size = idle[idle_count - 1].size;
        munmap(remove_idle(idle_count - 1), (size_t)size);
    }
    pthread_mutex_unlock(&lock);
}

static pthread_once_t fork_handler = PTHREAD_ONCE_INIT;

static void watch_forks(void)
{
    pthread_atfork(before_fork, after_fork, after_fork_in_child);
}

/* Takes back what fc_memory_take gave for the same size. */
void fc_memory_give(char *data, int64_t size)
{
    size = rounded(size);
    pthread_mutex_lock(&lock);
    /* The bound may change meanwhile. */
    while (size <= idle_bound && (size > idle_bound - idle_bytes || idle_count == MOST_IDLE))
        unmap_oldest();
    int keeps = size <= idle_bound;
    if (keeps) {
        idle[idle_count++] = (idle_block){data, size};
        idle_bytes += size;
    }
    pthread_mutex_unlock(&lock);
    if (!keeps)
        munmap(data, (size_t)size);
}

/* Bounds what idle blocks may take from now on, in bytes. */
void fc_memory_bound(int64_t bytes)
{
    pthread_mutex_lock(&lock);
    idle_bound = bytes;
    while (idle_bytes > idle_bound)
        unmap_oldest();
    pthread_mutex_unlock(&lock);
}

/* Gives the system what is idle now. */
void fc_memory_release(void)
{
    pthread_mutex_lock(&lock);
    for (int left = idle_count; left > 0 && idle_count > 0; left--)
        unmap_oldest();
    pthread_mutex_unlock(&lock);
}

int64_t fc_memory_idle(void)
{
    pthread_mutex_lock(&lock);
    int64_t bytes = idle_bytes;
    pthread_mutex_unlock(&lock);
    return bytes;
}

/* Memory with arbitrary bits, whose first byte starts a page; or NULL. */
char *fc_memory_take(int64_t size)
{
    if (size < 1 || size > INT64_MAX / 2)
        return NULL;
    pthread_once(&fork_handler, watch_forks);
    size = rounded(size);
    char *data = take_idle(size);
    if (data == NULL)
        data = map(size);
    if (data == NULL) {
        fc_memory_release(); /* in case that this makes room */
        data = map(size);
    }
    return data;
}
