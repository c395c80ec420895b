#include "link-news.h"

#include <linux/can/netlink.h>
#include <linux/if.h>
#include <linux/if_arp.h>
#include <linux/if_link.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <sys/socket.h>

#include <cstring>

namespace witnessmark {

namespace {

struct Attribute {
  unsigned type;
  const uint8_t* data;
  size_t length;
};

/** The attributes in a run of bytes, one after the other. */
class Attributes {
 public:
  Attributes(const uint8_t* bytes, size_t length) : bytes_(bytes), length_(length) {}

  bool Next(Attribute* attribute) {
    rtattr header;
    if (at_ > length_ || length_ - at_ < sizeof header) return false;
    std::memcpy(&header, bytes_ + at_, sizeof header);
    if (header.rta_len < sizeof header || header.rta_len > length_ - at_) return false;
    attribute->type = header.rta_type & NLA_TYPE_MASK;
    attribute->data = bytes_ + at_ + sizeof header;
    attribute->length = header.rta_len - sizeof header;
    at_ += RTA_ALIGN(header.rta_len);
    return true;
  }

 private:
  const uint8_t* bytes_;
  size_t length_;
  size_t at_ = 0;
};

template <typename T>
bool Read(const Attribute& attribute, T* value) {
  if (attribute.length < sizeof *value) return false;
  std::memcpy(value, attribute.data, sizeof *value);
  return true;
}

void ReadCanData(const Attribute& data, LinkNews* news) {
  Attributes parts(data.data, data.length);
  for (Attribute part; parts.Next(&part);) {
    uint32_t state;
    can_ctrlmode mode;
    if (part.type == IFLA_CAN_STATE && Read(part, &state) && state <= CAN_STATE_MAX) {
      news->canState = static_cast<int>(state);
      news->isBusOff = state == CAN_STATE_BUS_OFF;
    } else if (part.type == IFLA_CAN_CTRLMODE && Read(part, &mode)) {
      news->isListenOnly = (mode.flags & CAN_CTRLMODE_LISTENONLY) != 0;
    }
  }
}

void ReadLinkInfo(const Attribute& info, LinkNews* news) {
  // Other kinds of interface number their data differently. The kind comes first, but nobody promises that.
  bool isController = false;
  Attributes kinds(info.data, info.length);
  for (Attribute part; kinds.Next(&part);) {
    if (part.type == IFLA_INFO_KIND) {
      isController = part.length >= 3 && std::memcmp(part.data, "can", 3) == 0 &&
                     (part.length == 3 || part.data[3] == '\0');
    }
  }
  if (!isController) return;
  Attributes parts(info.data, info.length);
  for (Attribute part; parts.Next(&part);) {
    if (part.type == IFLA_INFO_DATA) ReadCanData(part, news);
  }
}

bool ReadLink(const uint8_t* payload, size_t length, LinkNews* news) {
  ifinfomsg link;
  if (length < sizeof link) return false;
  std::memcpy(&link, payload, sizeof link);
  // A bridge speaks of its ports in messages of the same type.
  if (link.ifi_family != AF_UNSPEC) return false;
  news->ifindex = link.ifi_index;
  news->isUp = (link.ifi_flags & IFF_UP) != 0;
  news->isCan = link.ifi_type == ARPHRD_CAN;
  const size_t headerBytes = NLMSG_ALIGN(sizeof link);
  if (length < headerBytes) return true;
  Attributes attributes(payload + headerBytes, length - headerBytes);
  for (Attribute attribute; attributes.Next(&attribute);) {
    if (attribute.type == IFLA_IFNAME) {
      const size_t bytes = attribute.length < sizeof news->name ? attribute.length : sizeof news->name - 1;
      std::memcpy(news->name, attribute.data, bytes);
      news->name[bytes] = '\0';
    } else if (attribute.type == IFLA_MTU) {
      Read(attribute, &news->mtu);
    } else if (attribute.type == IFLA_LINKINFO) {
      ReadLinkInfo(attribute, news);
    }
  }
  return true;
}

}  // namespace

bool LinkNewsParser::Next(LinkNews* news) {
  for (;;) {
    nlmsghdr header;
    if (at_ > length_ || length_ - at_ < sizeof header) return false;
    std::memcpy(&header, bytes_ + at_, sizeof header);
    if (header.nlmsg_len < sizeof header || header.nlmsg_len > length_ - at_) return false;
    const uint8_t* payload = bytes_ + at_ + NLMSG_HDRLEN;
    const size_t payloadBytes = header.nlmsg_len - sizeof header;
    at_ += NLMSG_ALIGN(header.nlmsg_len);

    *news = {};
    news->canState = -1;
    news->isInterrupted = (header.nlmsg_flags & NLM_F_DUMP_INTR) != 0;
    if (header.nlmsg_type == NLMSG_ERROR || header.nlmsg_type == NLMSG_DONE) {
      news->kind = header.nlmsg_type == NLMSG_DONE ? LinkNews::Kind::kDumpDone : LinkNews::Kind::kDumpFailed;
      return true;
    }
    if (header.nlmsg_type != RTM_NEWLINK && header.nlmsg_type != RTM_DELLINK) continue;
    news->kind = header.nlmsg_type == RTM_NEWLINK ? LinkNews::Kind::kPresent : LinkNews::Kind::kGone;
    if (ReadLink(payload, payloadBytes, news)) return true;
  }
}

}  // namespace witnessmark
