#include "proto/model/filter_parser.h"

#include "proto/base/bytes.h"
#include "proto/base/limits.h"
#include "proto/base/text.h"
#include "proto/model/attribute_table.h"

namespace dirsync {
namespace {

constexpr std::string_view kEndsName = "=<>~:()*\\";

// Recursive descent; `at_` is the next byte. Its depth is bounded by limits::kFilterDepth.
class Parser {
 public:
  explicit Parser(std::string_view text) : text_(text) {}

  Result<FilterTerm> Whole() {
    DIRSYNC_TRY(term, Component(0));
    SkipBlanks();
    if (at_ != text_.size()) return Bad("text behind the filter's end");
    return std::move(term);
  }

 private:
  std::unexpected<Error> Bad(std::string_view cause, std::string hint = {}) const {
    return Fail(ErrorCode::kInvalid,
                "parse filter \"" + Printable(text_, 120) + "\": byte " + std::to_string(at_ + 1) +
                    ": " + std::string(cause),
                hint.empty() ? "write it as (attribute=value), (&(…)(…)), (|(…)(…)) or (!(…))"
                             : std::move(hint));
  }

  char Peek() const { return at_ < text_.size() ? text_[at_] : '\0'; }
  bool Take(char c) {
    if (at_ >= text_.size() || text_[at_] != c) return false;
    ++at_;
    return true;
  }
  void SkipBlanks() {
    while (at_ < text_.size() && (text_[at_] == ' ' || text_[at_] == '\t')) ++at_;
  }

  Result<FilterTerm> Component(std::size_t depth) {
    if (depth > limits::kFilterDepth) return Bad("nested deeper than 64");
    SkipBlanks();
    if (!Take('(')) return Bad("expected '('");
    SkipBlanks();
    Result<FilterTerm> term = Inner(depth);
    if (!term) return term;
    if (!Take(')')) return Bad("expected ')'");
    return term;
  }

  Result<FilterTerm> Inner(std::size_t depth) {
    if (Take('&')) return Junction(FilterOperation::kAnd, depth);
    if (Take('|')) return Junction(FilterOperation::kOr, depth);
    if (Take('!')) {
      FilterTerm negation;
      negation.operation = FilterOperation::kNot;
      DIRSYNC_TRY(term, Component(depth + 1));
      negation.terms.push_back(std::move(term));
      SkipBlanks();
      return negation;
    }
    return Item();
  }

  Result<FilterTerm> Junction(FilterOperation operation, std::size_t depth) {
    FilterTerm junction;
    junction.operation = operation;
    for (SkipBlanks(); Peek() == '('; SkipBlanks()) {
      DIRSYNC_TRY(term, Component(depth + 1));
      junction.terms.push_back(std::move(term));
    }
    return junction;
  }

  Result<FilterTerm> Item() {
    FilterTerm term;
    DIRSYNC_CHECK(Name(term));
    const bool plain_equal = Peek() == '=';
    DIRSYNC_CHECK(Operator(term));
    DIRSYNC_TRY(value, Value());
    if (Peek() != '*') return Finish(std::move(term), std::move(value));
    if (!plain_equal) return Bad("'*' behind >=, <= or ~=");
    return Substring(std::move(term), std::move(value));
  }

  Result<> Name(FilterTerm& term) {
    const std::size_t begin = at_;
    while (at_ < text_.size() && kEndsName.find(text_[at_]) == std::string_view::npos) ++at_;
    const std::string_view name = TrimBlanks(text_.substr(begin, at_ - begin));
    if (name.empty()) return Bad("expected an attribute name");
    Result<std::string> canonical = CanonicalAttribute(name);
    if (!canonical) {
      at_ = begin;
      return Bad(canonical.error().message, canonical.error().hint);
    }
    term.binary = FindAttribute(name)->kind == ValueKind::kBinary;
    term.attribute = std::move(*canonical);
    if (term.attribute == attribute::kCommonName) term.subject = FilterSubject::kCommonName;
    if (term.attribute == attribute::kObjClass) term.subject = FilterSubject::kClass;
    if (term.attribute == "USN-Created") term.subject = FilterSubject::kUsnCreated;
    if (term.attribute == "USN-Changed") term.subject = FilterSubject::kUsnChanged;
    if (term.attribute != "Obj-Dist-Name" && term.attribute != "Obj-Container") return {};
    at_ = begin;
    return Bad(term.attribute + " cannot be tested by a filter",
               "choose the part of the directory by its container");
  }

  Result<> Operator(FilterTerm& term) {
    term.operation = FilterOperation::kEqual;
    if (Take('=')) return {};
    if (Peek() == ':') return Bad("extensible match is not supported");
    if (Take('>')) {
      term.operation = FilterOperation::kAtLeast;
    } else if (Take('<')) {
      term.operation = FilterOperation::kAtMost;
    } else if (!Take('~')) {
      return Bad("expected =, >=, <= or ~=");
    }
    if (!Take('=')) return Bad("expected '='");
    return {};
  }

  // Up to an unescaped '*' or ')', with \XX resolved.
  Result<std::string> Value() {
    std::string value;
    for (; at_ < text_.size() && text_[at_] != ')' && text_[at_] != '*'; ++at_) {
      const char c = text_[at_];
      if (c == '(' || c == '\0') return Bad("a '(' or NUL in a value must be written \\28, \\00");
      if (c != '\\') {
        value.push_back(c);
        continue;
      }
      const std::optional<std::string> byte = FromHex(text_.substr(at_ + 1, 2));
      if (!byte || byte->size() != 1) return Bad("expected two hex digits behind '\\'");
      value += *byte;
      at_ += 2;
    }
    return value;
  }

  Result<FilterTerm> Finish(FilterTerm term, std::string value) {
    term.value = term.binary ? std::move(value) : FoldName(value);
    if (!term.binary) term.number = ParseNumber(term.value);
    if (term.subject != FilterSubject::kClass) return term;
    term.entry_class = ParseClass(term.value);
    if (term.entry_class || term.operation != FilterOperation::kEqual) return term;
    return Bad("unknown class \"" + Printable(term.value, 80) + "\"",
               "classes are mailbox, custom-recipient, distribution-list and container");
  }

  Result<FilterTerm> Substring(FilterTerm term, std::string first) {
    std::vector<std::string> parts;
    parts.push_back(std::move(first));
    while (Take('*')) {
      DIRSYNC_TRY(part, Value());
      parts.push_back(std::move(part));
    }
    if (!term.binary)
      for (std::string& part : parts) part = FoldName(part);
    term.operation = FilterOperation::kSubstring;
    term.initial = std::move(parts.front());
    term.last = std::move(parts.back());
    for (std::size_t i = 1; i + 1 < parts.size(); ++i)
      if (!parts[i].empty()) term.middle.push_back(std::move(parts[i]));
    const bool any = term.initial.empty() && term.last.empty() && term.middle.empty();
    if (any) term.operation = FilterOperation::kPresent;
    return term;
  }

  std::string_view text_;
  std::size_t at_ = 0;
};

}  // namespace

Result<FilterTerm> ParseFilterTerm(std::string_view text) {
  if (text.size() > limits::kFilterBytes) {
    return Fail(ErrorCode::kTooLarge, "parse filter: " + std::to_string(text.size()) +
                                          " bytes, at most " +
                                          std::to_string(limits::kFilterBytes));
  }
  return Parser(text).Whole();
}

}  // namespace dirsync
