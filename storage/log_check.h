// What RocksDB's own reader lets pass: one flipped bit in the length or type of a log record looks
// like the end of the log to it, and every later row is gone without an error. This check reads a
// log (WAL or MANIFEST, the same format) before RocksDB does and tells a torn tail from damage.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace dirsync::storage {

struct LogScan {
  enum class End {
    kWhole,    // the log ends with a whole record
    kTorn,     // it ends within a record, as after a power cut, or pages that never reached the
               // disk do, and read as zeros: what follows `good_bytes` was never synced
    kDamaged,  // a record is not what was written
  };
  End end = End::kWhole;
  std::uint64_t good_bytes = 0;  // end of the last whole record
  std::string cause;             // of kDamaged: "checksum mismatch at offset 123"
};

// Reads a whole log: blocks of 32 KiB; records with CRC-32C, length, type. Pure. Finds any one
// flipped bit; bits that no reader looks at (padding at a block's end) do not count.
LogScan ScanLog(std::string_view log);

// CRC-32C (Castagnoli) of `bytes`, continued from `crc` (0 to begin).
std::uint32_t Crc32c(std::uint32_t crc, std::string_view bytes);

}  // namespace dirsync::storage
