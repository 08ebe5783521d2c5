// A reader of C++ that knows braces and nothing else: enough to measure functions and to find
// declarations that stand without a comment, in code that clang-format has laid out.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "tests/lint/source_tree.h"

namespace dirsync::lint {

struct FunctionSpan {
  std::string head;        // text up to the body, blanks joined
  std::size_t line = 0;    // where `head` begins, from 1
  std::size_t length = 0;  // lines, from `head` to the closing brace
};

struct Declaration {
  std::string head;
  std::size_t line = 0;
  bool is_type = false;  // class, struct, enum, union with a body; else a function
};

struct CppScan {
  std::vector<FunctionSpan> functions;    // with a body, outside other functions
  std::vector<Declaration> declarations;  // at namespace scope or public in a type
};

CppScan ScanCpp(const SourceFile& file);

}  // namespace dirsync::lint
