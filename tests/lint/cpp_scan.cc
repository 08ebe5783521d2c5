#include "tests/lint/cpp_scan.h"

#include <cctype>
#include <regex>
#include <utility>

namespace dirsync::lint {
namespace {

enum class Scope { kNamespace, kType, kFunction, kOther };

bool HasWord(const std::string& text, const char* words) {
  return std::regex_search(text, std::regex(std::string("\\b(") + words + ")\\b"));
}

// `template <class T>` says class and is none.
std::string WithoutTemplates(const std::string& head) {
  std::string out;
  int depth = 0;
  for (char c : head) {
    if (c == '<') ++depth;
    if (depth == 0) out += c;
    if (c == '>' && depth > 0) --depth;
  }
  return out;
}

class Scanner {
 public:
  explicit Scanner(const SourceFile& file) : code_(CodeOnly(file.text, false)) {}

  CppScan Run() {
    for (std::size_t i = 0; i < code_.size(); ++i) Take(code_[i], i == 0 ? '\n' : code_[i - 1]);
    return std::move(scan_);
  }

 private:
  struct Open {
    Scope scope;
    std::string head;
    std::size_t line;
    bool is_public;
  };

  bool InFunction() const { return !open_.empty() && open_.back().scope == Scope::kFunction; }
  // Whether what is declared here can be seen from outside.
  bool Visible() const {
    for (const Open& open : open_) {
      if (open.scope == Scope::kFunction || open.scope == Scope::kOther || !open.is_public)
        return false;
      if (open.scope == Scope::kNamespace && open.head.ends_with("namespace")) return false;
    }
    return true;
  }

  void Take(char c, char before) {
    if (c == '\n') ++line_;
    if (c == '{') return OpenBrace(before);
    if (c == '}') return CloseBrace();
    if (InFunction()) return;
    if (c == '(') ++parens_;
    if (c == ')') --parens_;
    if (c == ';' && parens_ == 0) return EndOfDeclaration();
    if (c == ':' && parens_ == 0 && !open_.empty() && open_.back().scope == Scope::kType &&
        (head_ == "public" || head_ == "private" || head_ == "protected")) {
      open_.back().is_public = head_ == "public";
      return ClearHead();
    }
    Append(c);
  }

  void Append(char c) {
    if (!std::isspace(static_cast<unsigned char>(c))) {
      if (head_.empty()) head_line_ = line_;
      head_ += c;
    } else if (!head_.empty() && head_.back() != ' ') {
      head_ += ' ';
    }
  }

  void ClearHead() {
    head_.clear();
    parens_ = 0;
  }

  Scope Classify(char before) const {
    const std::string head = WithoutTemplates(head_);
    // Values begin where they stand, bodies after a blank: clang-format sees to it.
    if (parens_ > 0 || (before != ' ' && before != '\n')) return Scope::kOther;
    if (HasWord(head, "namespace") || head.starts_with("extern")) return Scope::kNamespace;
    const bool lambda = std::regex_search(head, std::regex("= ?\\[[^\\]]*\\]"));
    const bool assigns = head.find('=') != std::string::npos && !HasWord(head, "operator");
    if (lambda) return Scope::kFunction;
    if (assigns) return Scope::kOther;
    if (head.find(')') != std::string::npos) return Scope::kFunction;
    if (HasWord(head, "class|struct|union|enum")) return Scope::kType;
    return Scope::kOther;
  }

  void OpenBrace(char before) {
    if (InFunction()) {
      open_.push_back({Scope::kFunction, "", line_, false});
      return;
    }
    const Scope scope = Classify(before);
    while (head_.ends_with(' ')) head_.pop_back();
    if (scope == Scope::kFunction || scope == Scope::kType) Declare(scope == Scope::kType);
    const bool is_public = scope != Scope::kType || !HasWord(WithoutTemplates(head_), "class");
    open_.push_back({scope, head_, head_line_, is_public});
    if (scope != Scope::kOther) ClearHead();
  }

  void CloseBrace() {
    if (open_.empty()) return;
    const Open closed = std::move(open_.back());
    open_.pop_back();
    if (closed.scope == Scope::kOther) return;  // the declaration goes on
    if (closed.scope == Scope::kFunction && !InFunction())
      scan_.functions.push_back({closed.head, closed.line, line_ - closed.line + 1});
    if (!InFunction()) ClearHead();
  }

  void EndOfDeclaration() {
    while (head_.ends_with(' ')) head_.pop_back();
    const bool assigns = std::regex_search(head_, std::regex("[^=!<>]= ?[^=]"));
    const bool special = head_.ends_with("= default") || head_.ends_with("= delete");
    const bool pure = head_.ends_with("= 0");
    const bool function = WithoutTemplates(head_).find('(') != std::string::npos &&
                          !head_.starts_with("static_assert") && !head_.starts_with("using ");
    if (function && !special && (pure || !assigns)) Declare(false);
    ClearHead();
  }

  void Declare(bool is_type) {
    if (Visible()) scan_.declarations.push_back({head_, head_line_, is_type});
  }

  const std::string code_;
  CppScan scan_;
  std::vector<Open> open_;
  std::string head_;
  std::size_t head_line_ = 1;
  std::size_t line_ = 1;
  int parens_ = 0;
};

}  // namespace

CppScan ScanCpp(const SourceFile& file) { return Scanner(file).Run(); }

}  // namespace dirsync::lint
