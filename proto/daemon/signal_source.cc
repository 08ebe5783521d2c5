#include "proto/daemon/signal_source.h"

#include <sys/signalfd.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstring>

namespace dirsync {

Result<std::unique_ptr<SignalSource>> SignalSource::Of(std::initializer_list<int> signals) {
  sigset_t set;
  sigemptyset(&set);
  for (const int signal : signals) sigaddset(&set, signal);
  const int descriptor = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
  if (descriptor < 0)
    return Fail(ErrorCode::kIo, std::string("taking signals: ") + std::strerror(errno));
  pthread_sigmask(SIG_BLOCK, &set, nullptr);
  return std::unique_ptr<SignalSource>(new SignalSource(descriptor));
}

SignalSource::~SignalSource() { close(descriptor_); }

std::optional<int> SignalSource::Take() {
  signalfd_siginfo info{};
  if (read(descriptor_, &info, sizeof info) != sizeof info) return std::nullopt;
  return static_cast<int>(info.ssi_signo);
}

}  // namespace dirsync
