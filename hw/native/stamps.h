// Which time a frame gets: the kernel's verbatim, or the controller's moved to the wall clock.
#pragma once
#include <cstdint>

#include "control.h"

namespace witnessmark {

/** Wall clock minus the controller's clock. */
struct HardwareOffset {
  bool isKnown = false;
  int64_t ns = 0;
};

/**
 * Beyond this the offset is measured anew: a clock was set, or the two have drifted apart. So no stamp lies further from
 * the kernel's time, frames of several buses stay in order within it, and a measurement moves stamps by no more than a
 * clock may move without being called set (agent/record/clock-watch.ts).
 */
constexpr int64_t kMaxStrayNs = 5000000;

/**
 * Nanoseconds of the wall clock. `offset`: of a bus whose controller stamps, else null. Without any stamp, and the
 * kernel has none for frames that came while it was switching them on, it is `nowNs`.
 */
int64_t WallStamp(const Control& control, HardwareOffset* offset, int64_t nowNs);

}  // namespace witnessmark
