#include "control.h"

#include <linux/errqueue.h>
#include <time.h>

#include <cstring>

namespace witnessmark {

namespace {

int64_t Nanoseconds(const timespec& time) {
  // Unsigned: a stamp from broken hardware may be anything, and must not overflow.
  return static_cast<int64_t>(static_cast<uint64_t>(time.tv_sec) * 1000000000u +
                              static_cast<uint64_t>(time.tv_nsec));
}

}  // namespace

Control ReadControl(msghdr* message) {
  Control control = {};
  for (cmsghdr* part = CMSG_FIRSTHDR(message); part != nullptr; part = CMSG_NXTHDR(message, part)) {
    if (part->cmsg_level != SOL_SOCKET) continue;
    if (part->cmsg_type == SCM_TIMESTAMPING && part->cmsg_len >= CMSG_LEN(sizeof(scm_timestamping))) {
      scm_timestamping stamps;
      std::memcpy(&stamps, CMSG_DATA(part), sizeof stamps);
      control.softwareNs = Nanoseconds(stamps.ts[0]);
      control.hardwareNs = Nanoseconds(stamps.ts[2]);
    } else if (part->cmsg_type == SO_RXQ_OVFL && part->cmsg_len >= CMSG_LEN(sizeof control.drops)) {
      std::memcpy(&control.drops, CMSG_DATA(part), sizeof control.drops);
      control.hasDrops = true;
    }
  }
  return control;
}

}  // namespace witnessmark
