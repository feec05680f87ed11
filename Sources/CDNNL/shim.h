#pragma once
#include <oneapi/dnnl/dnnl.h>
#include <stdlib.h>

// Debian builds oneDNN on OpenMP, whose own header needs a compiler flag that Swift does not pass.
void omp_set_num_threads(int);
int omp_get_max_threads(void);
int omp_get_thread_num(void);
int omp_get_num_threads(void);
// What `#pragma omp parallel` compiles to: runs a function on all threads of oneDNN's own pool and waits for them.
void GOMP_parallel(void (*function)(void *), void *data, unsigned threads, unsigned flags);

// oneDNN 2 and 3 behind one set of functions: version 3 made memory descriptors opaque, and creates the descriptor of a
// primitive in one call where version 2 first initialised one of an operation.

/// The layout of a tensor; owned by whoever created it.
typedef struct bb_layout *bb_layout;

#if DNNL_VERSION_MAJOR >= 3

static inline const_dnnl_memory_desc_t bb_md(bb_layout layout) { return (const_dnnl_memory_desc_t)layout; }

static inline dnnl_status_t bb_layout_create(bb_layout *layout, int rank, const dnnl_dim_t *dimensions,
                                             dnnl_data_type_t type, const dnnl_dim_t *strides) {
  return dnnl_memory_desc_create_with_strides((dnnl_memory_desc_t *)layout, rank, dimensions, type, strides);
}

static inline dnnl_status_t bb_layout_create_tagged(bb_layout *layout, int rank, const dnnl_dim_t *dimensions,
                                                    dnnl_data_type_t type, dnnl_format_tag_t tag) {
  return dnnl_memory_desc_create_with_tag((dnnl_memory_desc_t *)layout, rank, dimensions, type, tag);
}

static inline void bb_layout_destroy(bb_layout layout) { dnnl_memory_desc_destroy((dnnl_memory_desc_t)layout); }

static inline size_t bb_layout_size(bb_layout layout) { return dnnl_memory_desc_get_size(bb_md(layout)); }

/// Copies the layout that a primitive uses for an argument; null if there is none.
static inline bb_layout bb_layout_query(const_dnnl_primitive_desc_t primitive, dnnl_query_t query) {
  dnnl_memory_desc_t copy = NULL;
  const_dnnl_memory_desc_t owned = dnnl_primitive_desc_query_md(primitive, query, 0);
  return owned && dnnl_memory_desc_clone(&copy, owned) == dnnl_success ? (bb_layout)copy : NULL;
}

static inline dnnl_status_t bb_matmul_create(dnnl_primitive_desc_t *result, dnnl_engine_t engine, bb_layout left,
                                             bb_layout right, bb_layout bias, bb_layout output,
                                             const_dnnl_primitive_attr_t attributes) {
  return dnnl_matmul_primitive_desc_create(result, engine, bb_md(left), bb_md(right), bb_md(bias), bb_md(output),
                                           attributes);
}

static inline dnnl_status_t bb_convolution_create(dnnl_primitive_desc_t *result, dnnl_engine_t engine, bb_layout input,
                                                  bb_layout weights, bb_layout bias, bb_layout output,
                                                  const dnnl_dim_t *strides, const dnnl_dim_t *before,
                                                  const dnnl_dim_t *after, const_dnnl_primitive_attr_t attributes) {
  return dnnl_convolution_forward_primitive_desc_create(
      result, engine, dnnl_forward_inference, dnnl_convolution_direct, bb_md(input), bb_md(weights), bb_md(bias),
      bb_md(output), strides, NULL, before, after, attributes);
}

static inline dnnl_status_t bb_softmax_create(dnnl_primitive_desc_t *result, dnnl_engine_t engine, bb_layout data,
                                              int axis) {
  return dnnl_softmax_forward_primitive_desc_create(result, engine, dnnl_forward_inference, dnnl_softmax_accurate,
                                                    bb_md(data), bb_md(data), axis, NULL);
}

static inline dnnl_status_t bb_elementwise_create(dnnl_primitive_desc_t *result, dnnl_engine_t engine, bb_layout data,
                                                  dnnl_alg_kind_t kind, float alpha) {
  return dnnl_eltwise_forward_primitive_desc_create(result, engine, dnnl_forward_inference, kind, bb_md(data),
                                                    bb_md(data), alpha, 0, NULL);
}

static inline dnnl_status_t bb_append_elementwise(dnnl_post_ops_t list, dnnl_alg_kind_t kind, float alpha) {
  return dnnl_post_ops_append_eltwise(list, kind, alpha, 0);
}

static inline dnnl_status_t bb_append_sum(dnnl_post_ops_t list) {
  return dnnl_post_ops_append_sum(list, 1, 0, dnnl_data_type_undef);
}

#else

static inline const dnnl_memory_desc_t *bb_md(bb_layout layout) { return (const dnnl_memory_desc_t *)layout; }

static inline dnnl_status_t bb_layout_box(bb_layout *layout, const dnnl_memory_desc_t *value) {
  dnnl_memory_desc_t *copy = (dnnl_memory_desc_t *)malloc(sizeof *copy);
  if (!copy) return dnnl_out_of_memory;
  *copy = *value;
  *layout = (bb_layout)copy;
  return dnnl_success;
}

static inline dnnl_status_t bb_layout_create(bb_layout *layout, int rank, const dnnl_dim_t *dimensions,
                                             dnnl_data_type_t type, const dnnl_dim_t *strides) {
  dnnl_memory_desc_t value;
  dnnl_status_t status = dnnl_memory_desc_init_by_strides(&value, rank, dimensions, type, strides);
  return status == dnnl_success ? bb_layout_box(layout, &value) : status;
}

static inline dnnl_status_t bb_layout_create_tagged(bb_layout *layout, int rank, const dnnl_dim_t *dimensions,
                                                    dnnl_data_type_t type, dnnl_format_tag_t tag) {
  dnnl_memory_desc_t value;
  dnnl_status_t status = dnnl_memory_desc_init_by_tag(&value, rank, dimensions, type, tag);
  return status == dnnl_success ? bb_layout_box(layout, &value) : status;
}

static inline void bb_layout_destroy(bb_layout layout) { free(layout); }

static inline size_t bb_layout_size(bb_layout layout) { return dnnl_memory_desc_get_size(bb_md(layout)); }

/// Copies the layout that a primitive uses for an argument; null if there is none.
static inline bb_layout bb_layout_query(const_dnnl_primitive_desc_t primitive, dnnl_query_t query) {
  bb_layout copy = NULL;
  const dnnl_memory_desc_t *owned = dnnl_primitive_desc_query_md(primitive, query, 0);
  return owned && bb_layout_box(&copy, owned) == dnnl_success ? copy : NULL;
}

static inline dnnl_status_t bb_matmul_create(dnnl_primitive_desc_t *result, dnnl_engine_t engine, bb_layout left,
                                             bb_layout right, bb_layout bias, bb_layout output,
                                             const_dnnl_primitive_attr_t attributes) {
  dnnl_matmul_desc_t operation;
  dnnl_status_t status = dnnl_matmul_desc_init(&operation, bb_md(left), bb_md(right), bb_md(bias), bb_md(output));
  return status == dnnl_success ? dnnl_primitive_desc_create(result, &operation, attributes, engine, NULL) : status;
}

static inline dnnl_status_t bb_convolution_create(dnnl_primitive_desc_t *result, dnnl_engine_t engine, bb_layout input,
                                                  bb_layout weights, bb_layout bias, bb_layout output,
                                                  const dnnl_dim_t *strides, const dnnl_dim_t *before,
                                                  const dnnl_dim_t *after, const_dnnl_primitive_attr_t attributes) {
  dnnl_convolution_desc_t operation;
  dnnl_status_t status = dnnl_convolution_forward_desc_init(
      &operation, dnnl_forward_inference, dnnl_convolution_direct, bb_md(input), bb_md(weights), bb_md(bias),
      bb_md(output), strides, before, after);
  return status == dnnl_success ? dnnl_primitive_desc_create(result, &operation, attributes, engine, NULL) : status;
}

static inline dnnl_status_t bb_softmax_create(dnnl_primitive_desc_t *result, dnnl_engine_t engine, bb_layout data,
                                              int axis) {
  dnnl_softmax_desc_t operation;
  dnnl_status_t status = dnnl_softmax_forward_desc_init(&operation, dnnl_forward_inference, bb_md(data), axis);
  return status == dnnl_success ? dnnl_primitive_desc_create(result, &operation, NULL, engine, NULL) : status;
}

static inline dnnl_status_t bb_elementwise_create(dnnl_primitive_desc_t *result, dnnl_engine_t engine, bb_layout data,
                                                  dnnl_alg_kind_t kind, float alpha) {
  dnnl_eltwise_desc_t operation;
  dnnl_status_t status =
      dnnl_eltwise_forward_desc_init(&operation, dnnl_forward_inference, kind, bb_md(data), alpha, 0);
  return status == dnnl_success ? dnnl_primitive_desc_create(result, &operation, NULL, engine, NULL) : status;
}

static inline dnnl_status_t bb_append_elementwise(dnnl_post_ops_t list, dnnl_alg_kind_t kind, float alpha) {
  return dnnl_post_ops_append_eltwise(list, 1, kind, alpha, 0);
}

static inline dnnl_status_t bb_append_sum(dnnl_post_ops_t list) { return dnnl_post_ops_append_sum(list, 1); }

#endif

// The same call in both versions, but for the type of a descriptor.

static inline dnnl_status_t bb_reorder_create(dnnl_primitive_desc_t *result, dnnl_engine_t engine, bb_layout from,
                                              bb_layout to) {
  return dnnl_reorder_primitive_desc_create(result, bb_md(from), engine, bb_md(to), engine, NULL);
}

static inline dnnl_status_t bb_append_binary(dnnl_post_ops_t list, dnnl_alg_kind_t kind, bb_layout operand) {
  return dnnl_post_ops_append_binary(list, kind, bb_md(operand));
}

static inline dnnl_status_t bb_memory_create(dnnl_memory_t *memory, bb_layout layout, dnnl_engine_t engine,
                                             void *handle) {
  return dnnl_memory_create(memory, bb_md(layout), engine, handle);
}

/// Whether oneDNN may use an instruction set; its masks differ between the versions, but a set's bits include those of
/// the sets below it.
static inline int bb_may_use(dnnl_cpu_isa_t set) {
#if defined(__x86_64__)
  return ((unsigned)dnnl_get_effective_cpu_isa() & (unsigned)set) == (unsigned)set;
#else
  return 0;  // The names are those of x86; other processors reuse the bits.
#endif
}

/// Whether oneDNN computes in parallel with OpenMP, whose settings and pool are shared with it.
static inline int bb_uses_openmp(void) { return dnnl_version()->cpu_runtime == DNNL_RUNTIME_OMP; }
