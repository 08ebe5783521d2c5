// Writing to readers that do not read.
#include "proto/daemon/line_writer.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <csignal>
#include <string>
#include <thread>

namespace dirsync {
namespace {

// More than a pipe or a socket holds.
const std::string kMuch(8 << 20, 'x');

class LineWriterTest : public testing::Test {
 protected:
  LineWriterTest() {
    std::signal(SIGPIPE, SIG_IGN);
    alarm(60);  // a writer that waits for ever is the failure looked for
  }
  ~LineWriterTest() override { alarm(0); }

  // Opens a way to a reader: {reading, writing}.
  static std::array<int, 2> Way(bool socket) {
    std::array<int, 2> ends{};
    const int made = socket ? socketpair(AF_UNIX, SOCK_STREAM, 0, ends.data()) : pipe(ends.data());
    EXPECT_EQ(made, 0);
    return ends;
  }
};

TEST_F(LineWriterTest, NobodyReads_ItGivesUpWhenToldTo_AndTheModeOfTheDescriptorStays) {
  for (const bool socket : {false, true}) {
    const auto [reading, writing] = Way(socket);
    {
      LineWriter writer(writing);
      writer.GiveUpAfter(std::chrono::milliseconds(50));
      EXPECT_FALSE(writer.Write(kMuch));
      EXPECT_FALSE(writer.Write("and more"));
      EXPECT_EQ(fcntl(writing, F_GETFL) & O_NONBLOCK, 0);
    }
    EXPECT_NE(fcntl(writing, F_GETFD), -1) << "it is the caller's";
    close(reading);
    close(writing);
  }
}

TEST_F(LineWriterTest, GivingUpIsHeardByAWriteThatWaits) {
  const auto [reading, writing] = Way(false);
  LineWriter writer(writing);
  bool whole = true;
  std::thread waits([&] { whole = writer.Write(kMuch); });
  writer.GiveUpAfter(std::chrono::milliseconds(50));
  waits.join();
  EXPECT_FALSE(whole);
  close(reading);
  close(writing);
}

TEST_F(LineWriterTest, ASlowReaderGetsAllOfIt) {
  for (const bool socket : {false, true}) {
    const auto [reading, writing] = Way(socket);
    std::string got;
    std::thread reads([&, from = reading] {
      std::array<char, 1000> part;
      for (ssize_t size = 0; (size = read(from, part.data(), part.size())) > 0;)
        got.append(part.data(), static_cast<std::size_t>(size));
    });
    {
      LineWriter writer(writing);
      EXPECT_TRUE(writer.Write(kMuch + "end"));
    }
    close(writing);
    reads.join();
    EXPECT_EQ(got.size(), kMuch.size() + 3);
    EXPECT_TRUE(got.ends_with("xend"));
    close(reading);
  }
}

TEST_F(LineWriterTest, AReaderThatIsGone_IsNoReasonToWait) {
  for (const bool socket : {false, true}) {
    const auto [reading, writing] = Way(socket);
    LineWriter writer(writing);
    close(reading);
    EXPECT_FALSE(writer.Write("line\n"));
    close(writing);
  }
}

}  // namespace
}  // namespace dirsync
