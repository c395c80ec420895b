#include "clocks.h"

namespace witnessmark {

namespace {

/** Far below what counts as a clock that was set or a machine that was suspended (5 ms). */
constexpr int64_t kOneMomentNs = 500 * 1000;
constexpr int kAttempts = 20;

}  // namespace

int64_t ClockNs(clockid_t clock) {
  timespec now = {};
  clock_gettime(clock, &now);
  return static_cast<int64_t>(now.tv_sec) * 1000000000 + now.tv_nsec;
}

ClockReading ReadClocks() {
  ClockReading clocks;
  // A thread that loses the processor between two clocks would see a suspension or a step that never was.
  for (int attempt = 0; attempt < kAttempts; attempt++) {
    clocks = {ClockNs(CLOCK_MONOTONIC), ClockNs(CLOCK_REALTIME), ClockNs(CLOCK_BOOTTIME)};
    if (ClockNs(CLOCK_MONOTONIC) - clocks.monoNs < kOneMomentNs) break;
  }
  return clocks;
}

}  // namespace witnessmark
