#include "proto/daemon/output_spool.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <climits>
#include <cstring>

#include "proto/base/bytes.h"

namespace dirsync {
namespace {

// What a pipe that is ready takes without waiting.
constexpr std::size_t kPieceBytes = PIPE_BUF;
constexpr std::size_t kHeaderBytes = 8;

Error SpoolError(std::string_view doing) {
  const int why = errno;
  return {why == ENOSPC || why == EDQUOT ? ErrorCode::kDiskFull : ErrorCode::kIo,
          std::string(doing) + ": " + std::strerror(why), ""};
}

int OpenNameless() {
  const char* folder = getenv("TMPDIR");
  return open(folder == nullptr ? "/tmp" : folder, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
}

}  // namespace

OutputSpool::~OutputSpool() {
  if (file_ >= 0) close(file_);
}

Result<> OutputSpool::Add(int descriptor, std::string_view text) {
  while (!text.empty()) {
    const std::string_view piece = text.substr(0, kPieceBytes);
    text.remove_prefix(piece.size());
    // Once the file holds something, everything goes behind it.
    if (written_ > read_ || bytes_ >= memory_max_) {
      DIRSYNC_CHECK(Spill(descriptor, piece));
    } else {
      pieces_.push_back({descriptor, std::string(piece)});
      bytes_ += piece.size();
    }
  }
  return {};
}

Result<> OutputSpool::Spill(int descriptor, std::string_view text) {
  if (file_ < 0) file_ = OpenNameless();
  if (file_ < 0) return std::unexpected(SpoolError("keeping output in a temporary file"));
  std::string row;
  RowWriter out(row);
  out.U32Big(static_cast<std::uint32_t>(descriptor));
  out.U32Big(static_cast<std::uint32_t>(text.size()));
  out.Raw(text);
  const ssize_t put = pwrite(file_, row.data(), row.size(), static_cast<off_t>(written_));
  if (put != static_cast<ssize_t>(row.size()))
    return std::unexpected(SpoolError("keeping output in a temporary file"));
  written_ += row.size();
  return {};
}

Result<> OutputSpool::Refill() {
  while (read_ < written_ && bytes_ < memory_max_) {
    std::string row(kHeaderBytes + kPieceBytes, '\0');
    const ssize_t got = pread(file_, row.data(), row.size(), static_cast<off_t>(read_));
    RowReader in(std::string_view(row).substr(0, got > 0 ? static_cast<std::size_t>(got) : 0));
    const int descriptor = static_cast<int>(in.U32Big());
    const std::string_view text = in.Raw(in.U32Big());
    if (!in.ok()) return std::unexpected(SpoolError("reading output from a temporary file"));
    pieces_.push_back({descriptor, std::string(text)});
    bytes_ += text.size();
    read_ += kHeaderBytes + text.size();
  }
  if (read_ == written_ && written_ > 0) {
    read_ = written_ = 0;
    if (ftruncate(file_, 0) != 0) return std::unexpected(SpoolError("emptying a temporary file"));
  }
  return {};
}

Result<> OutputSpool::WriteSome() {
  Piece& piece = pieces_.front();
  const ssize_t put = write(piece.descriptor, piece.text.data(), piece.text.size());
  if (put < 0) {
    if (errno == EINTR || errno == EAGAIN) return {};
    return std::unexpected(SpoolError("writing the output"));
  }
  bytes_ -= static_cast<std::size_t>(put);
  if (static_cast<std::size_t>(put) < piece.text.size()) {
    piece.text.erase(0, static_cast<std::size_t>(put));
    return {};
  }
  pieces_.pop_front();
  return pieces_.empty() ? Refill() : Result<>();
}

}  // namespace dirsync
