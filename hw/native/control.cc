#include "control.h"

#include <time.h>

#include <linux/errqueue.h>
#include <sys/socket.h>

#include <cstring>

namespace witnessmark {

namespace {

int64_t Nanoseconds(const timespec& time) {
  // Unsigned: a stamp from broken hardware may be anything, and must not overflow.
  return static_cast<int64_t>(static_cast<uint64_t>(time.tv_sec) * 1000000000u +
                              static_cast<uint64_t>(time.tv_nsec));
}

}  // namespace

Control ReadControl(const uint8_t* bytes, size_t length) {
  Control control = {};
  // Not with CMSG_FIRSTHDR and CMSG_NXTHDR: they take the length in the last header for true.
  for (size_t at = 0; at < length && length - at >= sizeof(cmsghdr);) {
    cmsghdr part;
    std::memcpy(&part, bytes + at, sizeof part);
    if (part.cmsg_len < CMSG_LEN(0) || part.cmsg_len > length - at) break;
    const uint8_t* data = bytes + at + CMSG_LEN(0);
    const size_t dataBytes = part.cmsg_len - CMSG_LEN(0);
    at += CMSG_SPACE(dataBytes);
    if (part.cmsg_level != SOL_SOCKET) continue;
    if (part.cmsg_type == SCM_TIMESTAMPING && dataBytes >= sizeof(scm_timestamping)) {
      scm_timestamping stamps;
      std::memcpy(&stamps, data, sizeof stamps);
      control.softwareNs = Nanoseconds(stamps.ts[0]);
      control.hardwareNs = Nanoseconds(stamps.ts[2]);
    } else if (part.cmsg_type == SO_RXQ_OVFL && dataBytes >= sizeof control.drops) {
      std::memcpy(&control.drops, data, sizeof control.drops);
      control.hasDrops = true;
    }
  }
  return control;
}

}  // namespace witnessmark
