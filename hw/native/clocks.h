// The machine's clocks.
#pragma once
#include <time.h>

#include <cstdint>

namespace witnessmark {

struct ClockReading {
  int64_t monoNs;
  int64_t wallNs;
  int64_t bootNs;
};

int64_t ClockNs(clockid_t clock);

/** All at one moment: what differs between two readings is what happened to the clocks, not to this thread. */
ClockReading ReadClocks();

}  // namespace witnessmark
