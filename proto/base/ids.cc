#include "proto/base/ids.h"

#include <algorithm>
#include <vector>

#include "proto/base/bytes.h"
#include "proto/base/limits.h"
#include "proto/base/text.h"

namespace dirsync {
namespace {

constexpr std::size_t kStreamParts = 3;

bool NeedsEscape(char c) {
  const auto byte = static_cast<unsigned char>(c);
  return byte <= 0x20 || byte == 0x7F || c == '/' || c == '%';
}

void AppendEscaped(std::string_view part, std::string& out) {
  for (char c : part) {
    if (!NeedsEscape(c)) {
      out.push_back(c);
      continue;
    }
    out.push_back('%');
    out += ToHex({&c, 1});
  }
}

std::optional<std::string> Unescaped(std::string_view part) {
  std::string out;
  out.reserve(part.size());
  for (std::size_t i = 0; i < part.size(); ++i) {
    if (part[i] != '%') {
      out.push_back(part[i]);
      continue;
    }
    const std::optional<std::string> byte = FromHex(part.substr(i + 1, 2));
    if (!byte || byte->size() != 1) return std::nullopt;
    out += *byte;
    i += 2;
  }
  if (out.empty() || out.size() > limits::kNameBytes) return std::nullopt;
  return out;
}

}  // namespace

template <std::size_t N, class Tag>
std::string FixedId<N, Tag>::hex() const {
  return ToHex(view());
}

template <std::size_t N, class Tag>
std::optional<FixedId<N, Tag>> FixedId<N, Tag>::FromBytes(std::string_view raw) {
  if (raw.size() != N) return std::nullopt;
  FixedId id;
  std::copy(raw.begin(), raw.end(), id.bytes.begin());
  return id;
}

template <std::size_t N, class Tag>
std::optional<FixedId<N, Tag>> FixedId<N, Tag>::FromHex(std::string_view text) {
  if (text.size() != 2 * N) return std::nullopt;
  const std::optional<std::string> raw = dirsync::FromHex(text);
  if (!raw) return std::nullopt;
  return FromBytes(*raw);
}

template struct FixedId<16, EntryIdTag>;
template struct FixedId<32, DigestTag>;
template struct FixedId<32, PublicKeyTag>;
template struct FixedId<64, SignatureTag>;
template struct FixedId<16, RunIdTag>;
template struct FixedId<16, HashKeyTag>;
template struct FixedId<16, EpochIdTag>;
template struct FixedId<32, TransportKeyTag>;
template struct FixedId<16, IncarnationIdTag>;
template struct FixedId<16, NonceTag>;

std::string Epoch::ToString() const { return std::to_string(counter) + "." + id.hex(); }

std::optional<Epoch> Epoch::Parse(std::string_view text) {
  const std::size_t dot = text.find('.');
  if (dot == std::string_view::npos) return std::nullopt;
  const std::optional<std::uint64_t> counter = ParseNumber(text.substr(0, dot));
  const std::optional<EpochId> id = EpochId::FromHex(text.substr(dot + 1));
  if (!counter || !id) return std::nullopt;
  return Epoch{*counter, *id};
}

std::string StreamName::ToString() const {
  std::string out;
  out.reserve(organization.size() + site.size() + instance.size() + 2);
  AppendEscaped(organization, out);
  out.push_back('/');
  AppendEscaped(site, out);
  out.push_back('/');
  AppendEscaped(instance, out);
  return out;
}

std::optional<StreamName> StreamName::Parse(std::string_view text) {
  const std::vector<std::string_view> parts = Split(text, '/');
  if (parts.size() != kStreamParts) return std::nullopt;
  std::optional<std::string> organization = Unescaped(parts[0]);
  std::optional<std::string> site = Unescaped(parts[1]);
  std::optional<std::string> instance = Unescaped(parts[2]);
  if (!organization || !site || !instance) return std::nullopt;
  return StreamName{std::move(*organization), std::move(*site), std::move(*instance)};
}

void RowSum::Add(const RowSum& other) {
  low += other.low;
  high += other.high + (low < other.low ? 1 : 0);
}

void RowSum::Subtract(const RowSum& other) {
  const std::uint64_t borrow = low < other.low ? 1 : 0;
  low -= other.low;
  high -= other.high + borrow;
}

std::string RowSum::hex() const {
  std::string raw;
  RowWriter writer(raw);
  writer.U64Big(high);
  writer.U64Big(low);
  return ToHex(raw);
}

std::optional<RowSum> RowSum::FromHex(std::string_view text) {
  const std::optional<std::string> raw = dirsync::FromHex(text);
  if (!raw || raw->size() != 16) return std::nullopt;
  RowReader reader(*raw);
  RowSum sum;
  sum.high = reader.U64Big();
  sum.low = reader.U64Big();
  return sum;
}

}  // namespace dirsync
