#pragma once
#include <oneapi/dnnl/dnnl.h>

// Debian builds oneDNN on OpenMP, whose own header needs a compiler flag that Swift does not pass.
void omp_set_num_threads(int);
int omp_get_max_threads(void);
