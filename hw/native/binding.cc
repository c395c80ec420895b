// The add-on's entry: what it offers to JavaScript. One environment may load it in each worker thread.
#include "binding.h"

NAPI_MODULE_INIT() {
  witnessmark::RegisterReader(env, exports);
  witnessmark::RegisterClocks(env, exports);
  witnessmark::RegisterNotify(env, exports);
  witnessmark::RegisterSealing(env, exports);
  return exports;
}
