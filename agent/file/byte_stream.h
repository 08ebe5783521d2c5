// Where text comes from and goes to: files, memory, the simulator's disk.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <utility>

#include "proto/base/error.h"

namespace dirsync {

// Random access to unchanging bytes. Not thread-safe.
class ByteSource {
 public:
  virtual ~ByteSource() = default;
  virtual std::uint64_t size() const = 0;
  // Appends up to `count` bytes from `offset` to `out`; fewer only at the end. Errors: kIo.
  virtual Result<> Read(std::uint64_t offset, std::size_t count, std::string& out) = 0;
};

// Bytes held in memory.
class MemorySource : public ByteSource {
 public:
  explicit MemorySource(std::string bytes) : bytes_(std::move(bytes)) {}
  std::uint64_t size() const override { return bytes_.size(); }
  Result<> Read(std::uint64_t offset, std::size_t count, std::string& out) override {
    if (offset < bytes_.size()) out.append(bytes_, offset, count);
    return {};
  }

 private:
  std::string bytes_;
};

// Takes bytes in order; an error ends the writing.
using ByteSink = std::function<Result<>(std::string_view)>;

}  // namespace dirsync
