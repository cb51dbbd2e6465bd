#include "CCorpus.h"

static const unsigned char texts[] = {
#embed "texts.jsonl"
};

const void *crosscope_texts(size_t *size) {
  *size = sizeof texts;
  return texts;
}
