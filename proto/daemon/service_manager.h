// What a process tells the service manager that started it (systemd, or whoever speaks its
// notification protocol). Does nothing where there is none.
#pragma once

#include <string_view>

#include "proto/base/time.h"

namespace dirsync {

// "READY=1", "STATUS=…", "WATCHDOG=1", "STOPPING=1"; several are separated by line ends.
// Thread-safe; failures are passed over, for nothing could be done about them.
void TellServiceManager(std::string_view state);

// How long it waits for WATCHDOG=1 before it kills this process; zero: it does not.
Duration WatchdogTime();

}  // namespace dirsync
