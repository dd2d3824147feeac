/* The names of a level's depthwise convolution, which is compiled by itself. */
#ifndef FC_DEPTHWISE_LEVEL_H
#define FC_DEPTHWISE_LEVEL_H

#include "fc.h"

#define FC_JOINED(a, b) a##b
#define FC_OF_LEVEL(name, isa) FC_JOINED(name, isa)
#define FC_DEPTHWISE_PLAN FC_OF_LEVEL(fc_depthwise_plan_, FC_ISA)
#define FC_DEPTHWISE FC_OF_LEVEL(fc_depthwise_, FC_ISA)

void FC_DEPTHWISE_PLAN(fc_depthwise *);
void FC_DEPTHWISE(const fc_depthwise *, int threads);

#endif
