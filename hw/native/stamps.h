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

/** Beyond this the controller's clock or the wall clock was set, and the offset is measured anew. */
constexpr int64_t kMaxStrayNs = 1000000000;

/**
 * Nanoseconds of the wall clock. `offset`: of a bus whose controller stamps, else null. Without any stamp, and the
 * kernel has none for frames that came while it was switching them on, it is `nowNs`.
 */
int64_t WallStamp(const Control& control, HardwareOffset* offset, int64_t nowNs);

}  // namespace witnessmark
