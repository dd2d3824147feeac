/* One convolution as a matrix product whose right operand, the columns, is never made whole. */
#ifndef FC_IMPLICIT_GEMM_H
#define FC_IMPLICIT_GEMM_H

#include "common.h"
#include "vector.h"

typedef struct {
    const fc_conv_grad *conv;
    int64_t units, chunks; /* chunks: units per split and group */
    _Atomic int64_t next;
} fc_grad_job;

#endif
