#pragma once
// Swift's Glibc module leaves out this header: mallopt and malloc_trim are declared here and nowhere else.
#include <malloc.h>
