// Fuzz target: a Hugging Face tokenizer.json in a folder of its own, then text through what it makes.
// The reader takes a folder: the bytes are written to one in memory.

import Glibc

@testable import Inference

private let folder: String = {
  let path = "/dev/shm/crosscope-fuzz-\(getpid())"
  mkdir(path, 0o700)
  atexit {
    unlink("/dev/shm/crosscope-fuzz-\(getpid())/tokenizer.json")
    rmdir("/dev/shm/crosscope-fuzz-\(getpid())")
  }
  return path
}()

@_cdecl("LLVMFuzzerTestOneInput")
public func fuzz(_ start: UnsafeRawPointer, _ count: Int) -> CInt {
  let file = open(folder + "/tokenizer.json", O_WRONLY | O_CREAT | O_TRUNC, 0o600)
  guard file >= 0 else { return 0 }
  consume(write(file, start, count))
  close(file)
  exercise(try? Tokenizer(folder: folder))
  return 0
}
