import Inference

extension GGUFTensor {
  /// Passes the elements' bytes to `body`, row after row, while the file stays mapped.
  public func withBytes<Result, Failure: Error>(
    _ body: (UnsafeRawBufferPointer) throws(Failure) -> Result
  ) throws(Failure) -> Result {
    defer { withExtendedLifetime(file) {} }
    return try body(bytes)
  }
}
