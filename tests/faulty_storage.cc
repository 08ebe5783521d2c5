#include "tests/faulty_storage.h"

#include <utility>

namespace dirsync::tests {
namespace {

class BrokenCursor : public storage::Cursor {
 public:
  explicit BrokenCursor(ErrorCode code) : code_(code) {}
  bool Valid() const override { return false; }
  std::string_view Key() const override { return {}; }
  std::string_view Value() const override { return {}; }
  void Next() override {}
  void Seek(std::string_view) override {}
  Result<void> status() const override { return Fail(code_, "read store: injected fault"); }

 private:
  const ErrorCode code_;
};

}  // namespace

void FaultyStorage::FailCommit(std::size_t nth, ErrorCode code, AfterReopen rows) {
  commit_ = {nth, code};
  failed_rows_ = rows;
}

void FaultyStorage::FailSync(std::size_t nth, ErrorCode code) { sync_ = {nth, code}; }

void FaultyStorage::FailRead(std::size_t nth, ErrorCode code) { read_ = {nth, code}; }

void FaultyStorage::AtOperation(std::size_t nth, std::function<void()> callback) {
  callback_countdown_ = nth;
  callback_ = std::move(callback);
}

void FaultyStorage::Reopen() {
  commit_ = sync_ = read_ = {};
  callback_countdown_ = 0;
  callback_ = nullptr;
  closed_.reset();
  if (kept_) (void)base_.Commit(*std::exchange(kept_, std::nullopt));
}

void FaultyStorage::BeginOperation() {
  ++operations_;
  if (callback_countdown_ > 0 && --callback_countdown_ == 0) {
    // Moved out first: it may plan the next one.
    std::exchange(callback_, nullptr)();
  }
}

Result<void> FaultyStorage::CheckOpen() const {
  if (!closed_) return {};
  return Fail(closed_->code, "closed for writing after " + closed_->message);
}

std::unexpected<Error> FaultyStorage::Close(ErrorCode code, const std::string& operation) {
  closed_ = Error{code, operation + " store: injected fault", ""};
  return std::unexpected(*closed_);
}

Result<std::optional<std::string>> FaultyStorage::Get(std::string_view key) const {
  if (read_.Due()) return Fail(read_.code, "read store: injected fault");
  return base_.Get(key);
}

std::unique_ptr<storage::Cursor> FaultyStorage::Scan(std::string_view lower,
                                                     std::string_view upper) const {
  if (read_.Due()) return std::make_unique<BrokenCursor>(read_.code);
  return base_.Scan(lower, upper);
}

Result<void> FaultyStorage::Commit(storage::WriteBatch batch) {
  BeginOperation();
  ++commits_;
  DIRSYNC_CHECK(CheckOpen());
  if (!commit_.Due()) return base_.Commit(std::move(batch));
  if (failed_rows_ == AfterReopen::kKept) kept_ = std::move(batch);
  return Close(commit_.code, "write");
}

Result<void> FaultyStorage::Sync() {
  BeginOperation();
  ++syncs_;
  DIRSYNC_CHECK(CheckOpen());
  if (sync_.Due()) return Close(sync_.code, "sync");
  return base_.Sync();
}

std::shared_ptr<const storage::ReadView> FaultyStorage::Snapshot() const {
  return base_.Snapshot();
}

Result<void> FaultyStorage::Checkpoint(const std::string& path) {
  BeginOperation();
  DIRSYNC_CHECK(CheckOpen());
  return base_.Checkpoint(path);
}

}  // namespace dirsync::tests
