#include "tests/scenario/agents.h"

#include <fcntl.h>
#include <poll.h>
#include <spawn.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <filesystem>
#include <vector>

namespace dirsync::scenario {
namespace {

namespace fs = std::filesystem;
using Clock = std::chrono::steady_clock;

constexpr auto kPatience = std::chrono::seconds(20);

ino_t FolderNumber(const std::string& path) {
  struct stat info{};
  return stat(path.c_str(), &info) == 0 ? info.st_ino : 0;
}

bool IsFinishedStore(const fs::path& folder) {
  return fs::exists(folder / "db" / "CURRENT") && fs::exists(folder / "keys" / "site.key");
}

// A copied store has a socket file that nobody serves.
bool Serves(const std::string& store) {
  const std::string path = store + "/control.sock";
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  path.copy(address.sun_path, sizeof address.sun_path - 1);
  const int descriptor = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const bool serves =
      connect(descriptor, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0;
  close(descriptor);
  return serves;
}

std::vector<std::string> StoresBelow(const std::string& folder) {
  std::vector<std::string> stores;
  std::error_code error;
  const auto skip = fs::directory_options::skip_permission_denied;
  for (fs::recursive_directory_iterator i(folder, skip, error), end; !error && i != end;
       i.increment(error))
    if (i->is_directory(error) && !i->path().filename().string().contains("backup") &&
        IsFinishedStore(i->path()))
      stores.push_back(i->path().string());
  return stores;
}

}  // namespace

bool Agents::Follow(const std::string& folder) {
  bool well = true;
  std::erase_if(agents_, [&](const auto& known) {
    const bool gone = FolderNumber(known.first) != known.second.store;
    if (gone) static_cast<void>(End(known.second));
    return gone;
  });
  for (const std::string& store : StoresBelow(folder))
    if (!agents_.contains(store)) well = Start(store) && well;
  return well;
}

bool Agents::Start(const std::string& store) {
  const std::string log = logs_ + "/agent" + std::to_string(++started_);
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
  posix_spawn_file_actions_addopen(&actions, 1, log.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0600);
  posix_spawn_file_actions_adddup2(&actions, 1, 2);
  std::string words[] = {dirsync_, "--store", store, "agent", "run"};
  char* argv[] = {words[0].data(), words[1].data(), words[2].data(),
                  words[3].data(), words[4].data(), nullptr};
  pid_t process = 0;
  const int failed = posix_spawn(&process, argv[0], &actions, nullptr, argv, environ);
  posix_spawn_file_actions_destroy(&actions);
  if (failed != 0) return false;
  agents_[store] = {process, FolderNumber(store)};
  const auto deadline = Clock::now() + kPatience;
  while (!Serves(store)) {
    if (Clock::now() > deadline || waitpid(process, nullptr, WNOHANG) == process) return false;
    poll(nullptr, 0, 5);
  }
  return true;
}

bool Agents::End(const Agent& agent) {
  kill(agent.process, SIGTERM);
  int status = 0;
  return waitpid(agent.process, &status, 0) == agent.process && WIFEXITED(status) &&
         WEXITSTATUS(status) == 0;
}

bool Agents::Stop() {
  bool well = true;
  for (const auto& [store, agent] : agents_) well = End(agent) && well;
  agents_.clear();
  return well;
}

}  // namespace dirsync::scenario
