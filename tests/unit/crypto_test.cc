#include "proto/base/crypto.h"

#include <gtest/gtest.h>

#include <thread>
#include <vector>

#include "proto/base/bytes.h"

namespace dirsync {
namespace {

SigningKey KeyOf(char fill) { return *SigningKey::FromSeed(std::string(32, fill)); }

std::string Bytes0To(int n) {
  std::string bytes;
  for (int i = 0; i < n; ++i) bytes.push_back(static_cast<char>(i));
  return bytes;
}

// Vector of RFC 8032, 7.1, test 2.
constexpr std::string_view kSeed =
    "4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb";
constexpr std::string_view kPublic =
    "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c";
constexpr std::string_view kSignature =
    "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da"
    "085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00";

TEST(Digest, IsBlake2b256) {
  EXPECT_EQ(DigestOf("").hex(), "0e5751c026e543b2e8ab2eb06099daa1d1e5df47778f7787faab45cdf12fe3a8");
  EXPECT_EQ(DigestOf("abc").hex(),
            "bddd813c634239723171ef3fee98579b94964e3bb1cb3e427262c8c068d52319");
}

TEST(Digest, InPiecesIsTheSame) {
  const std::string text(100000, 'x');
  for (std::size_t piece : {1u, 127u, 128u, 129u, 65536u}) {
    DigestStream stream;
    for (std::size_t at = 0; at < text.size(); at += piece)
      stream.Update(std::string_view(text).substr(at, piece));
    EXPECT_EQ(stream.Finish(), DigestOf(text)) << piece;
  }
  EXPECT_EQ(DigestStream().Finish(), DigestOf(""));
}

TEST(DerivedId, DependsOnEveryByteAndIsNoCutDigest) {
  EXPECT_EQ(DerivedId("abc").hex(), "cf4ab791c62b8d2b2109c90275287816");
  EXPECT_NE(DerivedId("abc"), DerivedId("abd"));
}

TEST(ShortHash, IsSipHash24) {
  // Vector of the SipHash paper, appendix A.
  const HashKey key = *HashKey::FromBytes(Bytes0To(16));
  EXPECT_EQ(ShortHash(key, Bytes0To(15)), 0xa129ca6149be45e5u);
  EXPECT_EQ(ShortHash(key, ""), 0x726fdb47dd0e0e31u);
}

TEST(LongHash, Is128BitSipHash24) {
  // First row of the reference implementation's vectors_sip128.
  const HashKey key = *HashKey::FromBytes(Bytes0To(16));
  EXPECT_EQ(LongHash(key, ""), (RowSum{0x930255c71472f66d, 0xe6a825ba047f81a3}));
}

TEST(Hash, KeyMatters) {
  EXPECT_NE(ShortHash(HashKey{}, "a"), ShortHash(*HashKey::FromBytes(Bytes0To(16)), "a"));
}

TEST(SigningKey, IsEd25519) {
  const std::optional<SigningKey> key = SigningKey::FromSeed(*FromHex(kSeed));
  ASSERT_TRUE(key);
  EXPECT_EQ(key->public_key().hex(), kPublic);
  EXPECT_EQ(key->Sign("\x72").hex(), kSignature);
  EXPECT_TRUE(Verify(key->public_key(), "\x72", *Signature::FromHex(kSignature)));
}

TEST(SigningKey, SeedOfAnotherSizeIsRefused) {
  EXPECT_FALSE(SigningKey::FromSeed(""));
  EXPECT_FALSE(SigningKey::FromSeed(std::string(31, 'a')));
  EXPECT_FALSE(SigningKey::FromSeed(std::string(33, 'a')));
}

TEST(Verify, AlteredMessageKeyOrSignatureIsRefused) {
  const SigningKey key = KeyOf('a');
  const Signature good = key.Sign("message");
  EXPECT_TRUE(Verify(key.public_key(), "message", good));
  EXPECT_FALSE(Verify(key.public_key(), "messagf", good));
  EXPECT_FALSE(Verify(KeyOf('b').public_key(), "message", good));
  EXPECT_FALSE(Verify(PublicKey{}, "message", good));
  EXPECT_FALSE(Verify(key.public_key(), "message", Signature{}));
  for (std::size_t i = 0; i < good.bytes.size(); ++i) {
    Signature bad = good;
    bad.bytes[i] ^= 1;
    EXPECT_FALSE(Verify(key.public_key(), "message", bad)) << i;
  }
}

TEST(SigningKey, CopiesSignAlike) {
  const SigningKey key = KeyOf('a');
  const SigningKey copy = key;
  EXPECT_EQ(copy.Sign(""), key.Sign(""));
}

TEST(Fingerprint, IsEightGroupsOfTheKeysDigest) {
  const std::string text = Fingerprint(PublicKey{});
  ASSERT_EQ(text.size(), 39u);
  EXPECT_EQ(text.substr(0, 5), DigestOf(PublicKey{}.view()).hex().substr(0, 4) + "-");
  EXPECT_NE(text, Fingerprint(KeyOf('a').public_key()));
}

TEST(Crypto, FirstUseMayBeFromManyThreads) {
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i)
    threads.emplace_back([] { EXPECT_EQ(DigestOf("abc"), DigestOf("abc")); });
  for (std::thread& thread : threads) thread.join();
}

}  // namespace
}  // namespace dirsync
