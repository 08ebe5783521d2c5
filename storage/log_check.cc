#include "storage/log_check.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cstddef>
#include <cstring>
#include <optional>
#include <string>

namespace dirsync::storage {
namespace {

constexpr std::size_t kBlockBytes = 32768;
constexpr std::size_t kSectorBytes = 512;  // no part of one reaches the disk without the rest
constexpr std::size_t kHeaderBytes = 7;    // CRC (4, little-endian, masked), length (2), type (1)

// Fragments of one record; other types carry no rows of ours.
enum Type : std::uint8_t { kZero = 0, kFull = 1, kFirst = 2, kMiddle = 3, kLast = 4 };

constexpr std::array<std::array<std::uint32_t, 256>, 8> MakeTables() {
  std::array<std::array<std::uint32_t, 256>, 8> tables{};
  for (std::uint32_t i = 0; i < 256; ++i) {
    std::uint32_t crc = i;
    for (int bit = 0; bit < 8; ++bit) crc = (crc >> 1) ^ ((crc & 1) != 0 ? 0x82f63b78u : 0u);
    tables[0][i] = crc;
  }
  for (std::size_t t = 1; t < 8; ++t) {
    for (std::size_t i = 0; i < 256; ++i) {
      std::uint32_t previous = tables[t - 1][i];
      tables[t][i] = (previous >> 8) ^ tables[0][previous & 0xff];
    }
  }
  return tables;
}

constexpr auto kTables = MakeTables();

std::uint32_t Little32(const char* p) {
  const auto* b = reinterpret_cast<const unsigned char*>(p);
  return b[0] | (std::uint32_t{b[1]} << 8) | (std::uint32_t{b[2]} << 16) |
         (std::uint32_t{b[3]} << 24);
}

constexpr std::uint32_t kMask = 0xa282ead8u;

std::uint32_t Masked(std::uint32_t crc) { return std::rotr(crc, 15) + kMask; }

// Whether the record at the front of `bytes` has its checksum right when it is `length` long.
bool ChecksumHolds(std::string_view bytes, std::size_t length) {
  if (kHeaderBytes + length > bytes.size()) return false;
  return Little32(bytes.data()) == Masked(Crc32c(0, bytes.substr(6, 1 + length)));
}

// A record that claims more than there is: torn off, or whole with a damaged length?
bool LengthIsDamaged(std::string_view rest, std::size_t claimed) {
  if (ChecksumHolds(rest, rest.size() - kHeaderBytes)) return true;
  for (int bit = 0; bit < 16; ++bit) {
    if (ChecksumHolds(rest, claimed ^ (std::size_t{1} << bit))) return true;
  }
  return false;
}

// Whether one flipped bit, in the checksum or behind the length, makes the record at the front of
// `bytes` what it is. What a flipped bit does to a checksum depends on its place alone.
bool OneBitIsFlipped(std::string_view bytes, std::size_t length) {
  const std::uint32_t stored = Little32(bytes.data());
  const std::uint32_t found = Crc32c(0, bytes.substr(6, 1 + length));
  if (std::has_single_bit(stored ^ Masked(found))) return true;
  const std::uint32_t difference = std::rotl(stored - kMask, 15) ^ found;
  for (int bit = 0; bit < 8; ++bit) {
    std::uint32_t effect = kTables[0][std::size_t{1} << bit];
    for (std::size_t behind = 0; behind <= length; ++behind) {
      if (effect == difference) return true;
      effect = (effect >> 8) ^ kTables[0][effect & 0xff];
    }
  }
  return false;
}

class Scanner {
 public:
  explicit Scanner(std::string_view log) : log_(log), zeros_(log.find_last_not_of('\0') + 1) {}

  LogScan Run() {
    while (offset_ < log_.size()) {
      std::size_t block_left = kBlockBytes - offset_ % kBlockBytes;
      if (block_left < kHeaderBytes) {  // padding
        offset_ += block_left;
        continue;
      }
      std::size_t file_left = log_.size() - offset_;
      if (file_left < kHeaderBytes) return Torn();
      if (auto end = Record(log_.substr(offset_, std::min(block_left, file_left)), block_left)) {
        return *end;
      }
    }
    return in_record_ ? Torn() : scan_;
  }

 private:
  // The record at the front of `block`, what the file has of the `block_left` bytes to the next
  // block; a value when the log ends here.
  std::optional<LogScan> Record(std::string_view block, std::size_t block_left) {
    const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(block[i]); };
    std::size_t length = byte(4) | (std::size_t{byte(5)} << 8);
    // No record crosses into the next block, and only the last block can be short.
    if (kHeaderBytes + length > block_left) return Damaged("wrong record length");
    if (kHeaderBytes + length > block.size()) {
      return LengthIsDamaged(block, length) ? Damaged("wrong record length") : Torn();
    }
    if (!ChecksumHolds(block, length))
      return IsUnwritten(block, length) ? Torn() : Damaged("checksum mismatch");
    Type type = static_cast<Type>(byte(6));
    bool continues = type == kMiddle || type == kLast;
    if (type >= kFull && type <= kLast && continues != in_record_) {
      return Damaged("fragment out of order");
    }
    in_record_ = type == kFirst || type == kMiddle;
    offset_ += kHeaderBytes + length;
    if (!in_record_) scan_.good_bytes = offset_;
    return std::nullopt;
  }

  // Whether the record reaches into the pages at the end that never reached the disk, which read as
  // zeros. One that ends in zeros of its own is told from it by one bit that accounts for it all.
  bool IsUnwritten(std::string_view block, std::size_t length) const {
    if (offset_ >= zeros_) return true;
    const std::size_t written = (zeros_ + kSectorBytes - 1) / kSectorBytes * kSectorBytes;
    if (offset_ + kHeaderBytes + length <= written) return false;
    return !LengthIsDamaged(block, length) && !OneBitIsFlipped(block, length);
  }

  LogScan Torn() {
    scan_.end = LogScan::End::kTorn;
    return scan_;
  }
  LogScan Damaged(std::string_view what) {
    scan_.end = LogScan::End::kDamaged;
    scan_.cause = std::string(what) + " at offset " + std::to_string(offset_);
    return scan_;
  }

  const std::string_view log_;
  const std::size_t zeros_;  // where those begin that the log ends in
  std::size_t offset_ = 0;
  bool in_record_ = false;  // between the first and the last fragment of a record
  LogScan scan_;
};

}  // namespace

std::uint32_t Crc32c(std::uint32_t crc, std::string_view bytes) {
  crc = ~crc;
  const char* p = bytes.data();
  std::size_t left = bytes.size();
  for (; left >= 8; p += 8, left -= 8) {
    std::uint32_t low = crc ^ Little32(p);
    std::uint32_t high = Little32(p + 4);
    crc = kTables[7][low & 0xff] ^ kTables[6][(low >> 8) & 0xff] ^ kTables[5][(low >> 16) & 0xff] ^
          kTables[4][low >> 24] ^ kTables[3][high & 0xff] ^ kTables[2][(high >> 8) & 0xff] ^
          kTables[1][(high >> 16) & 0xff] ^ kTables[0][high >> 24];
  }
  for (; left > 0; ++p, --left) {
    crc = (crc >> 8) ^ kTables[0][(crc ^ static_cast<unsigned char>(*p)) & 0xff];
  }
  return ~crc;
}

LogScan ScanLog(std::string_view log) { return Scanner(log).Run(); }

}  // namespace dirsync::storage
