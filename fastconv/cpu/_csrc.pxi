# Levels, threads and memory of the C side, as Cython sees them.


cdef extern from "fc.h" nogil:
    ctypedef struct fc_level:
        const char *name
        const fc_kernels *kernels
        const fc_narrow_kernels *narrow
        int (*supported)() noexcept nogil

    const fc_level *fc_levels
    const int fc_level_count
    int fc_level_built(int level)
    int fc_level_usable(int level)
    int fc_level_active()
    void fc_level_set(int level)
    const fc_kernels *fc_active()
    const fc_narrow_kernels *fc_active_narrow()
    int fc_pool_threads()
    char *fc_memory_take(int64_t size)
    void fc_memory_give(char *data, int64_t size)
    void fc_memory_bound(int64_t bytes)
    void fc_memory_release()
    int64_t fc_memory_idle()
    void fc_window_runs(const int64_t *begin, const int64_t *taps, int64_t outputs, int64_t *run)


cdef extern from "overflow.h" nogil:
    int overflow_noted()
    void clear_overflow()
