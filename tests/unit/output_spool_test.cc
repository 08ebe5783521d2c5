#include "proto/daemon/output_spool.h"

#include <gmock/gmock.h>
#include <unistd.h>

#include <array>

namespace dirsync {
namespace {

// Two pipes, and everything that came out of them in the order of writing.
class OutputSpoolTest : public testing::Test {
 protected:
  void SetUp() override {
    ASSERT_EQ(pipe(first_.data()), 0);
    ASSERT_EQ(pipe(second_.data()), 0);
  }
  void TearDown() override {
    for (const int descriptor : {first_[0], first_[1], second_[0], second_[1]}) close(descriptor);
  }
  std::string Drain(OutputSpool& spool) {
    std::string all;
    while (!spool.empty()) {
      const int from = spool.descriptor() == first_[1] ? first_[0] : second_[0];
      EXPECT_TRUE(spool.WriteSome());
      std::array<char, 8192> buffer;
      const ssize_t got = read(from, buffer.data(), buffer.size());
      if (got > 0) all.append(buffer.data(), static_cast<std::size_t>(got));
    }
    return all;
  }
  std::array<int, 2> first_{};
  std::array<int, 2> second_{};
};

TEST_F(OutputSpoolTest, BeyondItsMemoryOrderAndBytesAreKept) {
  OutputSpool spool(10'000);
  std::string wanted;
  for (int round = 0; round < 2; ++round) {
    wanted.clear();
    for (int i = 0; i < 300; ++i) {
      const std::string text = std::to_string(i) + std::string(static_cast<std::size_t>(i), 'x');
      ASSERT_TRUE(spool.Add(i % 3 == 0 ? second_[1] : first_[1], text));
      wanted += text;
    }
    const std::string large(20'000, 'y');
    ASSERT_TRUE(spool.Add(first_[1], large));
    wanted += large;
    EXPECT_EQ(Drain(spool), wanted);
  }
}

TEST_F(OutputSpoolTest, ADescriptorThatFailsIsAnError) {
  OutputSpool spool(100);
  ASSERT_TRUE(spool.Add(-1, "text"));
  EXPECT_EQ(spool.WriteSome().error().code, ErrorCode::kIo);
}

}  // namespace
}  // namespace dirsync
