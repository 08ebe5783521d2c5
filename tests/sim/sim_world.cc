#include "tests/sim/sim_world.h"

namespace dirsync::sim {

class SimOutput : public FileOutput {
 public:
  SimOutput(SimDisk& disk, std::string path) : disk_(disk), path_(std::move(path)) {}
  Result<> Append(std::string_view bytes) override {
    disk_.files_[path_].bytes += bytes;
    return {};
  }
  Result<> Sync() override {
    disk_.files_[path_].synced = true;
    return {};
  }

 private:
  SimDisk& disk_;
  std::string path_;
};

Result<std::unique_ptr<ByteSource>> SimDisk::Open(const std::string& path) {
  auto file = files_.find(path);
  if (file == files_.end()) return Fail(ErrorCode::kNotFound, "opening " + path + ": no such file");
  return std::make_unique<MemorySource>(file->second.bytes);
}

Result<std::unique_ptr<FileOutput>> SimDisk::Create(const std::string& path) {
  files_[path] = {};
  return std::make_unique<SimOutput>(*this, path);
}

Result<> SimDisk::Rename(const std::string& from, const std::string& to) {
  auto file = files_.find(from);
  if (file == files_.end())
    return Fail(ErrorCode::kNotFound, "renaming " + from + ": no such file");
  files_[to] = std::move(file->second);
  files_.erase(from);
  return {};
}

Result<> SimDisk::Remove(const std::string& path) {
  files_.erase(path);
  return {};
}

bool SimDisk::Exists(const std::string& path) { return files_.contains(path); }

Result<std::vector<std::string>> SimDisk::ListBeginning(const std::string& path) {
  auto slash = path.rfind('/');
  std::size_t folder = slash == std::string::npos ? 0 : slash + 1;
  std::vector<std::string> names;
  for (auto& [name, file] : files_)
    if (name.starts_with(path)) names.push_back(name.substr(folder));
  return names;
}

std::map<std::string, std::string> SimDisk::Beginning(const std::string& prefix) const {
  std::map<std::string, std::string> found;
  for (auto& [name, file] : files_)
    if (name.starts_with(prefix)) found[name] = file.bytes;
  return found;
}

void SimDisk::Put(const std::string& path, std::string bytes) {
  files_[path] = {std::move(bytes), true};
}

void SimDisk::Crash(std::mt19937_64& random) {
  for (auto file = files_.begin(); file != files_.end();) {
    if (file->second.synced) {
      ++file;
      continue;
    }
    std::string& bytes = file->second.bytes;
    bytes.resize(bytes.empty() ? 0 : random() % (bytes.size() + 1));
    file->second.synced = true;
    file = random() % 2 == 0 ? files_.erase(file) : std::next(file);
  }
}

std::string SimWorld::Random(std::size_t count) {
  std::string bytes(count, '\0');
  for (char& byte : bytes) byte = static_cast<char>(random_());
  return bytes;
}

void SimWorld::Effect(std::string_view) {
  ++effects_;
  now_ += Duration(1);
  if (left_ != 0 && --left_ == 0) throw Death{};
}

}  // namespace dirsync::sim
