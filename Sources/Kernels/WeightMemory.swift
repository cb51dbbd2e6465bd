// Memory for packed weights: large mappings that the system is asked to back with huge pages, cut up from the front.
// Reading weights is what decoding waits for, and with pages of 4 KB a tenth of that is looking up addresses.
// Owns: the mappings, each until nothing in it is used any more. Refuses: nothing; without memory the program ends.

import Glibc
import Synchronization

/// One mapping; whoever uses a part of it holds it.
final class WeightMemory: Sendable {
  // Safe to share: set once in init; parts are handed out once each and written only by whoever got them.
  private nonisolated(unsafe) let start: UnsafeMutableRawPointer
  private let size: Int
  private let used = Atomic<Int>(0)

  private static let hugePage = 2 << 20
  /// The mapping that parts are cut from.
  private static let current = Mutex<WeightMemory?>(nil)

  private init(atLeast count: Int) {
    // A few small models fit into one; what is never touched costs nothing.
    size = (max(count, 32 << 20) + 2 * Self.hugePage - 1) / Self.hugePage * Self.hugePage
    guard let mapping = mmap(nil, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0),
      mapping != MAP_FAILED
    else { fatalError("no memory for \(count) bytes of weights; close other programs or use a smaller model") }
    start = mapping
    // A system without huge pages refuses, and pages stay small.
    madvise(mapping, size, MADV_HUGEPAGE)
    let misaligned = Int(bitPattern: mapping) & (Self.hugePage - 1)
    used.store(misaligned == 0 ? 0 : Self.hugePage - misaligned, ordering: .relaxed)
  }

  deinit { munmap(start, size) }

  /// Uninitialised memory aligned to 64 bytes.
  /// - Returns: where it is, and the object to hold for as long as it is used.
  static func allocate(_ count: Int) -> (UnsafeMutableRawPointer, WeightMemory) {
    current.withLock { current in
      if let memory = current, let part = memory.cut(count) { return (part, memory) }
      let memory = WeightMemory(atLeast: count)
      guard let part = memory.cut(count) else { preconditionFailure("a new mapping is large enough") }
      // A large matrix fills a mapping of its own; what is left of the other one serves the next.
      if count < 16 << 20 || current == nil { current = memory }
      return (part, memory)
    }
  }

  private func cut(_ count: Int) -> UnsafeMutableRawPointer? {
    let first = (used.load(ordering: .relaxed) + 63) / 64 * 64
    guard first + count <= size else { return nil }
    used.store(first + count, ordering: .relaxed)
    return start + first
  }
}
