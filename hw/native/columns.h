// Rows of the ring, copied into the columns of core/frame.ts FrameBlock and a list of events.
#pragma once
#include <cstddef>
#include <cstdint>

#include "ring.h"

namespace witnessmark {

/** Memory of the caller. */
struct Columns {
  size_t capacity;
  double* offsetNs;
  uint8_t* bus;
  uint32_t* id;
  uint8_t* flags;
  uint8_t* length;
  uint8_t* rawDlc;
  uint32_t* dataAt;
  uint8_t* data;
  size_t dataCapacity;
  /** kEventFields numbers for each: kind (1 loss, 2 link), bus, before which frame, value, wall clock ns. */
  int64_t* events;
  size_t eventCapacity;
};

constexpr size_t kEventFields = 5;

struct Taken {
  size_t count;
  size_t dataBytes;
  size_t eventCount;
  /** Rows are left. */
  bool isFull;
  /** The stamp of the first frame. */
  int64_t baseNs;
  /** CLOCK_MONOTONIC: what was stamped up to then has been taken, or counted as lost; `Reader::Take` sets it. */
  int64_t readToNs;
};

/** Takes what there is, as far as it fits, and at most what lies within 2^53 ns of the first frame. */
Taken TakeRows(Ring* ring, const Columns& columns);

}  // namespace witnessmark
