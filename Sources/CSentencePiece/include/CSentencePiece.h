#pragma once
#include <stddef.h>

// SentencePiece has a C++ interface only; these few functions are its C face.

#ifdef __cplusplus
extern "C" {
#endif

typedef struct bb_sentencepiece bb_sentencepiece;

/// Silences the library for the whole process.
void bb_sentencepiece_silence(void);

/// Loads a serialized model; null when it is malformed.
bb_sentencepiece *bb_sentencepiece_create(const void *model, size_t length);
void bb_sentencepiece_destroy(bb_sentencepiece *processor);
int bb_sentencepiece_vocabulary_size(const bb_sentencepiece *processor);

/// Writes at most `capacity` ids and returns how many there are, or -1 on failure.
long bb_sentencepiece_encode(const bb_sentencepiece *processor, const char *text, size_t length, int *ids,
                             size_t capacity);

#ifdef __cplusplus
}
#endif
