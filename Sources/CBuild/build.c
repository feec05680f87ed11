#include "CBuild.h"

// A source of its own: another commit compiles nothing else anew.
const char *const bb_build_commit = BENBEN_COMMIT;
