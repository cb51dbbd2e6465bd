// A batch in the form that the forward pass needs: which rows belong to which segment, and which segments reach a
// block. Tokens outside the vocabulary and timelines beyond the context length are errors.

/// The rows of a batch, ordered so that segments that end first come last.
struct BatchPlan {
  let segments: [Segment]
  /// The segments' indices in the order of rows.
  let order: [Int]
  /// The rows of each segment, by segment index.
  var rows: [Range<Int>]
  let total: Int
  /// The block after which the pass starts; nil if it starts with embeddings.
  let start: Int?

  init(_ segments: [Segment], _ configuration: Transformer.Configuration) throws(InferenceError) {
    let last = configuration.nLayers - 1
    let start = segments.first?.start?.layer
    for segment in segments {
      try Self.check(segment, configuration)
      precondition(segment.start?.layer == start, "segments that start at different blocks")
    }
    self.start = start
    self.segments = segments
    order = segments.indices.sorted {
      let (a, b) = (segments[$0].lastLayer ?? last, segments[$1].lastLayer ?? last)
      return a == b ? $0 < $1 : a > b
    }
    rows = [Range<Int>](repeating: 0..<0, count: segments.count)
    var next = 0
    for index in order {
      rows[index] = next..<next + segments[index].tokens.count
      next += segments[index].tokens.count
    }
    total = next
  }

  private static func check(
    _ segment: Segment, _ configuration: Transformer.Configuration
  ) throws(InferenceError) {
    let last = configuration.nLayers - 1
    if let bad = segment.tokens.first(where: { $0 < 0 || $0 >= configuration.vocabSize }) {
      throw .settingInvalid(name: "token id", expected: "0…\(configuration.vocabSize - 1)", found: "\(bad)")
    }
    let length = segment.cache.count + segment.tokens.count
    guard length <= configuration.contextLength else {
      throw .settingInvalid(
        name: Setting("text length", .text), expected: "at most \(configuration.contextLength) tokens",
        found: "\(length)")
    }
    precondition(segment.lastLayer == nil || segment.logits == .none, "no logits without the last block")
    precondition((0...last).contains(segment.lastLayer ?? last), "no such block")
    guard let start = segment.start else { return }
    precondition(start.layer >= 0 && start.layer <= segment.lastLayer ?? last, "a start beyond the last block")
    precondition(start.residual.count == segment.tokens.count * configuration.dModel, "a row for each token")
  }

  /// What reaches a block: the number of rows and the rows of its segments.
  func reaching(_ layer: Int) -> (count: Int, segments: [SegmentRows]) {
    let here = order.filter { (segments[$0].lastLayer ?? layer) >= layer && !rows[$0].isEmpty }
    let views = here.map {
      SegmentRows(segment: $0, stream: segments[$0].stream, rows: rows[$0], firstPosition: segments[$0].cache.count)
    }
    return (views.last?.rows.upperBound ?? 0, views)
  }
}
