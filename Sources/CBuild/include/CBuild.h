#pragma once

/// The commit that the library was built from, in hexadecimal; empty if whoever built it did not say.
extern const char *const bb_build_commit;
