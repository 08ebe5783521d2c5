// Completion for shells and the manual page, written from the table of commands.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace dirsync::cli {

// A script for "bash", "zsh" or "fish"; nullopt: another shell.
std::optional<std::string> CompletionScript(std::string_view shell);

// dirsync(1) in troff, for man(1).
std::string ManualPage();

}  // namespace dirsync::cli
