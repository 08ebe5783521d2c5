#include "agent/file/whole_file.h"

namespace dirsync {
namespace {

Result<> Fill(FileSystem& files, const std::string& path,
              const std::function<Result<>(FileOutput& file)>& write) {
  DIRSYNC_TRY(file, files.Create(path));
  DIRSYNC_CHECK(write(*file));
  return file->Sync();
}

}  // namespace

Result<> WriteWholeFile(FileSystem& files, const std::string& path,
                        const std::function<Result<>(FileOutput& file)>& write) {
  const std::string beside = path + ".tmp";
  Result<> done = Fill(files, beside, write);
  if (done) done = files.Rename(beside, path);
  // The first error is the one to tell.
  if (!done) static_cast<void>(files.Remove(beside));
  return done;
}

}  // namespace dirsync
