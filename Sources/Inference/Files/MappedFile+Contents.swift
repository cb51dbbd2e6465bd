// A mapped file's content as values of its own, which outlive the mapping.

import Foundation
import Kernels

extension MappedFile {
  /// SHA-256 of the whole file, as 64 hexadecimal digits; reads every page.
  public func sha256() -> String { withExtendedLifetime(self) { SHA256.hex(of: bytes) } }

  /// A copy of the content. `bytes` itself is only good while somebody holds this object, which `MappedFile(…).bytes`
  /// does not.
  public func contents() -> Data { withExtendedLifetime(self) { Data(bytes) } }
}
