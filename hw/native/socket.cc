#include "socket.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/can/error.h>
#include <linux/can/raw.h>
#include <linux/net_tstamp.h>
#include <linux/sock_diag.h>
#include <netinet/in.h>
#include <sys/socket.h>

namespace witnessmark {

namespace {

OpenedSocket Failed(const char* step) {
  OpenedSocket opened;
  opened.error = errno;
  opened.step = step;
  return opened;
}

OpenedSocket Opened(Descriptor socket) {
  OpenedSocket opened;
  opened.socket = std::move(socket);
  return opened;
}

bool SetInt(int socket, int level, int option, int value) {
  return setsockopt(socket, level, option, &value, sizeof value) == 0;
}

/** What every source needs. Null when all is set, else what failed. */
const char* SetCommonOptions(int socket, const SocketOptions& options) {
  // The privileged one passes the limit of net.core.rmem_max; without the right to it the limit is what there is.
  if (!SetInt(socket, SOL_SOCKET, SO_RCVBUFFORCE, options.receiveBufferBytes) &&
      !SetInt(socket, SOL_SOCKET, SO_RCVBUF, options.receiveBufferBytes)) {
    return "SO_RCVBUF";
  }
  if (!SetInt(socket, SOL_SOCKET, SO_RXQ_OVFL, 1)) return "SO_RXQ_OVFL";
  const int stamps = SOF_TIMESTAMPING_RX_SOFTWARE | SOF_TIMESTAMPING_SOFTWARE |
                     SOF_TIMESTAMPING_RX_HARDWARE | SOF_TIMESTAMPING_RAW_HARDWARE;
  if (!SetInt(socket, SOL_SOCKET, SO_TIMESTAMPING, stamps)) return "SO_TIMESTAMPING";
  return nullptr;
}

const char* SetCanOptions(int socket, const SocketOptions& options) {
  if (!SetInt(socket, SOL_CAN_RAW, CAN_RAW_FD_FRAMES, 1)) return "CAN_RAW_FD_FRAMES";
  if (!SetInt(socket, SOL_CAN_RAW, CAN_RAW_RECV_OWN_MSGS, 0)) return "CAN_RAW_RECV_OWN_MSGS";
  const can_err_mask_t everyError = CAN_ERR_MASK;
  if (setsockopt(socket, SOL_CAN_RAW, CAN_RAW_ERR_FILTER, &everyError, sizeof everyError) != 0) {
    return "CAN_RAW_ERR_FILTER";
  }
  if (!options.filters.empty() &&
      setsockopt(socket, SOL_CAN_RAW, CAN_RAW_FILTER, options.filters.data(),
                 static_cast<socklen_t>(options.filters.size() * sizeof(can_filter))) != 0) {
    return "CAN_RAW_FILTER";
  }
  return nullptr;
}

}  // namespace

OpenedSocket OpenCanSocket(int ifindex, const SocketOptions& options) {
  Descriptor socket(::socket(PF_CAN, SOCK_RAW | SOCK_CLOEXEC, CAN_RAW));
  if (!socket.isOpen()) return Failed("socket");
  // Everything is set before the socket is bound: no frame comes in unstamped, uncounted or unfiltered.
  const char* fault = SetCommonOptions(socket.get(), options);
  if (fault == nullptr) fault = SetCanOptions(socket.get(), options);
  if (fault != nullptr) return Failed(fault);
  sockaddr_can address = {};
  address.can_family = AF_CAN;
  address.can_ifindex = ifindex;
  if (bind(socket.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) != 0) return Failed("bind");
  // Binding to an interface that is down leaves ENETDOWN behind, which would read like going down later.
  int error = 0;
  socklen_t length = sizeof error;
  getsockopt(socket.get(), SOL_SOCKET, SO_ERROR, &error, &length);
  return Opened(std::move(socket));
}

OpenedSocket OpenLoopbackSocket(const SocketOptions& options) {
  Descriptor socket(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  if (!socket.isOpen()) return Failed("socket");
  if (const char* fault = SetCommonOptions(socket.get(), options)) return Failed(fault);
  sockaddr_in address = {};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (bind(socket.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) != 0) return Failed("bind");
  return Opened(std::move(socket));
}

OpenedSocket AdoptSocket(int fd, const SocketOptions& options) {
  Descriptor socket(fcntl(fd, F_DUPFD_CLOEXEC, 0));
  if (!socket.isOpen()) return Failed("F_DUPFD_CLOEXEC");
  int type = 0;
  socklen_t length = sizeof type;
  if (getsockopt(socket.get(), SOL_SOCKET, SO_TYPE, &type, &length) != 0) return Failed("SO_TYPE");
  if (type != SOCK_DGRAM && type != SOCK_RAW) {
    errno = EPROTOTYPE;
    return Failed("SO_TYPE");
  }
  if (const char* fault = SetCommonOptions(socket.get(), options)) return Failed(fault);
  return Opened(std::move(socket));
}

void RefuseFrames(int socket) {
  setsockopt(socket, SOL_CAN_RAW, CAN_RAW_FILTER, nullptr, 0);
  const can_err_mask_t noError = 0;
  setsockopt(socket, SOL_CAN_RAW, CAN_RAW_ERR_FILTER, &noError, sizeof noError);
}

int ReceiveBufferBytes(int socket) {
  int bytes = 0;
  socklen_t length = sizeof bytes;
  if (getsockopt(socket, SOL_SOCKET, SO_RCVBUF, &bytes, &length) != 0) return 0;
  return bytes / 2;
}

bool ReadDrops(int socket, uint32_t* drops) {
  uint32_t memory[SK_MEMINFO_VARS] = {};
  socklen_t length = sizeof memory;
  if (getsockopt(socket, SOL_SOCKET, SO_MEMINFO, memory, &length) != 0) return false;
  if (length < (SK_MEMINFO_DROPS + 1) * sizeof(uint32_t)) return false;
  *drops = memory[SK_MEMINFO_DROPS];
  return true;
}

int LocalPort(int socket) {
  sockaddr_in address = {};
  socklen_t length = sizeof address;
  if (getsockname(socket, reinterpret_cast<sockaddr*>(&address), &length) != 0) return 0;
  return address.sin_family == AF_INET ? ntohs(address.sin_port) : 0;
}

}  // namespace witnessmark
