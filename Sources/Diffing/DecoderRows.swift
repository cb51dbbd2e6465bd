// The decoder directions of a dictionary, read where they lie: in memory, or in a mapped checkpoint of any size. Norms
// and cosines come from one pass over the rows. Whoever makes a value has checked shapes and finiteness.
// Shape letters: F latents, d width of one model.

import Inference
import Kernels

/// Rows d_j^m, readable in place.
public struct DecoderRows: Sendable {
  /// How rows follow one another.
  enum Layout: Sendable {
    /// `[2, F, d]`, the published layout.
    case modelFirst
    /// `[F, 2, d]`, the layout in memory and in the earlier replication.
    case latentFirst
    /// The directions of one model only: where the first one begins, and the values from one to the next.
    case sole(PairModel, offset: Int, step: Int)
  }

  private enum Storage: Sendable {
    case values([Float])
    /// A tensor that has `floatsInPlace`.
    case tensor(SafetensorsTensor)
  }

  public let nLatents: Int
  public let dModel: Int
  let layout: Layout
  private let storage: Storage

  /// Rows over values in memory.
  init(values: [Float], nLatents: Int, dModel: Int, layout: Layout) {
    (self.nLatents, self.dModel, self.layout, storage) = (nLatents, dModel, layout, .values(values))
  }

  /// Rows of a tensor: in place if it is aligned fp32, else a copy in fp32.
  init(tensor: SafetensorsTensor, nLatents: Int, dModel: Int, layout: Layout) throws(InferenceError) {
    (self.nLatents, self.dModel, self.layout) = (nLatents, dModel, layout)
    storage = tensor.floatsInPlace == nil ? .values(try tensor.floats()) : .tensor(tensor)
  }

  /// Whether the dictionary has directions in that model.
  public func has(_ model: PairModel) -> Bool {
    if case .sole(let only, _, _) = layout { only == model } else { true }
  }

  /// Calls `body` with the first row of a model and the number of values from one row to the next; nil if the
  /// dictionary has no directions in that model.
  func withRows<Result>(of model: PairModel, _ body: (UnsafePointer<Float>, _ step: Int) -> Result) -> Result? {
    guard has(model) else { return nil }
    let (offset, step) =
      switch layout {
      case .modelFirst: (model.index * nLatents * dModel, dModel)
      case .latentFirst: (model.index * dModel, 2 * dModel)
      case .sole(_, let offset, let step): (offset, step)
      }
    func call(_ values: UnsafeBufferPointer<Float>) -> Result? {
      values.baseAddress.map { body($0 + offset, step) }
    }
    switch storage {
    case .values(let values): return values.withUnsafeBufferPointer(call)
    case .tensor(let tensor):
      defer { withExtendedLifetime(tensor) {} }
      return tensor.floatsInPlace.flatMap(call)
    }
  }

  /// The direction d_j of one model, `[d]`, not normalised; nil if the dictionary has none in that model.
  public func direction(_ latent: Int, _ model: PairModel) -> [Float]? {
    precondition((0..<nLatents).contains(latent), "there is no latent \(latent) among \(nLatents)")
    return withRows(of: model) { rows, step in
      Array(UnsafeBufferPointer(start: rows + latent * step, count: dModel))
    }
  }

  /// The directions of some latents as unit rows `[n, d]`; a direction of length 0 stays 0.
  func unitDirections(_ latents: [Int], _ model: PairModel) -> Matrix {
    var unit = Matrix(rows: latents.count, columns: dModel)
    _ = withRows(of: model) { rows, step in
      for (row, latent) in latents.enumerated() {
        let direction = rows + latent * step
        let norm = squareSum(direction, count: dModel).squareRoot()
        guard norm > 0 else { continue }
        for column in 0..<dModel { unit[row, column] = Float(Double(direction[column]) / norm) }
      }
    }
    return unit
  }

  /// Norms and cosines of all latents, in one pass over the rows.
  public func geometry() -> DecoderGeometry {
    var geometry = DecoderGeometry(nLatents: nLatents)
    let norms = PairModel.allCases.map { model in
      withRows(of: model) { rows, step in perLatent { squareSum(rows + $0 * step, count: dModel).squareRoot() } }
    }
    (geometry.baseNorms, geometry.chatNorms) = (norms[0], norms[1])
    if let base = norms[0], let chat = norms[1] {
      let dots = withRows(of: .base) { baseRows, step in
        withRows(of: .chat) { chatRows, _ in
          perLatent { dotInDouble(baseRows + $0 * step, chatRows + $0 * step, count: dModel) }
        }
      }
      geometry.cosines = (dots ?? nil)?.enumerated().map { latent, dot in
        let product = base[latent] * chat[latent]
        return product > 0 ? min(1, max(-1, dot / product)) : nil
      }
    }
    return geometry
  }

  private func perLatent(_ body: (Int) -> Double) -> [Double] {
    [Double](unsafeUninitializedCapacity: nLatents) { values, count in
      count = nLatents
      inPieces(of: 256, count: nLatents) { for latent in $0 { values[latent] = body(latent) } }
    }
  }
}

/// The figures that decoder directions alone give; nil if the dictionary has no such direction.
public struct DecoderGeometry: Sendable, Equatable {
  public let nLatents: Int
  /// ‖d_j^base‖ and ‖d_j^chat‖ `[F]`.
  public internal(set) var baseNorms: [Double]?
  public internal(set) var chatNorms: [Double]?
  /// The cosine of the two `[F]`; nil if one of them has length 0.
  public internal(set) var cosines: [Double?]?

  init(nLatents: Int) { self.nLatents = nLatents }

  /// Δ of one latent; nil without two directions, or if both have length 0.
  public func deltaNorm(_ latent: Int) -> Double? {
    guard let base = baseNorms?[latent], let chat = chatNorms?[latent] else { return nil }
    return relativeNormDifference(base: base, chat: chat)
  }
}

extension Crosscoder {
  /// The decoder's rows, shared with this crosscoder. A dictionary with one direction a latent has rows in chat only.
  public var decoderRows: DecoderRows {
    guard target != .pair else {
      return DecoderRows(values: decoder.values, nLatents: nLatents, dModel: dModel, layout: .latentFirst)
    }
    var values: [Float] = []
    values.reserveCapacity(nLatents * dModel)
    for latent in 0..<nLatents { values += decoderDirection(latent, .chat) }
    return DecoderRows(
      values: values, nLatents: nLatents, dModel: dModel, layout: .sole(.chat, offset: 0, step: dModel))
  }
}
