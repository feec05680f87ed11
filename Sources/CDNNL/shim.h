#pragma once
#include <oneapi/dnnl/dnnl.h>

// Debian builds oneDNN on OpenMP, whose own header needs a compiler flag that Swift does not pass.
void omp_set_num_threads(int);
int omp_get_max_threads(void);
int omp_get_thread_num(void);
int omp_get_num_threads(void);
// What `#pragma omp parallel` compiles to: runs a function on all threads of oneDNN's own pool and waits for them.
void GOMP_parallel(void (*function)(void *), void *data, unsigned threads, unsigned flags);
