#include "agent/service/file_write.h"

#include "agent/service/file_outbox.h"

namespace dirsync {

Result<std::unique_ptr<FileWrite>> FileWrite::Begin(Store& store, const std::string& path,
                                                    FileHeader header) {
  std::unique_ptr<FileWrite> write(new FileWrite);
  write->world_ = &store.world();
  DIRSYNC_CHECK(store.world().files().CheckPlace(path));
  write->world_->Effect("create");
  DIRSYNC_TRY(output, store.world().files().Create(PartPath(path)));
  write->output_ = std::move(output);
  FileOutput* sink = write->output_.get();
  header.signer = store.key().public_key();
  write->writer_ = std::make_unique<SyncFileWriter>(
      std::move(header), store.key(),
      [sink](std::string_view bytes) { return sink->Append(bytes); });
  return write;
}

Result<FileTrailer> FileWrite::Close(const RowSum& sum, std::uint64_t rows) {
  DIRSYNC_TRY(trailer, writer_->Finish(sum, rows));
  world_->Effect("file-sync");
  DIRSYNC_CHECK(output_->Sync());
  world_->Effect("file-synced");
  return trailer;
}

}  // namespace dirsync
