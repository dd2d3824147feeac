/* Work shared out among threads: each takes its own share from the front, and then what others
 * have left from the back.
 *
 * Neighbouring items often lie in the same cache lines, and a call like the last one finds its
 * data where it left them; on processors of several dies, another core's lines cost more than
 * memory's. So what a thread computes stays together, and alike from call to call.
 */
#include "fc.h"

enum { PARTS = 8 }; /* of what is left of a share, one is taken at a time */

static uint64_t both(uint64_t first, uint64_t last)
{
    return first << 32 | last;
}

/* Fills in grains [0, ceil(count / grain)), of which there may be 2^32 - 1, in equal shares. */
void fc_share_out(fc_shares *shares, int64_t count, int64_t grain, int slots)
{
    const int64_t least = count / UINT32_MAX + 1;

    shares->count = count;
    shares->grain = grain = grain < least ? least : grain;
    shares->slots = slots;
    const uint64_t grains = (uint64_t)(count / grain + (count % grain != 0));
    for (int i = 0; i < slots; i++)
        atomic_init(&shares->share[i].left, both(grains * (uint64_t)i / (uint64_t)slots,
                                                 grains * (uint64_t)(i + 1) / (uint64_t)slots));
}

static int take(fc_share *share, int from_back, uint64_t *first, uint64_t *last)
{
    uint64_t seen = atomic_load_explicit(&share->left, memory_order_relaxed), then;

    do {
        const uint64_t begin = seen >> 32, end = seen & UINT32_MAX;
        if (begin >= end)
            return 0;
        const uint64_t some = (end - begin + PARTS - 1) / PARTS;
        *first = from_back ? end - some : begin;
        *last = *first + some;
        then = from_back ? both(begin, end - some) : both(begin + some, end);
    } while (!atomic_compare_exchange_weak(&share->left, &seen, then));
    return 1;
}

/* Fills in what a slot does next; returns 0 where nothing is left. */
int fc_next_range(fc_shares *shares, int slot, int64_t *begin, int64_t *end)
{
    uint64_t first, last;
    int found = take(&shares->share[slot], 0, &first, &last);

    for (int i = 1; i < shares->slots && !found; i++)
        found = take(&shares->share[(slot + i) % shares->slots], 1, &first, &last);
    if (!found)
        return 0;
    *begin = (int64_t)first * shares->grain;
    const int64_t reach = (int64_t)last * shares->grain;
    *end = reach < shares->count ? reach : shares->count;
    return 1;
}
