#pragma once
#include <hdf5.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

// The native type identifiers and the default property list are macros over function calls or casts:
// Swift imports neither.
static inline hid_t bb_h5t_float(void) { return H5T_NATIVE_FLOAT; }
static inline hid_t bb_h5t_int64(void) { return H5T_NATIVE_INT64; }
static inline hid_t bb_h5t_uint8(void) { return H5T_NATIVE_UINT8; }
static inline hid_t bb_h5t_string(void) { return H5T_C_S1; }
static inline hid_t bb_h5p_file_access(void) { return H5P_FILE_ACCESS; }
static inline hid_t bb_h5p_link_create(void) { return H5P_LINK_CREATE; }
static inline hid_t bb_h5p_dataset_create(void) { return H5P_DATASET_CREATE; }
static inline unsigned bb_h5f_truncate(void) { return H5F_ACC_TRUNC; }
static inline hid_t bb_h5p_default(void) { return H5P_DEFAULT; }
static inline hid_t bb_h5s_all(void) { return H5S_ALL; }

// What an app may have set for the whole process: the error handler (macros with a versioned name behind them), and which
// plugins may be loaded.
typedef struct {
  H5E_auto2_t handler;
  void *data;
  unsigned plugins;
} bb_h5_settings;

static inline herr_t bb_h5_note(unsigned depth, const H5E_error2_t *error, void *data) {
  (void)depth;
  const char *found = error->desc ? strstr(error->desc, "errno = ") : NULL;
  if (found && *(int *)data == 0) *(int *)data = atoi(found + strlen("errno = "));
  return 0;
}

// Called when a function of the library fails, while what it says of the failure is there.
static inline herr_t bb_h5_note_failure(hid_t stack, void *data) {
  return H5Ewalk2(stack, H5E_WALK_UPWARD, bb_h5_note, data);
}

/// Silences the library, turns plugins off and returns what was set before; `system_error` becomes the first error of the
/// system that a failure names, and must live until the settings are restored.
static inline bb_h5_settings bb_h5_settings_take(int *system_error) {
  bb_h5_settings settings = {NULL, NULL, 0};
  H5Eget_auto2(H5E_DEFAULT, &settings.handler, &settings.data);
  H5PLget_loading_state(&settings.plugins);
  H5Eset_auto2(H5E_DEFAULT, bb_h5_note_failure, system_error);
  H5PLset_loading_state(0);
  return settings;
}

static inline void bb_h5_settings_restore(bb_h5_settings settings) {
  H5Eset_auto2(H5E_DEFAULT, settings.handler, settings.data);
  H5PLset_loading_state(settings.plugins);
}

/// Receives the name of a link and whether it is a hard one; a value that is not zero ends the visit.
typedef int (*bb_h5_link_visitor)(const char *name, int is_hard, void *context);

typedef struct {
  bb_h5_link_visitor visit;
  void *context;
} bb_h5_visit;

// H5L_info_t is the structure of the callback's version in every release.
static inline herr_t bb_h5_visit_link(hid_t group, const char *name, const H5L_info_t *info, void *data) {
  (void)group;
  bb_h5_visit *visit = (bb_h5_visit *)data;
  return visit->visit(name, info->type == H5L_TYPE_HARD, visit->context) == 0 ? 0 : 1;
}

/// Visits all links of a group, in the order of their names; negative on failure, and positive if the visit was ended.
static inline int bb_h5_each_link(hid_t group, bb_h5_link_visitor visitor, void *context) {
  bb_h5_visit visit = {visitor, context};
  hsize_t position = 0;
  return (int)H5Literate(group, H5_INDEX_NAME, H5_ITER_INC, &position, bb_h5_visit_link, &visit);
}

// HDF5 1.12 replaced objects' addresses by tokens, and renamed what describes objects.
#if H5_VERSION_GE(1, 12, 0)
/// Stores a number that tells an object from all others of its file; negative on failure.
static inline int bb_h5o_identity(hid_t object, uint64_t *identity) {
  H5O_info2_t info;
  if (H5Oget_info3(object, &info, H5O_INFO_BASIC) < 0) return -1;
  memcpy(identity, &info.token, sizeof *identity);  // In a file, a token holds the address and zeros.
  return 0;
}
#else
/// Stores a number that tells an object from all others of its file; negative on failure.
static inline int bb_h5o_identity(hid_t object, uint64_t *identity) {
  H5O_info_t info;
  if (H5Oget_info2(object, &info, H5O_INFO_BASIC) < 0) return -1;
  *identity = info.addr;
  return 0;
}
#endif
