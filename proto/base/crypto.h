// Digests, keyed hashes and signatures, by libsodium. Pure: nothing here draws randomness.
// All functions are thread-safe and never fail on any input bytes.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "proto/base/ids.h"

namespace dirsync {

// BLAKE2b-256 (RFC 7693) of `bytes`.
Digest DigestOf(std::string_view bytes);

// BLAKE2b-128 of `bytes`: derived ids.
EntryId DerivedId(std::string_view bytes);

// BLAKE2b-256 in pieces. Not thread-safe; Finish may be called once, as the last call.
class DigestStream {
 public:
  DigestStream();
  ~DigestStream();
  DigestStream(DigestStream&&) noexcept;
  DigestStream& operator=(DigestStream&&) noexcept;
  void Update(std::string_view bytes);
  // Of all bytes so far; Update may go on.
  Digest Peek() const;
  Digest Finish();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

// SipHash-2-4, 64-bit and 128-bit, under `key`.
std::uint64_t ShortHash(const HashKey& key, std::string_view bytes);
RowSum LongHash(const HashKey& key, std::string_view bytes);

// Ed25519 (RFC 8032). A pair is made from a 32-byte seed that the loop drew or read from its file.
// Holds the secret in memory until destroyed, then wipes it.
class SigningKey {
 public:
  // `seed`: exactly 32 bytes, else nullopt.
  static std::optional<SigningKey> FromSeed(std::string_view seed);
  Signature Sign(std::string_view message) const;
  const PublicKey& public_key() const { return public_key_; }
  ~SigningKey();
  SigningKey(const SigningKey&) = default;
  SigningKey& operator=(const SigningKey&) = default;

 private:
  SigningKey() = default;
  std::array<std::uint8_t, 64> secret_{};
  PublicKey public_key_;
};

// Whether `signature` is of `message` by the holder of `key`.
bool Verify(const PublicKey& key, std::string_view message, const Signature& signature);

// What people compare by voice: the first 16 bytes of the key's digest, "a1b2-c3d4-…" (8 groups).
std::string Fingerprint(const PublicKey& key);

}  // namespace dirsync
