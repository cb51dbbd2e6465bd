// A decoder-only transformer of any family in this folder: RMSNorm, rotary positions, grouped-query attention, gated
// MLP. It holds the weights, and `Transformer+Forward` computes with them. Of interpretability it knows only the hook
// sites that it visits. Families differ in `Configuration`, not in branches by family.
//
// Shape letters: T rows (tokens of all segments), d residual width, H query heads, K key–value heads, c head width.

import Kernels

/// A model, immutable once loaded; timelines live in `KVCache`.
public final class Transformer: Sendable {
  struct Block: Sendable {
    let attentionNorm: [Float]
    let mlpNorm: [Float]
    /// The norms after attention and MLP, if the family has them.
    let postAttentionNorm: [Float]?
    let postMLPNorm: [Float]?
    /// The norms `[c]` of each head's query and key, if the family has them.
    let queryNorm: [Float]?
    let keyNorm: [Float]?
    let weights: [Projection: WeightMatrix]
    let biases: [Projection: [Float]]
  }

  /// The family's name.
  let family: String
  /// How products with the weights are computed.
  public let precision: Precision
  public let configuration: Configuration
  /// The files of the weights; some weights are read from them as long as the model exists.
  let files: [MappedFile]
  let blocks: [Block]
  /// Rotary tables without positions, which each pass fills: for layers that see everything, and for those with a
  /// window if they differ.
  let rope: RotaryTable
  let localRope: RotaryTable?
  let embedding: WeightMatrix
  /// The weight of the final norm `[d]`.
  let finalNorm: [Float]
  /// The unembedding `[V, d]`, which is the embedding itself if the two are tied.
  let unembedding: WeightMatrix

  /// Loads the weights of a GGUF file.
  /// - Throws: `InferenceError` naming file and tensor if something is missing, has another shape or is not supported.
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
    // A model that also sees pictures keeps the configuration of its text model in an object of its own.
    if table["text_config"] != nil, case .object(let inner)? = members["text_config"] {
      try table.check(members, path: path)
      // Whether the embedding also serves as head is said outside that object.
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
  ///   - interleavedHalves: whether the rows of each head in q and k alternate between its halves.
  ///   - normOffset: the number added to the norms' weights.
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

  /// GGUF interleaves the halves of each head in q and k of some families (row 2 i + s is dimension s·c/2 + i). Loading
  /// undoes this, so that rotation, adapters and all other code use Hugging Face's order.
  private static func halfSplitOrder(rows: Int, headDimension c: Int) -> [Int32] {
    (0..<rows).map { row in
      let (head, dimension) = (row / c, row % c)
      let (half, i) = (dimension / (c / 2), dimension % (c / 2))
      return Int32(head * c + 2 * i + half)
    }
  }

  /// Checks that the weights' files are unchanged since they were read.
  /// - Throws: `InferenceError.fileChanged`.
  func checkFiles() throws(InferenceError) { for file in files { try file.check() } }

  /// Reads every weight that one token's logits need, once, and drops it: decoding cannot be faster than this.
  /// - Returns: the bytes read.
  public func readWeights() -> Int {
    let matrices = blocks.flatMap { $0.weights.values } + [unembedding]
    for matrix in matrices { matrix.read() }
    return matrices.reduce(0) { $0 + $1.byteCount }
  }

  /// The bytes of weights that are read directly from the files.
  var mappedBytes: Int {
    let matrices = blocks.flatMap { $0.weights.values } + [unembedding, embedding]
    return matrices.reduce(0) { $0 + ($1.isInPlace ? $1.byteCount : 0) }
  }

  /// The bytes that a token of one timeline takes.
  var cacheBytesPerToken: Int {
    2 * configuration.nLayers * configuration.nKeyValueHeads * configuration.headDimension * MemoryLayout<Float>.size
  }

  /// Makes an empty timeline.
  public func makeCache() -> KVCache {
    KVCache(layers: configuration.nLayers, width: configuration.nKeyValueHeads * configuration.headDimension)
  }
}
