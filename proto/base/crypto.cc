#include "proto/base/crypto.h"

#include <sodium.h>

#include <algorithm>
#include <cstdlib>

#include "proto/base/bytes.h"

namespace dirsync {
namespace {

static_assert(crypto_sign_SEEDBYTES == 32);
static_assert(crypto_sign_SECRETKEYBYTES == 64);
static_assert(crypto_sign_PUBLICKEYBYTES == 32);
static_assert(crypto_sign_BYTES == 64);
static_assert(crypto_shorthash_siphash24_BYTES == 8);
static_assert(crypto_shorthash_siphashx24_BYTES == 16);

constexpr std::size_t kFingerprintBytes = 16;
constexpr std::size_t kFingerprintGroupDigits = 4;

// libsodium picks its code for this processor once; a failure means it must not be used at all.
void Ready() {
  static const int state = sodium_init();
  if (state < 0) std::abort();
}

const unsigned char* Data(std::string_view bytes) {
  return reinterpret_cast<const unsigned char*>(bytes.data());
}

std::uint64_t LittleEndian(const unsigned char* raw) {
  std::uint64_t v = 0;
  for (int i = 7; i >= 0; --i) v = v << 8 | raw[i];
  return v;
}

}  // namespace

Digest DigestOf(std::string_view bytes) {
  Ready();
  Digest digest;
  crypto_generichash(digest.bytes.data(), digest.bytes.size(), Data(bytes), bytes.size(), nullptr,
                     0);
  return digest;
}

EntryId DerivedId(std::string_view bytes) {
  Ready();
  EntryId id;
  crypto_generichash(id.bytes.data(), id.bytes.size(), Data(bytes), bytes.size(), nullptr, 0);
  return id;
}

struct DigestStream::State {
  crypto_generichash_state hash;
};

DigestStream::DigestStream() : state_(std::make_unique<State>()) {
  Ready();
  crypto_generichash_init(&state_->hash, nullptr, 0, Digest{}.bytes.size());
}
DigestStream::~DigestStream() = default;
DigestStream::DigestStream(DigestStream&&) noexcept = default;
DigestStream& DigestStream::operator=(DigestStream&&) noexcept = default;

void DigestStream::Update(std::string_view bytes) {
  crypto_generichash_update(&state_->hash, Data(bytes), bytes.size());
}

Digest DigestStream::Peek() const {
  crypto_generichash_state copy = state_->hash;
  Digest digest;
  crypto_generichash_final(&copy, digest.bytes.data(), digest.bytes.size());
  return digest;
}

Digest DigestStream::Finish() {
  Digest digest;
  crypto_generichash_final(&state_->hash, digest.bytes.data(), digest.bytes.size());
  return digest;
}

std::uint64_t ShortHash(const HashKey& key, std::string_view bytes) {
  unsigned char raw[crypto_shorthash_siphash24_BYTES];
  crypto_shorthash_siphash24(raw, Data(bytes), bytes.size(), key.bytes.data());
  return LittleEndian(raw);
}

RowSum LongHash(const HashKey& key, std::string_view bytes) {
  unsigned char raw[crypto_shorthash_siphashx24_BYTES];
  crypto_shorthash_siphashx24(raw, Data(bytes), bytes.size(), key.bytes.data());
  return RowSum{LittleEndian(raw + 8), LittleEndian(raw)};
}

std::optional<SigningKey> SigningKey::FromSeed(std::string_view seed) {
  Ready();
  if (seed.size() != crypto_sign_SEEDBYTES) return std::nullopt;
  SigningKey key;
  crypto_sign_seed_keypair(key.public_key_.bytes.data(), key.secret_.data(), Data(seed));
  return key;
}

Signature SigningKey::Sign(std::string_view message) const {
  Signature signature;
  crypto_sign_detached(signature.bytes.data(), nullptr, Data(message), message.size(),
                       secret_.data());
  return signature;
}

SigningKey::~SigningKey() { sodium_memzero(secret_.data(), secret_.size()); }

bool Verify(const PublicKey& key, std::string_view message, const Signature& signature) {
  Ready();
  return crypto_sign_verify_detached(signature.bytes.data(), Data(message), message.size(),
                                     key.bytes.data()) == 0;
}

std::string Fingerprint(const PublicKey& key) {
  const Digest digest = DigestOf(key.view());
  const std::string hex = ToHex(digest.view().substr(0, kFingerprintBytes));
  std::string out;
  for (std::size_t i = 0; i < hex.size(); i += kFingerprintGroupDigits) {
    if (i > 0) out.push_back('-');
    out.append(hex, i, kFingerprintGroupDigits);
  }
  return out;
}

}  // namespace dirsync
