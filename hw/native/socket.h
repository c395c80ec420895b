// Opens the sockets that frames are read from, and asks them what they have dropped.
#pragma once
#include <linux/can.h>

#include <cstdint>
#include <string>
#include <vector>

#include "descriptor.h"

namespace witnessmark {

struct SocketOptions {
  /** As SO_RCVBUF wants it; the kernel keeps twice as much for its own bookkeeping. */
  int receiveBufferBytes;
  /** Any of them lets a frame in; none: every frame. Error frames always come in. */
  std::vector<can_filter> filters;
};

/** A socket, or the errno and what was being done. */
struct OpenedSocket {
  Descriptor socket;
  int error = 0;
  const char* step = "";
};

/** CAN_RAW, classic and FD, error frames, receiving only. */
OpenedSocket OpenCanSocket(int ifindex, const SocketOptions& options);

/** UDP on 127.0.0.1 and a port of the kernel's choice: a datagram's payload is a struct can_frame or canfd_frame. */
OpenedSocket OpenLoopbackSocket(const SocketOptions& options);

/** A copy of a datagram descriptor that somebody else opened, with what is needed here switched on. */
OpenedSocket AdoptSocket(int fd, const SocketOptions& options);

/** From now on nothing is queued on this CAN socket; what is there stays. */
void RefuseFrames(int socket);

/** In the measure of `receiveBufferBytes`: what the socket really has. */
int ReceiveBufferBytes(int socket);

/** Drops since the socket was opened; wraps. False where the kernel does not say. */
bool ReadDrops(int socket, uint32_t* drops);

/** The port of a UDP socket in host order, else 0. */
int LocalPort(int socket);

}  // namespace witnessmark
