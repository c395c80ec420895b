#include "stamps.h"

namespace witnessmark {

int64_t WallStamp(const Control& control, HardwareOffset* offset, int64_t nowNs) {
  const int64_t kernelNs = control.softwareNs != 0 ? control.softwareNs : nowNs;
  // Error frames are made by the driver and mostly have no stamp of the controller.
  if (offset == nullptr || control.hardwareNs == 0) return kernelNs;
  // Unsigned arithmetic: two clocks that disagree by centuries wrap, and are found to stray.
  const auto apart = static_cast<int64_t>(static_cast<uint64_t>(kernelNs) -
                                          static_cast<uint64_t>(control.hardwareNs));
  const auto stray =
      static_cast<int64_t>(static_cast<uint64_t>(apart) - static_cast<uint64_t>(offset->ns));
  if (!offset->isKnown || stray > kMaxStrayNs || stray < -kMaxStrayNs) {
    offset->isKnown = true;
    offset->ns = apart;
  }
  return static_cast<int64_t>(static_cast<uint64_t>(control.hardwareNs) +
                              static_cast<uint64_t>(offset->ns));
}

}  // namespace witnessmark
