#include "broker/page/reception.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <chrono>
#include <mutex>
#include <string_view>
#include <thread>
#include <vector>

namespace dirsync {
namespace {

using Clock = std::chrono::steady_clock;

struct Guest {
  int socket = -1;
  Clock::time_point until;
  std::string head;
};

enum class Progress { kWaits, kComplete, kTooLong, kGone };

// What has come by now, without waiting.
Progress ReadHead(Guest& guest, std::size_t bytes_max) {
  std::array<char, 4096> buffer;
  for (;;) {
    const ssize_t n = recv(guest.socket, buffer.data(), buffer.size(), MSG_DONTWAIT);
    if (n == 0) return Progress::kGone;
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return errno == EAGAIN || errno == EWOULDBLOCK ? Progress::kWaits : Progress::kGone;
    guest.head.append(buffer.data(), static_cast<std::size_t>(n));
    if (guest.head.find("\r\n\r\n") != std::string::npos) return Progress::kComplete;
    if (guest.head.size() > bytes_max) return Progress::kTooLong;
  }
}

void Dismiss(int socket, std::string_view status) {
  const std::string text =
      "HTTP/1.1 " + std::string(status) + "\r\nConnection: close\r\nContent-Length: 0\r\n\r\n";
  if (!status.empty())
    static_cast<void>(!send(socket, text.data(), text.size(), MSG_DONTWAIT | MSG_NOSIGNAL));
  close(socket);
}

}  // namespace

struct Reception::State {
  ReceptionLimits limits;
  Ready ready;
  std::array<int, 2> wake = {-1, -1};
  std::atomic<bool> stop = false;
  std::atomic<std::size_t> open = 0;  // waiting here, or with `ready`
  std::mutex mutex;
  std::vector<int> arrived;  // guarded by mutex
  std::vector<Guest> guests;
  std::thread thread;

  void Wake() {
    const char byte = 0;
    static_cast<void>(!write(wake[1], &byte, 1));
  }
  void Drop(Guest& guest, std::string_view status) {
    Dismiss(guest.socket, status);
    guest.socket = -1;
    --open;
  }
  void TakeArrived() {
    const std::lock_guard lock(mutex);
    for (int socket : arrived)
      guests.push_back({socket, Clock::now() + std::chrono::seconds(limits.head_seconds), {}});
    arrived.clear();
  }
  void Look(Guest& guest, bool readable) {
    if (readable) {
      switch (ReadHead(guest, limits.head_bytes)) {
        case Progress::kComplete:
          ready(guest.socket, std::move(guest.head));
          guest.socket = -1;
          return;
        case Progress::kTooLong:
          return Drop(guest, "431 Request Header Fields Too Large");
        case Progress::kGone:
          return Drop(guest, "");
        case Progress::kWaits:
          break;
      }
    }
    if (Clock::now() >= guest.until) Drop(guest, "408 Request Timeout");
  }
  void Run() {
    constexpr int kLookEvery = 250;  // milliseconds: how exact the time limit is
    while (!stop) {
      TakeArrived();
      std::vector<pollfd> polled = {{wake[0], POLLIN, 0}};
      for (const Guest& guest : guests) polled.push_back({guest.socket, POLLIN, 0});
      static_cast<void>(poll(polled.data(), polled.size(), guests.empty() ? -1 : kLookEvery));
      std::array<char, 256> drained;
      if (polled[0].revents != 0) static_cast<void>(!read(wake[0], drained.data(), drained.size()));
      for (std::size_t i = 0; i < guests.size(); ++i) Look(guests[i], polled[i + 1].revents != 0);
      std::erase_if(guests, [](const Guest& guest) { return guest.socket < 0; });
    }
    TakeArrived();
    for (Guest& guest : guests) Drop(guest, "");
  }
};

Reception::Reception(std::unique_ptr<State> state) : state_(std::move(state)) {}
Reception::~Reception() {
  Stop();
  for (int end : state_->wake) close(end);
}

Result<std::unique_ptr<Reception>> Reception::Start(const ReceptionLimits& limits, Ready ready) {
  auto state = std::make_unique<State>();
  state->limits = limits;
  state->ready = std::move(ready);
  if (pipe2(state->wake.data(), O_CLOEXEC | O_NONBLOCK) != 0)
    return Fail(ErrorCode::kIo, "starting the page: no pipe can be opened");
  State* running = state.get();
  state->thread = std::thread([running] { running->Run(); });
  return std::unique_ptr<Reception>(new Reception(std::move(state)));
}

void Reception::Add(int socket) {
  if (state_->stop || state_->open.fetch_add(1) >= state_->limits.connections) {
    if (!state_->stop) --state_->open;
    return Dismiss(socket, "503 Service Unavailable");
  }
  {
    const std::lock_guard lock(state_->mutex);
    state_->arrived.push_back(socket);
  }
  state_->Wake();
}

void Reception::Left() { --state_->open; }

void Reception::Stop() {
  state_->stop = true;
  state_->Wake();
  if (state_->thread.joinable()) state_->thread.join();
}

}  // namespace dirsync
