#include "CSentencePiece.h"

#include <sentencepiece_processor.h>

#include <exception>
#include <string_view>
#include <vector>

// Exported by the library but declared in none of the headers it installs.
namespace sentencepiece::logging {
void SetMinLogLevel(int level);
}

// No C++ exception may cross into Swift: every function turns one into its failure value.

struct bb_sentencepiece {
  sentencepiece::SentencePieceProcessor processor;
};

void bb_sentencepiece_silence(void) { sentencepiece::logging::SetMinLogLevel(4); }

bb_sentencepiece *bb_sentencepiece_create(const void *model, size_t length) try {
  auto *result = new bb_sentencepiece;
  if (!result->processor.LoadFromSerializedProto(std::string_view(static_cast<const char *>(model), length)).ok()) {
    delete result;
    return nullptr;
  }
  return result;
} catch (const std::exception &) {
  return nullptr;
}

void bb_sentencepiece_destroy(bb_sentencepiece *processor) { delete processor; }

int bb_sentencepiece_vocabulary_size(const bb_sentencepiece *processor) {
  return processor->processor.GetPieceSize();
}

long bb_sentencepiece_encode(const bb_sentencepiece *processor, const char *text, size_t length, int *ids,
                             size_t capacity) try {
  std::vector<int> encoded;
  if (!processor->processor.Encode(std::string_view(text, length), &encoded).ok()) return -1;
  for (size_t i = 0; i < encoded.size() && i < capacity; i++) ids[i] = encoded[i];
  return static_cast<long>(encoded.size());
} catch (const std::exception &) {
  return -1;
}
