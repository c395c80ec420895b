// The rtnetlink socket on which the kernel tells how interfaces change.
#pragma once
#include <cstdint>
#include <memory>
#include <vector>

#include "descriptor.h"
#include "link-news.h"

namespace witnessmark {

class LinkWatch {
 public:
  /** 0 or an errno. */
  int Open();
  int fd() const { return socket_.get(); }

  /** Asks for a description of every interface, as soon as one that is under way has ended. */
  void RequestDump() { wantsDump_ = true; }
  /** Waits for the end of a dump: for the moment before anything else runs. Appends all news; 0 or an errno. */
  int ReadWholeDump(std::vector<LinkNews>* news);
  /** Appends what has come. After lost messages it asks for a dump by itself. */
  void Read(std::vector<LinkNews>* news);

 private:
  enum class Outcome { kRead, kEmpty, kFailed };
  Outcome ReadOnce(std::vector<LinkNews>* news, int flags);
  int SendRequest(std::vector<LinkNews>* news);

  Descriptor socket_;
  std::unique_ptr<uint8_t[]> buffer_;
  uint32_t sequence_ = 0;
  bool dumping_ = false;
  bool wantsDump_ = false;
  bool interrupted_ = false;
};

}  // namespace witnessmark
