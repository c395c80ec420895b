// What the kernel says beside a datagram: when it came, and how many were dropped before it.
#pragma once
#include <cstddef>
#include <cstdint>

namespace witnessmark {

struct Control {
  /** CLOCK_REALTIME of the kernel, ns; 0: none. */
  int64_t softwareNs;
  /** The controller's own clock, ns, of whatever epoch; 0: none. */
  int64_t hardwareNs;
  bool hasDrops;
  /** Of the socket since it was opened, when this datagram was queued; wraps. */
  uint32_t drops;
};

/** Room for SCM_TIMESTAMPING and SO_RXQ_OVFL, and as much again for what nobody asked for. */
constexpr size_t kControlBytes = 192;

/** `bytes`: the control messages of one datagram, one after the other. */
Control ReadControl(const uint8_t* bytes, size_t length);

}  // namespace witnessmark
