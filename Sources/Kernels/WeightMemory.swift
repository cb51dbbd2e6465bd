// Memory for packed weights: large mappings, for which the system is asked to use huge pages, cut up from the front.
// Decoding waits for reads of weights, and with 4 KB pages a tenth of that time goes into looking up addresses. A
// mapping is freed when no part of it is in use any more. Without memory the program ends.

import Glibc
import Synchronization

/// One mapping. Each user of a part holds the mapping alive.
final class WeightMemory: Sendable {
  // Sharing is safe: the pointer is set once in init, and each part goes to one user, who alone writes to it.
  private nonisolated(unsafe) let start: UnsafeMutableRawPointer
  private let size: Int
  private let used = Atomic<Int>(0)

  private static let hugePage = 2 << 20
  /// The mapping from which the next parts are cut.
  private static let current = Mutex<WeightMemory?>(nil)

  private init(atLeast count: Int) {
    // A few small models fit into one mapping; pages that are never touched cost nothing.
    size = (max(count, 32 << 20) + 2 * Self.hugePage - 1) / Self.hugePage * Self.hugePage
    guard let mapping = mmap(nil, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0),
      mapping != MAP_FAILED
    else { fatalError("no memory for \(count) bytes of weights; close other programs or use a smaller model") }
    start = mapping
    // A system without huge pages refuses this call, and pages stay small.
    madvise(mapping, size, MADV_HUGEPAGE)
    let misaligned = Int(bitPattern: mapping) & (Self.hugePage - 1)
    used.store(misaligned == 0 ? 0 : Self.hugePage - misaligned, ordering: .relaxed)
  }

  deinit { munmap(start, size) }

  /// Allocates uninitialised memory aligned to 64 bytes.
  /// - Returns: the address, and the object to hold while the memory is in use.
  static func allocate(_ count: Int) -> (UnsafeMutableRawPointer, WeightMemory) {
    current.withLock { current in
      if let memory = current, let part = memory.cut(count) { return (part, memory) }
      let memory = WeightMemory(atLeast: count)
      guard let part = memory.cut(count) else { preconditionFailure("a new mapping is large enough") }
      // A large matrix fills a mapping of its own; the rest of the other mapping serves the next matrix.
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
