#pragma once
#include <hdf5.h>
#include <stdint.h>
#include <string.h>

// The native type identifiers and the default property list are macros over function calls or casts:
// Swift imports neither.
static inline hid_t bb_h5t_float(void) { return H5T_NATIVE_FLOAT; }
static inline hid_t bb_h5t_int64(void) { return H5T_NATIVE_INT64; }
static inline hid_t bb_h5t_uint8(void) { return H5T_NATIVE_UINT8; }
static inline hid_t bb_h5p_default(void) { return H5P_DEFAULT; }
static inline hid_t bb_h5s_all(void) { return H5S_ALL; }

// What an app may have set for the whole process: the error handler (macros with a versioned name behind them), and which
// plugins may be loaded.
typedef struct {
  H5E_auto2_t handler;
  void *data;
  unsigned plugins;
} bb_h5_settings;

static inline bb_h5_settings bb_h5_settings_get(void) {
  bb_h5_settings settings = {NULL, NULL, 0};
  H5Eget_auto2(H5E_DEFAULT, &settings.handler, &settings.data);
  H5PLget_loading_state(&settings.plugins);
  return settings;
}

static inline void bb_h5_settings_set(bb_h5_settings settings) {
  H5Eset_auto2(H5E_DEFAULT, settings.handler, settings.data);
  H5PLset_loading_state(settings.plugins);
}

// HDF5 1.12 replaced objects' addresses by tokens, and renamed what describes links and objects.
#if H5_VERSION_GE(1, 12, 0)
static inline int bb_h5l_is_hard(hid_t group, const char *name) {
  H5L_info2_t info;
  return H5Lget_info2(group, name, &info, H5P_DEFAULT) >= 0 && info.type == H5L_TYPE_HARD;
}

/// Stores a number that tells an object from all others of its file; negative on failure.
static inline int bb_h5o_identity(hid_t object, uint64_t *identity) {
  H5O_info2_t info;
  if (H5Oget_info3(object, &info, H5O_INFO_BASIC) < 0) return -1;
  memcpy(identity, &info.token, sizeof *identity);  // In a file, a token holds the address and zeros.
  return 0;
}
#else
static inline int bb_h5l_is_hard(hid_t group, const char *name) {
  H5L_info_t info;
  return H5Lget_info(group, name, &info, H5P_DEFAULT) >= 0 && info.type == H5L_TYPE_HARD;
}

/// Stores a number that tells an object from all others of its file; negative on failure.
static inline int bb_h5o_identity(hid_t object, uint64_t *identity) {
  H5O_info_t info;
  if (H5Oget_info2(object, &info, H5O_INFO_BASIC) < 0) return -1;
  *identity = info.addr;
  return 0;
}
#endif
