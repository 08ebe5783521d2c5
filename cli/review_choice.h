// Which held or quarantined rows a person means.
#pragma once

#include <algorithm>
#include <string>
#include <string_view>
#include <vector>

#include "cli/instance_view.h"
#include "cli/options.h"
#include "proto/base/text.h"
#include "proto/model/dn.h"

namespace dirsync::cli {

// Number of the import that --instance names; 0 without the option. Errors: kNotFound.
Result<storage::StreamNumber> NumberNamed(const std::vector<InstanceState>& states,
                                          const Arguments& arguments);

// Whether `word` is the id, at least 6 digits of its beginning, the DN, or the DN's last part.
bool Means(std::string_view word, const std::string& id_hex, const std::string& name);

// Rows that the words mean, in the order of `rows`. Errors: kUsage without words; kNotFound for a
// word that means none; kUsage for one that means rows of different entries.
template <class Row>
Result<std::vector<Row>> Choose(const std::vector<Row>& rows, const std::vector<std::string>& words,
                                std::string_view what) {
  if (words.empty())
    return Fail(ErrorCode::kUsage, std::string(what) + ": give an id or a name",
                "the list shows them");
  std::vector<bool> chosen(rows.size(), false);
  for (const std::string& word : words) {
    const Row* found = nullptr;
    for (std::size_t i = 0; i < rows.size(); ++i) {
      if (!Means(word, rows[i].id.hex(), rows[i].name)) continue;
      if (found != nullptr && (found->id != rows[i].id || found->number != rows[i].number))
        return Fail(ErrorCode::kUsage,
                    Printable(word) + " means several " + std::string(what) + " rows",
                    "give the whole id, and --instance if it stands in two");
      found = &rows[i];
      chosen[i] = true;
    }
    if (found == nullptr)
      return Fail(ErrorCode::kNotFound,
                  "nothing " + std::string(what) + " is named " + Printable(word),
                  "the list shows the ids");
  }
  std::vector<Row> result;
  for (std::size_t i = 0; i < rows.size(); ++i)
    if (chosen[i]) result.push_back(rows[i]);
  return result;
}

}  // namespace dirsync::cli
