// Made-up people: the entries of the benchmarks.
#pragma once

#include <cstdint>
#include <string>

namespace dirsync::bench {

// Who reads the file: the same people, in the attributes that it knows.
enum class Reader { kDirsync, kOpenldap };

// LDIF of `entries` people of 12 attributes, 600 to 800 bytes each, in no order of names. Another
// `salt` gives the same people other telephone numbers.
void MakePeople(const std::string& path, std::uint64_t entries, Reader reader,
                std::uint64_t salt = 0);

}  // namespace dirsync::bench
