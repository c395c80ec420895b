// What rtnetlink says about interfaces, taken out of its messages.
#pragma once
#include <cstddef>
#include <cstdint>

namespace witnessmark {

struct LinkNews {
  enum class Kind : uint8_t {
    /** The interface is there, as described. */
    kPresent,
    kGone,
    /** What follows, up to kDumpDone, tells every interface that there is. */
    kDumpStarted,
    kDumpDone,
    /** The dump was refused. */
    kDumpFailed,
  };
  Kind kind;
  /** Interfaces changed while the dump was made: it may lack some. */
  bool isInterrupted;
  int ifindex;
  char name[16];
  bool isUp;
  bool isCan;
  /** The controller says that it is off the bus. */
  bool isBusOff;
  bool isListenOnly;
  /** enum can_state, or -1 where the driver has none. */
  int canState;
  uint32_t mtu;
};

/** Walks the messages of one datagram. From the kernel, but parsed as if from anybody. */
class LinkNewsParser {
 public:
  LinkNewsParser(const uint8_t* bytes, size_t length) : bytes_(bytes), length_(length) {}
  /** False at the end. */
  bool Next(LinkNews* news);

 private:
  const uint8_t* bytes_;
  size_t length_;
  size_t at_ = 0;
};

}  // namespace witnessmark
