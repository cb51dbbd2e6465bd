// Reads a size of memory as people write it.

/// A number of bytes, with K, M, G or T for powers of 1000, on the command line and in the configuration.
package struct MemorySize: Equatable {
  package let bytes: Int

  /// - Throws: `WrittenFormError`.
  package init(_ text: String) throws {
    let units: [Character: Double] = ["K": 1e3, "M": 1e6, "G": 1e9, "T": 1e12]
    let unit = text.last.flatMap { units[Character($0.uppercased())] }
    let digits = unit == nil ? Substring(text) : text.dropLast()
    guard digits.allSatisfy({ $0.isASCII && ($0.isNumber || $0 == ".") }), let number = Double(digits),
      case let bytes = number * (unit ?? 1), bytes >= 1, bytes < 1e18
    else { throw WrittenFormError("\(quoted(text)): memory is a number of bytes, as in 4G or 800M") }
    self.bytes = Int(bytes)
  }
}
