// Frames of the command socket: hostile bytes first.
#include "proto/daemon/command_frame.h"

#include <gmock/gmock.h>

#include "proto/base/bytes.h"
#include "proto/base/limits.h"

namespace dirsync {
namespace {

const CommandRequest kRequest{.words = {"mailbox", "add", "", "M\n\xff"},
                              .folder = "/srv",
                              .store = "store",
                              .in_terminal = true,
                              .err_terminal = true,
                              .width = 132};

TEST(FrameReader, UnknownKindIsInvalid) {
  FrameReader reader;
  reader.Append("GET / HTTP/1.1\r\n\r\n");
  EXPECT_EQ(reader.Next().error().code, ErrorCode::kInvalid);
}

TEST(FrameReader, AFrameBeyondItsBoundIsRefusedByItsLength) {
  for (const auto& [kind, bound] : {std::pair{FrameKind::kRequest, limits::kCommandBytes},
                                    std::pair{FrameKind::kInput, limits::kCommandFrameBytes}}) {
    std::string header;
    RowWriter out(header);
    out.U32Big(static_cast<std::uint32_t>(bound + 1));
    out.U8(static_cast<std::uint8_t>(kind));
    FrameReader reader;
    reader.Append(header);
    EXPECT_EQ(reader.Next().error().code, ErrorCode::kTooLarge);
  }
}

TEST(FrameReader, BytesMayComeOneByOneAndFramesTogether) {
  const std::string bytes =
      EncodeFrame(FrameKind::kInput, "yes\n") + EncodeFrame(FrameKind::kInterrupt, "");
  FrameReader slow;
  std::vector<Frame> seen;
  for (const char c : bytes) {
    slow.Append({&c, 1});
    auto frame = slow.Next();
    ASSERT_TRUE(frame);
    if (*frame) seen.push_back(**frame);
  }
  const std::vector<Frame> wanted{{FrameKind::kInput, "yes\n"}, {FrameKind::kInterrupt, ""}};
  EXPECT_EQ(seen, wanted);
  FrameReader fast;
  fast.Append(bytes);
  EXPECT_EQ(**fast.Next(), wanted[0]);
  EXPECT_EQ(**fast.Next(), wanted[1]);
  EXPECT_FALSE(*fast.Next());
}

TEST(CommandRequest, ComesBackAsItWas) {
  EXPECT_EQ(DecodeRequest(EncodeRequest(kRequest)).value(), kRequest);
}

TEST(CommandRequest, EveryTruncationAndEveryLongerOneIsAnError) {
  const std::string body = EncodeRequest(kRequest);
  for (std::size_t size = 0; size < body.size(); ++size)
    EXPECT_FALSE(DecodeRequest(body.substr(0, size))) << size;
  EXPECT_FALSE(DecodeRequest(body + "x"));
}

TEST(CommandRequest, ACountThatIsALieCostsNothing) {
  std::string body;
  RowWriter out(body);
  out.U8(1);
  out.Varint(UINT64_MAX);
  EXPECT_EQ(DecodeRequest(body).error().code, ErrorCode::kInvalid);
}

TEST(CommandRequest, OfAnotherReleaseIsSaidToBe) {
  std::string body = EncodeRequest(kRequest);
  body[0] = 2;
  EXPECT_EQ(DecodeRequest(body).error().code, ErrorCode::kUnknownVersion);
}

}  // namespace
}  // namespace dirsync
