// Times as plain numbers, for figures and records.

extension Duration {
  /// The length in seconds.
  public var seconds: Double { self / .seconds(1) }
}
