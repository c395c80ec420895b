// What a fuzz target is, and how it says that something does not hold.
#pragma once
#include <cstdio>
#include <cstdlib>

#include "random.h"

namespace fuzz {

struct Target {
  const char* name;
  unsigned rounds;
  void (*round)(Random* random);
};

/** The sanitizers stop at memory and arithmetic; this at what the code promises. */
#define CHECK(condition)                                                            \
  do {                                                                              \
    if (!(condition)) {                                                             \
      std::fprintf(stderr, "%s:%d: does not hold: %s\n", __FILE__, __LINE__, #condition); \
      std::abort();                                                                 \
    }                                                                               \
  } while (false)

extern const Target kFrameTarget;
extern const Target kControlTarget;
extern const Target kStampTarget;
extern const Target kDropTarget;
extern const Target kLinkTarget;
extern const Target kRingTarget;
extern const Target kReaderTarget;
extern const Target kSocketTarget;

}  // namespace fuzz
