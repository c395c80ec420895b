// Turns the kernel's running drop counter of one socket into losses, each counted once.
#pragma once
#include <cstdint>

namespace witnessmark {

/**
 * The counter is 32 bits wide, starts at 0 with its socket and wraps. It comes with frames (its value when the
 * frame was queued) and by asking (its value now), so a frame may report less than what was asked before.
 */
class DropCount {
 public:
  /** How many were dropped since the calls before. */
  uint32_t Advance(uint32_t counter) {
    const uint32_t step = counter - counted_;
    if (step == 0 || step > INT32_MAX) return 0;
    counted_ = counter;
    return step;
  }

  bool IsBehind(uint32_t counter) const {
    const uint32_t step = counter - counted_;
    return step != 0 && step <= INT32_MAX;
  }

 private:
  uint32_t counted_ = 0;
};

}  // namespace witnessmark
