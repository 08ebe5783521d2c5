#include "proto/model/filter.h"

#include "proto/base/text.h"
#include "proto/model/filter_parser.h"

namespace dirsync {

struct Filter::Node {
  FilterTerm term;
};

Result<Filter> Filter::Parse(std::string_view text) {
  Filter filter;
  if (TrimBlanks(text).empty()) return filter;
  DIRSYNC_TRY(term, ParseFilterTerm(text));
  filter.root_ = std::make_shared<const Node>(Node{std::move(term)});
  return filter;
}

bool Filter::Matches(const Entry& entry) const { return !root_ || root_->term.Matches(entry); }

}  // namespace dirsync
