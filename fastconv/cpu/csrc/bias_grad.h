/* The gradient of a bias: y summed over everything but its channels. */
#ifndef FC_BIAS_GRAD_H
#define FC_BIAS_GRAD_H

#include "transpose.h"

/* A unit of work sums `channels` channels over the lines of one split. */
typedef struct {
    fc_array y;
    char *sums; /* splits x channels */
    int64_t channels, blocks, splits;
    int half; /* y holds 16-bit floats: 1 + FC_NARROW_float16...; else 0. Sums are float32. */
} fc_bias_job;

static const char *bias_line(const fc_bias_job *job, int64_t line)
{
    const int64_t *stride = job->y.stride, plane = line / job->y.shape[3];

    return job->y.data + plane / job->y.shape[2] * stride[0] + plane % job->y.shape[2] * stride[2]
           + line % job->y.shape[3] * stride[3];
}

#endif
