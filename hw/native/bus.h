// One bus: its interface as the kernel tells it, the socket on it, and what was told about it so far.
#pragma once
#include <atomic>
#include <cstdint>
#include <string>

#include "descriptor.h"
#include "receiver.h"
#include "socket.h"

namespace witnessmark {

enum class LinkState : uint8_t { kUnknown, kUp, kDown, kMissing, kBusOff };

struct BusOptions {
  enum class Source : uint8_t {
    /** The CAN interface `name`. */
    kInterface,
    /** UDP on loopback. */
    kLoopback,
    /** A copy of `fd`. */
    kDescriptor,
  };
  std::string name;
  Source source;
  int fd;
  SocketOptions socket;
};

/** Counted by the reading thread, read by any. */
struct BusCounts {
  std::atomic<uint64_t> frames{0};
  std::atomic<uint64_t> kernelDrops{0};
  std::atomic<uint64_t> malformed{0};
  std::atomic<int> receiveBufferBytes{0};
};

struct Bus {
  uint8_t index = 0;
  BusOptions options = {};
  Descriptor socket;
  int ifindex = 0;
  Receiver receiver;
  BusCounts counts;

  LinkState told = LinkState::kUnknown;
  /** The dump under way has named it. */
  bool isSeen = false;
  /** The controller stamps frames. Settled when the reader is opened, since the session's record says it. */
  bool hasHardwareStamps = false;
  bool isListenOnly = false;
  /** Of a UDP socket. */
  int localPort = 0;
  /** The socket said ENETDOWN, which comes after the news of going down. */
  bool downReported = false;
  /** That news was told, and its ENETDOWN has not come yet. */
  bool downTold = false;
  /** Nothing more to read in this round. */
  bool isExhausted = false;
  /** CLOCK_MONOTONIC: when the round began that read the last batch; and the last that found the socket empty. */
  int64_t askedNs = 0;
  int64_t emptiedNs = 0;

  bool isInterface() const { return options.source == BusOptions::Source::kInterface; }
};

}  // namespace witnessmark
