// clocks() and kernelClock(): the machine's clocks at one moment, and how well the kernel knows the time.
#include <errno.h>
#include <sys/timex.h>

#include "arguments.h"
#include "binding.h"
#include "clocks.h"

namespace witnessmark {

namespace {

/** clocks(out: BigInt64Array of at least 3): CLOCK_MONOTONIC, CLOCK_REALTIME, CLOCK_BOOTTIME in ns. */
napi_value Clocks(napi_env env, napi_callback_info info) {
  Arguments<1> arguments;
  void* memory = nullptr;
  size_t length = 0;
  if (!ReadArguments(env, info, &arguments) ||
      !ReadTypedArray(env, arguments.values[0], napi_bigint64_array, &memory, &length) || length < 3) {
    return Throw(env, "CLOCKS_ARGUMENT", "expected a BigInt64Array of at least 3 elements");
  }
  const ClockReading clocks = ReadClocks();
  auto* out = static_cast<int64_t*>(memory);
  out[0] = clocks.monoNs;
  out[1] = clocks.wallNs;
  out[2] = clocks.bootNs;
  return nullptr;
}

/** kernelClock(): { isSynchronised, offsetNs, maxErrorUs, estimatedErrorUs }; undefined where adjtimex is forbidden. */
napi_value KernelClock(napi_env env, napi_callback_info) {
  timex state = {};
  // modes 0 only reads.
  const int result = adjtimex(&state);
  if (result < 0) return nullptr;
  napi_value object;
  if (napi_create_object(env, &object) != napi_ok) return nullptr;
  const bool isNano = (state.status & STA_NANO) != 0;
  SetBoolean(env, object, "isSynchronised", (state.status & STA_UNSYNC) == 0 && result != TIME_ERROR);
  SetNumber(env, object, "offsetNs", static_cast<double>(state.offset) * (isNano ? 1 : 1000));
  SetNumber(env, object, "maxErrorUs", static_cast<double>(state.maxerror));
  SetNumber(env, object, "estimatedErrorUs", static_cast<double>(state.esterror));
  return object;
}

}  // namespace

void RegisterClocks(napi_env env, napi_value exports) {
  SetFunction(env, exports, "clocks", Clocks);
  SetFunction(env, exports, "kernelClock", KernelClock);
}

}  // namespace witnessmark
