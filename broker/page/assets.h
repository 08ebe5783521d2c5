// Files of assets/, put into the program by the build: nothing is read at run time, and the page
// needs nothing from anywhere else.
#pragma once

#include <span>
#include <string_view>

namespace dirsync {

struct Asset {
  std::string_view path;  // "/assets/page.css"
  std::string_view type;  // for Content-Type
  std::string_view bytes;
};

// In order of their paths. Generated: assets.cmake.
std::span<const Asset> AllAssets();
// nullptr: no such file.
const Asset* FindAsset(std::string_view path);

}  // namespace dirsync
