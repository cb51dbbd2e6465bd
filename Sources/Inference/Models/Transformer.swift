// A decoder-only transformer of any family in this folder: RMSNorm, rotary positions, grouped-query attention, gated MLP.
// Owns: the weights; `Transformer+Forward` computes with them. Knows nothing of interpretability but the hook sites it
// visits. What families do otherwise stands in `Configuration`, not in branches by family.
//
// Shape letters: T rows (tokens of all segments), d residual width, H query heads, K key–value heads, c head width.

import Kernels

/// A model, immutable once loaded; timelines live in `KVCache`.
public final class Transformer: Sendable {
  struct Block: Sendable {
    let attentionNorm: [Float]
    let mlpNorm: [Float]
    /// Norms of what attention and MLP give, where the family has them.
    let postAttentionNorm: [Float]?
    let postMLPNorm: [Float]?
    /// Norms `[c]` of each head's query and key, where the family has them.
    let queryNorm: [Float]?
    let keyNorm: [Float]?
    let weights: [Projection: WeightMatrix]
    let biases: [Projection: [Float]]
  }

  /// The family's name.
  public let family: String
  /// How products with the weights are computed.
  public let precision: Precision
  public let configuration: Configuration
  /// What the weights are read from, some of them for as long as the model is there.
  let files: [MappedFile]
  let blocks: [Block]
  /// Rotary tables without positions, for each pass to fill: of layers that see everything, and of those with a window
  /// where they differ.
  let rope: RotaryTable
  let localRope: RotaryTable?
  let embedding: WeightMatrix
  /// Final norm's weight `[d]`.
  let finalNorm: [Float]
  /// Unembedding `[V, d]`; the embedding itself where the two are tied.
  let unembedding: WeightMatrix

  /// Loads the weights of a GGUF file.
  /// - Throws: `InferenceError` naming file and tensor where something is missing, mis-shaped or unsupported.
  public convenience init(gguf file: GGUFFile, precision: Precision = .exact) throws(InferenceError) {
    let family = try ModelFamily.of(file)
    let keys = ModelKeys(path: file.path, source: .gguf(file, architecture: family.architecture), table: .gguf(family))
    try self.init(
      family, Configuration(keys, family: family), GGUFWeights(file: file),
      interleavedHalves: family.interleavesHalvesInGGUF, normOffset: 0, precision: precision)
  }

  /// Loads the weights of a Hugging Face folder.
  convenience init(folder: ModelFolder, precision: Precision) throws(InferenceError) {
    let path = folder.configurationPath
    let modelType = folder.configuration["model_type"]?.string
    let family = try ModelFamily.of(modelType: modelType, path: path)
    let table = FormatTable.configuration(family)
    var members = folder.configuration
    // A model that also sees pictures keeps the text model's configuration in an object of its own.
    if table["text_config"] != nil, case .object(let inner)? = members["text_config"] {
      try table.check(members, path: path)
      // Whether the head is the embedding is said outside of it.
      let tie = "tie_word_embeddings"
      members = inner.filter { $0.key != tie }.merging(members.filter { $0.key == tie }) { $1 }
    }
    let keys = ModelKeys(path: path, source: .json(members, defaults: family.defaults), table: table)
    var configuration = try Configuration(keys, family: family)
    let weights = try SafetensorsWeights(folder: folder, configuration: &configuration)
    try self.init(
      family, configuration, weights,
      interleavedHalves: false, normOffset: family.normOffset, precision: precision)
  }

  /// Reads all weights.
  /// - Parameters:
  ///   - interleavedHalves: whether each head's rows of q and k alternate between its halves.
  ///   - normOffset: what is added to the norms' weights.
  init(
    _ family: ModelFamily, _ configuration: Configuration, _ source: any ModelWeights, interleavedHalves: Bool,
    normOffset: Float, precision: Precision
  ) throws(InferenceError) {
    try source.refuseTensors(
      otherThan: configuration.weightNames, of: "a plain \(family.name) of \(configuration.nLayers) blocks")
    let (d, c) = (configuration.dModel, configuration.headDimension)
    func norm(_ name: WeightName, _ count: Int) throws(InferenceError) -> [Float] {
      let weight = try source.vector(name, count: count)
      return normOffset == 0 ? weight : weight.map { $0 + normOffset }
    }
    func norm(_ layer: Int, _ part: BlockWeight, _ count: Int, if exists: Bool) throws(InferenceError) -> [Float]? {
      exists ? try norm(.block(layer, part), count) : nil
    }
    func order(_ projection: Projection) -> [Int32]? {
      guard interleavedHalves, projection == .q || projection == .k else { return nil }
      return Transformer.halfSplitOrder(rows: configuration.shape(of: projection).rows, headDimension: c)
    }
    var blocks: [Block] = []
    for layer in 0..<configuration.nLayers {
      var weights: [Projection: WeightMatrix] = [:]
      var biases: [Projection: [Float]] = [:]
      for projection in Projection.allCases {
        let (rows, columns) = configuration.shape(of: projection)
        let order = order(projection)
        weights[projection] = try source.matrix(
          .block(layer, .matrix(projection)), rows: rows, columns: columns, rowOrder: order)
        guard configuration.biases.contains(projection) else { continue }
        let bias = try source.vector(.block(layer, .bias(projection)), count: rows)
        biases[projection] = order.map { $0.map { bias[Int($0)] } } ?? bias
      }
      let (headNorms, postNorms) = (configuration.hasHeadNorms, configuration.hasPostNorms)
      blocks.append(
        Block(
          attentionNorm: try norm(.block(layer, .attentionNorm), d), mlpNorm: try norm(.block(layer, .mlpNorm), d),
          postAttentionNorm: try norm(layer, .postAttentionNorm, d, if: postNorms),
          postMLPNorm: try norm(layer, .postMLPNorm, d, if: postNorms),
          queryNorm: try norm(layer, .queryNorm, c, if: headNorms),
          keyNorm: try norm(layer, .keyNorm, c, if: headNorms), weights: weights, biases: biases))
    }
    self.family = family.name
    self.precision = precision
    self.configuration = configuration
    files = source.files
    self.blocks = blocks
    func table(_ rope: Rotary) -> RotaryTable {
      RotaryTable(inverseFrequencies: rope.inverseFrequencies(headDimension: c))
    }
    rope = table(configuration.rope)
    localRope = configuration.localRope.map(table)
    embedding = try source.matrix(.embedding, rows: configuration.vocabSize, columns: d, rowOrder: nil)
    finalNorm = try norm(.finalNorm, d)
    unembedding =
      configuration.tiesEmbeddings
      ? embedding : try source.matrix(.unembedding, rows: configuration.vocabSize, columns: d, rowOrder: nil)
  }

  /// GGUF interleaves each head's halves in q and k of some families (row 2 i + s is dimension s·c/2 + i); undone at
  /// load, so that rotation, adapters and everything else use Hugging Face's order.
  private static func halfSplitOrder(rows: Int, headDimension c: Int) -> [Int32] {
    (0..<rows).map { row in
      let (head, dimension) = (row / c, row % c)
      let (half, i) = (dimension / (c / 2), dimension % (c / 2))
      return Int32(head * c + 2 * i + half)
    }
  }

  /// Makes sure that the files that the weights came from are what they were when they were read.
  /// - Throws: `InferenceError.fileChanged`.
  func checkFiles() throws(InferenceError) { for file in files { try file.check() } }

  /// Reads every weight that one token's logits need, once and for nothing: the time that decoding cannot beat.
  /// - Returns: the bytes read.
  public func readWeights() -> Int {
    let matrices = blocks.flatMap { $0.weights.values } + [unembedding]
    for matrix in matrices { matrix.read() }
    return matrices.reduce(0) { $0 + $1.byteCount }
  }

  /// Bytes of the weights that are read where the files have them.
  var mappedBytes: Int {
    let matrices = blocks.flatMap { $0.weights.values } + [unembedding, embedding]
    return matrices.reduce(0) { $0 + ($1.isInPlace ? $1.byteCount : 0) }
  }

  /// Bytes that a token of one timeline takes.
  var cacheBytesPerToken: Int {
    2 * configuration.nLayers * configuration.nKeyValueHeads * configuration.headDimension * MemoryLayout<Float>.size
  }

  /// A new, empty timeline.
  public func makeCache() -> KVCache {
    KVCache(layers: configuration.nLayers, width: configuration.nKeyValueHeads * configuration.headDimension)
  }
}
