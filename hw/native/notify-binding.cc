// notify(): one datagram to the service manager, as sd_notify(3) sends it; Node has no datagram sockets of this kind.
#include <errno.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <cstddef>
#include <cstring>

#include "arguments.h"
#include "binding.h"
#include "descriptor.h"

namespace witnessmark {

namespace {

constexpr size_t kMaxTextBytes = 4096;

/** notify(socketPath, text): a path that starts with '@' is in the abstract namespace. */
napi_value Notify(napi_env env, napi_callback_info info) {
  Arguments<2> arguments;
  std::string path;
  std::string text;
  sockaddr_un address = {};
  if (!ReadArguments(env, info, &arguments) ||
      !ReadText(env, arguments.values[0], sizeof address.sun_path - 1, &path) ||
      !ReadText(env, arguments.values[1], kMaxTextBytes, &text) || path.empty()) {
    return Throw(env, "NOTIFY_ARGUMENT", "expected a socket's path of 1 to 107 bytes and a text of at most 4096");
  }
  address.sun_family = AF_UNIX;
  std::memcpy(address.sun_path, path.data(), path.size());
  if (path[0] == '@') address.sun_path[0] = '\0';
  const auto length = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + path.size());

  Descriptor socket(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  if (!socket.isOpen()) return ThrowErrno(env, "NOTIFY_FAILED", "socket", errno);
  // A service manager that does not read must not stop the agent.
  const ssize_t sent = sendto(socket.get(), text.data(), text.size(), MSG_NOSIGNAL | MSG_DONTWAIT,
                              reinterpret_cast<sockaddr*>(&address), length);
  if (sent < 0) return ThrowErrno(env, "NOTIFY_FAILED", "sendto", errno);
  return nullptr;
}

}  // namespace

void RegisterNotify(napi_env env, napi_value exports) { SetFunction(env, exports, "notify", Notify); }

}  // namespace witnessmark
