#include "interface.h"

#include <linux/ethtool.h>
#include <linux/net_tstamp.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include <cstring>

#include "descriptor.h"

namespace witnessmark {

bool HasHardwareStamps(const char* name) {
  // Any socket carries the question to the interface.
  Descriptor socket(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  if (!socket.isOpen()) return false;
  ethtool_ts_info info = {};
  info.cmd = ETHTOOL_GET_TS_INFO;
  ifreq request = {};
  std::strncpy(request.ifr_name, name, sizeof request.ifr_name - 1);
  request.ifr_data = reinterpret_cast<char*>(&info);
  if (ioctl(socket.get(), SIOCETHTOOL, &request) != 0) return false;
  const unsigned needed = SOF_TIMESTAMPING_RX_HARDWARE | SOF_TIMESTAMPING_RAW_HARDWARE;
  return (info.so_timestamping & needed) == needed;
}

}  // namespace witnessmark
