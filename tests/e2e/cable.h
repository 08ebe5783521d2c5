// The cable between the broker's machine and that of one site, which a test can pull: a network
// namespace of its own for the site where that is permitted, else a relay between two ports.
#pragma once

#include <memory>
#include <string>
#include <vector>

namespace dirsync::e2e {

class Cable {
 public:
  virtual ~Cable() = default;
  static std::unique_ptr<Cable> Make();

  // Where the broker listens.
  virtual std::string host() const = 0;
  // The arguments of an agent, changed so that it runs at the far end. `address`: the broker's, as
  // it listens; `folder`: for a file, if one is needed.
  virtual std::vector<std::string> Around(std::vector<std::string> arguments,
                                          const std::string& address,
                                          const std::string& folder) = 0;
  // Pulled, nothing passes and nobody is told.
  virtual void Pull() = 0;
  virtual void Plug() = 0;
  virtual std::string kind() const = 0;  // for people
};

}  // namespace dirsync::e2e
