#include "agent/loop/exchange_folder.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>

#include "agent/service/posix_files.h"
#include "proto/base/limits.h"
#include "proto/base/text.h"

namespace dirsync {
namespace {

constexpr std::string_view kReasonSuffix = ".reason";

std::string In(const std::string& folder, const std::string& name) { return folder + "/" + name; }

// Hidden names are of programs that write beside and rename; ".part" is ours.
bool IsName(std::string_view name) {
  return !name.empty() && name.front() != '.' && name.size() <= limits::kFileNameBytes &&
         name.find('/') == std::string_view::npos && !name.ends_with(".part");
}

Result<> MakeFolder(const std::string& path, mode_t mode) {
  if (mkdir(path.c_str(), mode) == 0 || errno == EEXIST) return {};
  return std::unexpected(FileError("making folder", path, errno));
}

// Regular files with one name, sorted.
Result<std::vector<std::string>> RegularFiles(const std::string& folder) {
  DIR* open_folder = opendir(folder.c_str());
  if (open_folder == nullptr) return std::unexpected(FileError("reading folder", folder, errno));
  std::vector<std::string> names;
  while (const dirent* entry = readdir(open_folder)) {
    struct stat info{};
    const std::string name = entry->d_name;
    if (!IsName(name)) continue;
    if (fstatat(dirfd(open_folder), name.c_str(), &info, AT_SYMLINK_NOFOLLOW) == 0 &&
        S_ISREG(info.st_mode))
      names.push_back(name);
  }
  closedir(open_folder);
  std::ranges::sort(names);
  return names;
}

Result<> SyncFolder(const std::string& folder) {
  const int descriptor = open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  const bool synced = descriptor >= 0 && fsync(descriptor) == 0;
  const int why = errno;
  if (descriptor >= 0) close(descriptor);
  if (synced) return {};
  return std::unexpected(FileError("syncing folder", folder, why));
}

}  // namespace

Result<std::unique_ptr<ExchangeFolder>> ExchangeFolder::Open(const std::string& in) {
  std::unique_ptr<ExchangeFolder> folder(new ExchangeFolder(in));
  DIRSYNC_CHECK(MakeFolder(in, 0750));
  for (const char* part : {"/waiting", "/done", "/bad"}) DIRSYNC_CHECK(MakeFolder(in + part, 0700));
  folder->watch_ = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
  if (folder->watch_ >= 0 &&
      inotify_add_watch(folder->watch_, in.c_str(), IN_CLOSE_WRITE | IN_MOVED_TO) < 0) {
    close(folder->watch_);
    folder->watch_ = -1;
  }
  return folder;
}

ExchangeFolder::~ExchangeFolder() {
  if (watch_ >= 0) close(watch_);
}

Result<bool> ExchangeFolder::TakeArrived(Clock::time_point now) {
  // What happened is seen in the folder itself; the events only wake.
  std::array<char, 4096> events;
  while (watch_ >= 0 && read(watch_, events.data(), events.size()) > 0) {
  }
  DIRSYNC_TRY(names, RegularFiles(in_));
  if (names.empty()) return false;
  DIRSYNC_TRY(waiting, ListWaiting(now));
  std::size_t room = limits::kCarriedFiles - std::min(waiting.size(), limits::kCarriedFiles);
  bool any = false;
  for (const std::string& name : names) {
    if (room-- == 0) break;
    DIRSYNC_CHECK(Move(in_ + "/" + name, in_ + "/waiting", name, nullptr));
    any = true;
  }
  if (any) DIRSYNC_CHECK(SyncFolder(in_ + "/waiting"));
  return any;
}

// Never over another file of that name: two senders may use it.
Result<> ExchangeFolder::Move(const std::string& from, const std::string& to_folder,
                              const std::string& name, std::string* moved) {
  std::string to = In(to_folder, name);
  for (std::uint64_t number = 2;
       renameat2(AT_FDCWD, from.c_str(), AT_FDCWD, to.c_str(), RENAME_NOREPLACE) != 0; ++number) {
    if (errno != EEXIST) return std::unexpected(FileError("moving", from, errno));
    to = In(to_folder, name).append("~").append(std::to_string(number));
  }
  if (moved != nullptr) *moved = to;
  return {};
}

Result<std::vector<ExchangeFolder::Waiting>> ExchangeFolder::ListWaiting(Clock::time_point now) {
  const std::string folder = in_ + "/waiting";
  DIRSYNC_TRY(names, RegularFiles(folder));
  std::map<std::string, Seen> seen;
  std::vector<Waiting> waiting;
  for (const std::string& name : names) {
    const std::string path = In(folder, name);
    struct stat info{};
    if (lstat(path.c_str(), &info) != 0) continue;
    Seen current{info.st_ino, info.st_size,
                 info.st_mtim.tv_sec * 1'000'000'000 + info.st_mtim.tv_nsec, now};
    if (const auto before = seen_.find(name);
        before != seen_.end() && before->second.inode == current.inode &&
        before->second.bytes == current.bytes && before->second.changed_ns == current.changed_ns)
      current.since = before->second.since;
    const bool settled = now - current.since >= std::chrono::seconds(limits::kSettleSeconds);
    waiting.push_back({path, name, settled});
    seen.emplace(name, current);
  }
  seen_ = std::move(seen);
  return waiting;
}

Result<> ExchangeFolder::MoveToDone(const Waiting& file) {
  DIRSYNC_CHECK(Move(file.path, in_ + "/done", file.name, nullptr));
  PruneDone();
  return SyncFolder(in_ + "/done");
}

Result<> ExchangeFolder::MoveToBad(const Waiting& file, const Error& error) {
  std::string moved;
  DIRSYNC_CHECK(Move(file.path, in_ + "/bad", file.name, &moved));
  DIRSYNC_CHECK(WriteSmallFile(moved + std::string(kReasonSuffix), error.ToString() + "\n", 0640));
  return SyncFolder(in_ + "/bad");
}

// They are kept for people: losing one of them harms nothing.
void ExchangeFolder::PruneDone() {
  const std::string folder = in_ + "/done/";
  auto names = RegularFiles(folder);
  if (!names || names->size() <= limits::kDoneFiles) return;
  const auto changed = [&](const std::string& name) {
    struct stat info{};
    return lstat((folder + name).c_str(), &info) == 0 ? info.st_ctim.tv_sec : 0;
  };
  std::vector<std::pair<time_t, std::string>> by_age;
  for (const std::string& name : *names) by_age.emplace_back(changed(name), name);
  std::ranges::sort(by_age);
  for (std::size_t i = 0; i + limits::kDoneFiles < by_age.size(); ++i)
    unlink((folder + by_age[i].second).c_str());
}

}  // namespace dirsync
