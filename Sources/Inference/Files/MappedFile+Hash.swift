// The identity of a file's content, for cards.

import Kernels

extension MappedFile {
  /// SHA-256 of the whole file, as 64 hexadecimal digits; reads every page.
  public func sha256() -> String { SHA256.hex(of: bytes) }
}
