// Loaded into a real process before its libraries: a clock that is ahead, a disk that is slow.
//
//   DIRSYNC_DAYS_AHEAD=30   the wall clock is so many days ahead
//   DIRSYNC_SYNC_MS=2000    each sync of a file takes so long
//   DIRSYNC_SYNC_STUCK=PATH each sync of a file waits as long as PATH is there
#include <dlfcn.h>
#include <unistd.h>

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

void WaitForDisk() {
  static const long milliseconds = Number("DIRSYNC_SYNC_MS");
  static const char* const stuck = std::getenv("DIRSYNC_SYNC_STUCK");
  usleep(static_cast<useconds_t>(milliseconds) * 1000);
  while (stuck != nullptr && access(stuck, F_OK) == 0) usleep(10'000);
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

int fdatasync(int file) {
  static const auto next = Next<int (*)(int)>("fdatasync");
  WaitForDisk();
  return next(file);
}

int fsync(int file) {
  static const auto next = Next<int (*)(int)>("fsync");
  WaitForDisk();
  return next(file);
}

}  // extern "C"
