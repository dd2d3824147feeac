#ifndef FC_FINISH_H
#define FC_FINISH_H

#include "columns.h"
#include "functions.h"

typedef struct {
    fc_array acc;
    fc_tiling tiles;
    const char *bias;
    double parameter;
    int activation;
} fc_finish_job;

#endif
