// Interfaces as the kernel tells them: sockets are opened and closed by it, and the ring is told how each stands.
#include <errno.h>

#include "clocks.h"
#include "reader.h"

namespace witnessmark {

bool Reader::ApplyNews() {
  for (; nextNews_ < news_.size(); nextNews_++) {
    if (!Apply(news_[nextNews_])) return false;
  }
  return true;
}

bool Reader::Apply(const LinkNews& news) {
  for (const auto& bus : buses_) {
    if (!bus->isInterface()) continue;
    const bool isOurs = bus->socket.isOpen() && bus->ifindex == news.ifindex;
    switch (news.kind) {
      case LinkNews::Kind::kDumpStarted:
        bus->isSeen = false;
        break;
      case LinkNews::Kind::kPresent:
        if (news.isCan && bus->options.name == news.name) {
          if (!ApplyPresent(bus.get(), news)) return false;
        } else if (isOurs && !GoMissing(bus.get())) {  // it was renamed
          return false;
        }
        break;
      case LinkNews::Kind::kGone:
        if (isOurs && !GoMissing(bus.get())) return false;
        break;
      case LinkNews::Kind::kDumpDone:
        if (!bus->isSeen && !GoMissing(bus.get())) return false;
        break;
      case LinkNews::Kind::kDumpFailed:
        break;
    }
  }
  return true;
}

bool Reader::ApplyPresent(Bus* bus, const LinkNews& news) {
  bus->isSeen = true;
  // Another interface under the same name: unplugged and plugged in again.
  if (bus->socket.isOpen() && bus->ifindex != news.ifindex && !GoMissing(bus)) return false;
  // The socket is there before the bus is told to be up: what comes between is read.
  if (!bus->socket.isOpen() && !OpenInterface(bus, news.ifindex)) return Tell(bus, LinkState::kMissing);
  return Tell(bus, !news.isUp      ? LinkState::kDown
                   : news.isBusOff ? LinkState::kBusOff
                                   : LinkState::kUp);
}

bool Reader::OpenInterface(Bus* bus, int ifindex) {
  OpenedSocket opened = OpenCanSocket(ifindex, bus->options.socket);
  if (opened.error == ENODEV || opened.error == ENXIO) return false;  // gone again: news of it are under way
  if (opened.error != 0) {
    retryOpen_ = true;
    lastFault_ = std::move(opened);
    lastFaultBus_ = bus->options.name;
    return false;
  }
  bus->socket = std::move(opened.socket);
  bus->ifindex = ifindex;
  // Nothing came to it before it was there.
  bus->emptiedNs = roundNs_;
  bus->downReported = bus->downTold = false;
  bus->receiver.Restart(bus->hasHardwareStamps);
  bus->counts.receiveBufferBytes = ReceiveBufferBytes(bus->socket.get());
  return true;
}

bool Reader::GoMissing(Bus* bus) {
  if (bus->socket.isOpen()) {
    // It may be alive under another name: what is read from here on is finite.
    RefuseFrames(bus->socket.get());
    do {
      if (!DrainBus(bus) || !CountTail(bus)) return false;
    } while (bus->receiver.HasFrame());
  }
  if (!Tell(bus, LinkState::kMissing)) return false;
  bus->socket.Close();
  return true;
}

/** A socket that says ENETDOWN without news of it: netlink lost the message, and the bus may be up again. */
bool Reader::TellReportedDowns() {
  for (const auto& bus : buses_) {
    if (!bus->downReported) continue;
    const bool isKnown = bus->downTold || bus->told == LinkState::kDown || bus->told == LinkState::kMissing;
    if (!isKnown) {
      if (!Tell(bus.get(), LinkState::kDown)) return false;
      watch_.RequestDump();
      isBusy_ = true;
    }
    bus->downReported = bus->downTold = false;
  }
  return true;
}

bool Reader::Tell(Bus* bus, LinkState state) {
  if (bus->told == state) return true;
  const Row row = {RowKind::kLink, bus->index, 0, 0, 0, 0, ClockNs(CLOCK_REALTIME),
                   static_cast<uint32_t>(state)};
  if (!ring_.Push(row, nullptr)) return false;
  bus->told = state;
  if (state == LinkState::kDown) bus->downTold = true;
  return true;
}

}  // namespace witnessmark
