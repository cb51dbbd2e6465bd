// Finding added tokens (`<|im_start|>`, …) in text before it is cut into pieces: at each place the longest one.
// Control tokens are looked for only on request; user-defined ones always, as the format means them.

/// The added tokens of a vocabulary.
struct SpecialTokens: Sendable {
  private struct Candidate {
    var id: Int32
    var bytes: [UInt8]
    var isControl: Bool
  }

  /// Candidates by first byte, the longest first.
  private var byFirstByte = [[Candidate]](repeating: [], count: 256)
  private let hasUserDefined: Bool
  private let isEmpty: Bool

  init(_ vocabulary: Vocabulary) {
    var candidates: [Candidate] = []
    for id in 0..<vocabulary.count {
      let kind = vocabulary.kind(id)
      guard kind == .control || kind == .userDefined, !vocabulary.bytes(id).isEmpty else { continue }
      candidates.append(Candidate(id: Int32(id), bytes: Array(vocabulary.bytes(id)), isControl: kind == .control))
    }
    isEmpty = candidates.isEmpty
    hasUserDefined = candidates.contains { !$0.isControl }
    for candidate in candidates.sorted(by: { ($1.bytes.count, $0.id) < ($0.bytes.count, $1.id) }) {
      byFirstByte[Int(candidate.bytes[0])].append(candidate)
    }
  }

  /// The control token of that name.
  func control(named name: String) -> Int32? {
    guard let first = name.utf8.first else { return nil }
    return byFirstByte[Int(first)].first { $0.isControl && $0.bytes.elementsEqual(name.utf8) }?.id
  }

  /// Cuts `text` at the added tokens in it.
  /// - Parameters:
  ///   - control: whether control tokens count too.
  ///   - plain: called with what stands between, in order and never empty.
  ///   - special: called with each token found.
  func split(
    _ text: UnsafeBufferPointer<UInt8>, control: Bool, plain: (UnsafeBufferPointer<UInt8>) -> Void,
    special: (Int32) -> Void
  ) {
    var start = 0
    var position = 0
    if !isEmpty && (control || hasUserDefined) {
      while position < text.count {
        guard let found = match(text, at: position, control: control) else {
          position += 1
          continue
        }
        if start < position { plain(UnsafeBufferPointer(rebasing: text[start..<position])) }
        special(found.id)
        position += found.bytes.count
        start = position
      }
    }
    if start < text.count { plain(UnsafeBufferPointer(rebasing: text[start...])) }
  }

  private func match(_ text: UnsafeBufferPointer<UInt8>, at position: Int, control: Bool) -> Candidate? {
    let candidates = byFirstByte[Int(text[position])]
    guard !candidates.isEmpty else { return nil }
    return candidates.first { candidate in
      (control || !candidate.isControl) && candidate.bytes.count <= text.count - position
        && text[position..<position + candidate.bytes.count].elementsEqual(candidate.bytes)
    }
  }
}
