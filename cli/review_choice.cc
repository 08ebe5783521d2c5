#include "cli/review_choice.h"

namespace dirsync::cli {
namespace {
constexpr std::size_t kIdDigitsMin = 6;
}  // namespace

Result<storage::StreamNumber> NumberNamed(const std::vector<InstanceState>& states,
                                          const Arguments& arguments) {
  auto name = arguments.Value("--instance");
  if (!name) return 0;
  std::vector<std::string> names;
  for (const InstanceState& state : states) {
    if (state.import_number == 0) continue;
    if (FoldName(state.settings.name) == FoldName(*name)) return state.import_number;
    names.push_back(state.settings.name);
  }
  return Fail(ErrorCode::kNotFound,
              "no import instance is named " + Printable(*name) + DidYouMean(*name, names),
              "dirsync instance list");
}

bool Means(std::string_view word, const std::string& id_hex, const std::string& name) {
  if (word.size() >= kIdDigitsMin && id_hex.starts_with(ToLowerAscii(word))) return true;
  const std::string folded = FoldName(word);
  if (folded == FoldName(name)) return true;
  auto dn = ParseDn(name);
  return dn && !dn->parts.empty() && FoldName(dn->parts.back().value) == folded;
}

}  // namespace dirsync::cli
