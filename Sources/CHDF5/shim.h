#pragma once
#include <hdf5.h>

// The native type identifiers and the default property list are macros over function calls or casts:
// Swift imports neither.
static inline hid_t benben_h5t_float(void) { return H5T_NATIVE_FLOAT; }
static inline hid_t benben_h5t_int64(void) { return H5T_NATIVE_INT64; }
static inline hid_t benben_h5t_uint8(void) { return H5T_NATIVE_UINT8; }
static inline hid_t benben_h5p_default(void) { return H5P_DEFAULT; }
static inline hid_t benben_h5s_all(void) { return H5S_ALL; }

// A macro with a versioned name behind it.
static inline herr_t benben_h5_silence(void) { return H5Eset_auto2(H5E_DEFAULT, NULL, NULL); }
