// Questions about one interface that ioctl answers.
#pragma once

namespace witnessmark {

/** Whether the controller of this interface stamps received frames (ETHTOOL_GET_TS_INFO). */
bool HasHardwareStamps(const char* name);

}  // namespace witnessmark
