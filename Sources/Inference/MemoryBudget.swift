// Checks, before work begins, whether the memory for it is there. Work that does not fit is refused with figures;
// otherwise the system would end the program in the middle of it. Callers compute what they need.

import Synchronization

/// The memory that this process may use.
public enum MemoryBudget {
  /// Work below this size is not checked: reading the system's figures would cost more than it saves.
  static let smallest = 64 << 20
  /// The user's limit in bytes; 0 means all there is.
  private static let allowed = Atomic<Int>(0)

  /// Sets the limit, which includes mapped models.
  public static func limit(bytes: Int) { allowed.store(bytes, ordering: .relaxed) }

  /// The bytes that can still be allocated.
  /// - Parameter mapped: bytes of mapped files that must stay in memory as well; the system counts them as free.
  public static func available(besides mapped: Int = 0) -> Int { bound(besides: mapped, .init()).bytes }

  /// Checks that something fits.
  /// - Parameters:
  ///   - bytes: its size.
  ///   - mapped: see `available(besides:)`.
  ///   - what: its name in the error, in the plural: "the weights of model.gguf".
  ///   - remedy: the end of the error's line.
  /// - Throws: `InferenceError.memoryShort`.
  public static func require(
    _ bytes: Int, besides mapped: Int = 0, for what: @autoclosure () -> String, remedy: @autoclosure () -> String
  ) throws(InferenceError) {
    try require(bytes, besides: mapped, for: what(), remedy: remedy(), .init())
  }

  static func require(
    _ bytes: Int, besides mapped: Int, for what: @autoclosure () -> String, remedy: @autoclosure () -> String,
    _ system: SystemMemory
  ) throws(InferenceError) {
    guard bytes + mapped >= smallest else { return }
    let bound = bound(besides: mapped, system)
    guard bytes > bound.bytes else { return }
    let available = bound.bytes + (bound.countsMapped ? mapped : 0)
    throw .memoryShort(
      what: what(), needed: bytes + (bound.countsMapped ? mapped : 0), available: available, limit: bound.name,
      remedy: remedy())
  }

  private static func bound(
    besides mapped: Int, _ system: SystemMemory
  ) -> (bytes: Int, name: String, countsMapped: Bool) {
    var bounds = system.physical().map { (bytes: $0.bytes - mapped, name: $0.name, countsMapped: true) }
    let limit = allowed.load(ordering: .relaxed)
    if limit > 0 { bounds.append((limit - system.ownBytes() - mapped, "--memory", true)) }
    bounds += system.requested().map { ($0.bytes, $0.name, false) }
    return bounds.min { $0.bytes < $1.bytes } ?? (Int.max, "", false)
  }
}

extension InferenceError {
  /// A size for people: "5.2 GB", "310 MB".
  static func size(_ bytes: Int) -> String {
    let megabytes = Double(bytes) / 1e6
    guard megabytes >= 1000 else { return "\(Int(megabytes.rounded())) MB" }
    let tenths = Int((megabytes / 100).rounded())
    return "\(tenths / 10).\(tenths % 10) GB"
  }
}
