// Signals as something to read: a loop that waits for descriptors waits for them too.
#pragma once

#include <initializer_list>
#include <memory>
#include <optional>

#include "proto/base/error.h"

namespace dirsync {

// Thread-safety: one thread. Make it before any other thread begins: they inherit the mask.
class SignalSource {
 public:
  // From now on these signals of the process only arrive here. Errors: kIo.
  static Result<std::unique_ptr<SignalSource>> Of(std::initializer_list<int> signals);
  ~SignalSource();  // the signals stay blocked: the process is about to end
  SignalSource(const SignalSource&) = delete;
  SignalSource& operator=(const SignalSource&) = delete;

  int descriptor() const { return descriptor_; }  // readable: call Take until nullopt
  std::optional<int> Take();                      // its number; nullopt: none waits

 private:
  explicit SignalSource(int descriptor) : descriptor_(descriptor) {}
  int descriptor_;
};

}  // namespace dirsync
