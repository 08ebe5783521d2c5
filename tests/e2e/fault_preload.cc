// Loaded into a real process before its libraries: a clock that is ahead.
//
//   DIRSYNC_DAYS_AHEAD=30   the wall clock is so many days ahead
#include <dlfcn.h>

#include <cstdlib>
#include <ctime>

namespace {

long Number(const char* name) {
  const char* text = std::getenv(name);
  return text == nullptr ? 0 : std::strtol(text, nullptr, 10);
}

template <class Function>
Function Next(const char* name) {
  return reinterpret_cast<Function>(dlsym(RTLD_NEXT, name));
}

}  // namespace

extern "C" {

int clock_gettime(clockid_t clock, struct timespec* time) {
  static const auto next = Next<int (*)(clockid_t, struct timespec*)>("clock_gettime");
  static const long days = Number("DIRSYNC_DAYS_AHEAD");
  const int status = next(clock, time);
  if (status == 0 && clock == CLOCK_REALTIME) time->tv_sec += days * 24 * 3600;
  return status;
}

}  // extern "C"
