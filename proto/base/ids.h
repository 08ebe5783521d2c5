// Strong ids and counters. All order by value; none has a default meaning other than "zero".
#pragma once

#include <array>
#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace dirsync {

// N raw bytes that identify something; printed as lower-case hex.
template <std::size_t N, class Tag>
struct FixedId {
  std::array<std::uint8_t, N> bytes{};

  auto operator<=>(const FixedId&) const = default;
  bool is_zero() const { return *this == FixedId{}; }
  std::string_view view() const { return {reinterpret_cast<const char*>(bytes.data()), N}; }
  std::string hex() const;
  // Exactly N bytes; anything else is nullopt.
  static std::optional<FixedId> FromBytes(std::string_view raw);
  // Exactly 2N hex digits of either case; anything else is nullopt.
  static std::optional<FixedId> FromHex(std::string_view text);
};

// Identity of an entry: 16 bytes, drawn once, never reused, kept over rename, move, delete, return.
using EntryId = FixedId<16, struct EntryIdTag>;
// BLAKE2b-256.
using Digest = FixedId<32, struct DigestTag>;
// Ed25519.
using PublicKey = FixedId<32, struct PublicKeyTag>;
using Signature = FixedId<64, struct SignatureTag>;
// Random 128 bits of a run, of an epoch; key of SipHash.
using RunId = FixedId<16, struct RunIdTag>;
using HashKey = FixedId<16, struct HashKeyTag>;
using EpochId = FixedId<16, struct EpochIdTag>;
// X25519 (CurveZMQ): who is at the other end of a connection. Text form: Z85, or hex as here.
using TransportKey = FixedId<32, struct TransportKeyTag>;
// One life of a broker's log of a stream.
using IncarnationId = FixedId<16, struct IncarnationIdTag>;
// Random 128 bits that make a session, a request or an invitation unique.
using Nonce = FixedId<16, struct NonceTag>;

// 64-bit change counter of one directory database; 0 = before every change.
using Usn = std::uint64_t;
// Dense from 1 within an epoch; 0 = before the first batch.
using Sequence = std::uint64_t;

// One life of a producer's database. The counter orders lives; (epoch, sequence) is never reused.
struct Epoch {
  std::uint64_t counter = 0;  // 1 for the first life; 0 = none
  EpochId id;
  auto operator<=>(const Epoch&) const = default;
  // "COUNTER.HEX32", e.g. "1.00112233445566778899aabbccddeeff".
  std::string ToString() const;
  static std::optional<Epoch> Parse(std::string_view text);
};

// Which telling of an entry is the newer one: by epoch counter, then by sequence.
struct Version {
  std::uint64_t epoch_counter = 0;
  Sequence sequence = 0;
  auto operator<=>(const Version&) const = default;
};

// One ordered series of batches by one producer.
struct StreamName {
  std::string organization;
  std::string site;
  std::string instance;
  auto operator<=>(const StreamName&) const = default;
  // "Testorg/Site1/INSTANCE1"; '/', '%', blanks and control characters within a part are %XX.
  std::string ToString() const;
  static std::optional<StreamName> Parse(std::string_view text);
};

// Where a reader stands in a stream: everything up to and with `sequence` is applied.
struct Position {
  Epoch epoch;
  Sequence sequence = 0;
  Digest digest;  // of the batch `sequence`; zero at sequence 0
  auto operator<=>(const Position&) const = default;
};

// 128-bit running sum of row hashes; addition wraps.
struct RowSum {
  std::uint64_t high = 0;
  std::uint64_t low = 0;
  auto operator<=>(const RowSum&) const = default;
  void Add(const RowSum& other);
  void Subtract(const RowSum& other);
  std::string hex() const;  // 32 digits
  static std::optional<RowSum> FromHex(std::string_view text);
};

}  // namespace dirsync
