#include <gtest/gtest.h>

#include <algorithm>
#include <bit>
#include <random>
#include <string>
#include <vector>

#include "storage/log_check.h"

namespace dirsync::storage {
namespace {

using End = LogScan::End;

// Writes a log as RocksDB does.
class LogWriter {
 public:
  void Add(const std::string& record) {
    std::size_t done = 0;
    bool first = true;
    do {
      std::size_t left = 32768 - log_.size() % 32768;
      if (left < 7) {
        log_.append(left, '\0');
        left = 32768;
      }
      std::size_t part = std::min(left - 7, record.size() - done);
      bool last = done + part == record.size();
      Fragment(first ? (last ? 1 : 2) : (last ? 4 : 3), record.substr(done, part));
      done += part;
      first = false;
    } while (done < record.size());
    ends_.push_back(log_.size());
  }
  const std::string& log() const { return log_; }
  // Where each record ends.
  const std::vector<std::size_t>& ends() const { return ends_; }

 private:
  void Fragment(char type, const std::string& payload) {
    std::string body = type + payload;
    std::uint32_t crc = std::rotr(Crc32c(0, body), 15) + 0xa282ead8u;
    for (int i = 0; i < 4; ++i) log_.push_back(static_cast<char>(crc >> (8 * i)));
    log_.push_back(static_cast<char>(payload.size()));
    log_.push_back(static_cast<char>(payload.size() >> 8));
    log_ += body;
  }
  std::string log_;
  std::vector<std::size_t> ends_;
};

std::string Noise(std::size_t size, unsigned seed) {
  std::mt19937 random(seed);
  std::string bytes(size, '\0');
  for (char& byte : bytes) byte = static_cast<char>(random());
  return bytes;
}

TEST(Crc32c, IsCastagnolis) {
  EXPECT_EQ(Crc32c(0, "123456789"), 0xe3069283u);
  EXPECT_EQ(Crc32c(Crc32c(0, "1234"), "56789"), 0xe3069283u);
  EXPECT_EQ(Crc32c(0, std::string(32, '\0')), 0x8a9136aau);
  EXPECT_EQ(Crc32c(0, ""), 0u);
}

TEST(LogCheck, AnEmptyLogIsWhole) {
  EXPECT_EQ(ScanLog("").end, End::kWhole);
  EXPECT_EQ(ScanLog("").good_bytes, 0u);
}

TEST(LogCheck, RecordsOverBlocksAreWhole) {
  LogWriter writer;
  for (std::size_t size : {0, 1, 32754, 32755, 7, 100000, 3, 65536, 40000}) {
    writer.Add(Noise(size, static_cast<unsigned>(size)));
    LogScan scan = ScanLog(writer.log());
    EXPECT_EQ(scan.end, End::kWhole) << scan.cause;
    EXPECT_EQ(scan.good_bytes, writer.log().size());
  }
}

TEST(LogCheck, EveryFlippedBitIsDamage) {
  LogWriter writer;
  for (unsigned i = 0; i < 6; ++i) writer.Add(Noise(20 + 9 * i, i));
  for (std::size_t bit = 0; bit < writer.log().size() * 8; ++bit) {
    std::string log = writer.log();
    log[bit / 8] = static_cast<char>(log[bit / 8] ^ (1 << (bit % 8)));
    LogScan scan = ScanLog(log);
    EXPECT_EQ(scan.end, End::kDamaged) << bit;
    EXPECT_FALSE(scan.cause.empty());
  }
}

TEST(LogCheck, EveryFlippedBitOfALongLogIsDamage) {
  LogWriter writer;
  for (unsigned i = 0; i < 9; ++i) writer.Add(Noise(13000, i));
  std::mt19937 random(5);
  for (int i = 0; i < 500; ++i) {
    std::string log = writer.log();
    std::size_t bit = random() % (log.size() * 8);
    log[bit / 8] = static_cast<char>(log[bit / 8] ^ (1 << (bit % 8)));
    EXPECT_EQ(ScanLog(log).end, End::kDamaged) << bit;
  }
}

TEST(LogCheck, EveryCutIsATornTailAfterTheLastWholeRecord) {
  LogWriter writer;
  for (unsigned i = 0; i < 5; ++i) writer.Add(Noise(30 + i, i));
  for (std::size_t size = 0; size <= writer.log().size(); ++size) {
    std::size_t good = 0;
    for (std::size_t end : writer.ends()) good = end <= size ? end : good;
    LogScan scan = ScanLog(std::string_view(writer.log()).substr(0, size));
    EXPECT_EQ(scan.end, good == size ? End::kWhole : End::kTorn) << size;
    EXPECT_EQ(scan.good_bytes, good);
  }
}

TEST(LogCheck, ARecordWithoutItsLastFragmentIsTorn) {
  LogWriter writer;
  writer.Add("first");
  writer.Add(Noise(100000, 1));
  LogScan scan = ScanLog(std::string_view(writer.log()).substr(0, 65536));
  EXPECT_EQ(scan.end, End::kTorn);
  EXPECT_EQ(scan.good_bytes, writer.ends()[0]);
}

TEST(LogCheck, ZerosAreTornOnlyAtTheEnd) {
  LogWriter writer;
  writer.Add("first");
  std::string log = writer.log() + std::string(70000, '\0');
  EXPECT_EQ(ScanLog(log).end, End::kTorn);
  EXPECT_EQ(ScanLog(log).good_bytes, writer.log().size());
  log.back() = 1;
  EXPECT_EQ(ScanLog(log).end, End::kDamaged);
}

// `log` with zeros from there on.
std::string ZeroedFrom(std::size_t offset, std::string log) {
  std::fill(log.begin() + static_cast<std::ptrdiff_t>(offset), log.end(), '\0');
  return log;
}

TEST(LogCheck, ARecordThatRunsIntoPagesOfZerosIsTorn) {
  for (std::size_t size : {3000, 100000}) {
    LogWriter writer;
    writer.Add(Noise(501, 1));  // the next header goes over the end of a sector
    writer.Add(Noise(size, 2));
    for (std::size_t from = 512; from < writer.log().size(); from += 512) {
      const LogScan scan = ScanLog(ZeroedFrom(from, writer.log()));
      EXPECT_EQ(scan.end, End::kTorn) << from << " " << scan.cause;
      EXPECT_EQ(scan.good_bytes, writer.ends()[0]);
    }
  }
}

TEST(LogCheck, BeforePagesOfZeros_EveryFlippedBitIsDamage) {
  LogWriter writer;
  for (std::size_t size : {100, 200, 3000}) writer.Add(Noise(size, static_cast<unsigned>(size)));
  const std::string cut = ZeroedFrom(1024, writer.log());
  for (std::size_t bit = 0; bit < writer.ends()[1] * 8; ++bit) {
    std::string log = cut;
    log[bit / 8] = static_cast<char>(log[bit / 8] ^ (1 << (bit % 8)));
    EXPECT_EQ(ScanLog(log).end, End::kDamaged) << bit;
  }
}

TEST(LogCheck, OfARecordThatEndsInZerosOfItsOwn_EveryFlippedBitIsDamage) {
  LogWriter writer;
  writer.Add("first");
  writer.Add(Noise(300, 1) + std::string(1500, '\0'));
  EXPECT_EQ(ScanLog(writer.log()).end, End::kWhole);
  for (std::size_t bit = 0; bit < writer.log().size() * 8; ++bit) {
    std::string log = writer.log();
    log[bit / 8] = static_cast<char>(log[bit / 8] ^ (1 << (bit % 8)));
    EXPECT_EQ(ScanLog(log).end, End::kDamaged) << bit;
  }
}

TEST(LogCheck, NoiseIsNeverWhole) {
  for (unsigned seed = 0; seed < 200; ++seed) {
    EXPECT_NE(ScanLog(Noise(1 + seed * 37, seed)).end, End::kWhole);
  }
}

}  // namespace
}  // namespace dirsync::storage
