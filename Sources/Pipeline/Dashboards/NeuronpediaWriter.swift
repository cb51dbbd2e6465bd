// Writes a whole store as Neuronpedia's export: FOLDER/MODEL/SOURCE/{features,activations,explanations}/batch-N.jsonl.gz. Lines
// that came with an import are written as they were; explanations made since are a batch of their own. What no import brought is
// made from the store: its contexts, whose activations the store rounds to 1/65534 of a context's largest. The folder appears
// whole or not at all.

import Diffing
import Experiments
import Foundation
import Inference
import Storage

/// The export of one store.
package struct NeuronpediaWriter {
  package let store: Store
  /// The folder that is made.
  package let folder: String
  /// The decoder row of a latent, where there is a dictionary.
  package let vector: (Int) -> [Float]?
  private static let latentsPerBatch = 256
  /// The most bytes that a kept row may unpack to.
  private static let limit = 128 << 20

  package init(store: Store, folder: String, vector: @escaping (Int) -> [Float]?) {
    (self.store, self.folder, self.vector) = (store, folder, vector)
  }

  /// - Returns: the folder of the source.
  /// - Throws: `InferenceError.fileUnwritable`, also if there is a folder of this name.
  package func write() throws -> String {
    guard !FileManager.default.fileExists(atPath: folder) else {
      throw InferenceError.fileUnwritable(path: folder, reason: "something of this name is there already")
    }
    let temporary = "\(folder).\(getpid()).partial"
    try? FileManager.default.removeItem(atPath: temporary)
    defer { try? FileManager.default.removeItem(atPath: temporary) }
    let names = try names()
    let inner = "/\(Self.component(names.model))/\(Self.component(names.source))"
    for kind in NeuronpediaExport.kinds { try makeFolder(temporary + inner + "/" + kind) }
    if try store.keepsPublishedLines() {
      try writeKept(to: temporary + inner, names)
    } else {
      try writeOwn(to: temporary + inner, names)
    }
    guard rename(temporary, folder) == 0 else {
      throw InferenceError.fileUnwritable(path: folder, reason: String(cString: strerror(errno)))
    }
    return folder + inner
  }

  private typealias Names = (model: String, source: String, layer: Int)

  private func names() throws -> Names {
    let pair = try store.modelPair()
    if let published = try store.meta()[DashboardImport.sourceKey], let slash = published.firstIndex(of: "/") {
      let (model, source) = (published[..<slash], published[published.index(after: slash)...])
      if !model.isEmpty, !source.isEmpty { return (String(model), String(source), pair.layer) }
    }
    let model = pair.chat.split(separator: "/").last.map(String.init) ?? "model"
    return (model, "\(pair.layer)-crosscope-res-\(pair.nLatents)", pair.layer)
  }

  /// A name as the name of a folder: it leads nowhere else.
  static func component(_ name: String) -> String {
    let safe = String(name.map { $0 == "/" || $0 == "\0" ? "-" : $0 }.prefix(120))
    return safe.isEmpty || safe.allSatisfy({ $0 == "." }) ? "unnamed" : safe
  }

  // MARK: Kept lines

  private func writeKept(to folder: String, _ names: Names) throws {
    for kind in [NeuronpediaExport.aboutKind, "features", "activations"] {
      try writeKept(kind, to: folder) { _ in true }
    }
    // A text that was replaced since is not written.
    var texts: [Int: Set<[UInt8]>] = [:]
    var added: [ExplanationRecord] = []
    for latent in try store.latentIDs(sortedBy: .id) {
      for explanation in try store.explanations(of: latent) {
        if PublishedExplanation.place(of: explanation) == nil {
          added.append(explanation)
        } else {
          texts[latent, default: []].insert(Array(explanation.text.utf8))
        }
      }
    }
    var last = -1
    try writeKept("explanations", to: folder) { line in
      last = max(last, 0)
      guard let found = try? JSONDecoder().decode(NeuronpediaExport.Explanation.self, from: Data(line)) else {
        return true
      }
      let text = Array((found.description ?? "").utf8)
      // Texts that the store could not take are kept as well.
      return text.isEmpty || text.count > Store.longestExplanation || texts[found.index.value]?.contains(text) == true
    } began: { name in
      last = max(last, Int(name.drop { !$0.isNumber }.prefix { $0.isNumber }) ?? 0)
    }
    guard !added.isEmpty else { return }
    let file = try JSONLinesFile(folder + "/explanations/batch-\(last + 1).jsonl.gz")
    try write(added, to: file, names)
    try file.end()
  }

  /// Writes the kept lines of one kind to files of their names.
  private func writeKept(
    _ kind: String, to folder: String, where isKept: (ArraySlice<UInt8>) -> Bool, began: (String) -> Void = { _ in }
  ) throws {
    var open: (name: String, file: JSONLinesFile)?
    try store.publishedLines(kind: kind) { row in
      if open?.name != row.file {
        try open?.file.end()
        // The name comes from a file: it is one of the names that an import gives.
        let parts = row.file.split(separator: "/", omittingEmptySubsequences: false).map { Self.component(String($0)) }
        guard parts.count == (kind == NeuronpediaExport.aboutKind ? 1 : 2), parts.joined(separator: "/") == row.file,
          kind == NeuronpediaExport.aboutKind || parts[0] == kind
        else {
          throw StorageError.damaged(path: store.path, detail: "table published: \(row.file) is no name of a batch")
        }
        let ending = kind == NeuronpediaExport.aboutKind ? "" : ".gz"
        open = (row.file, try JSONLinesFile(folder + "/" + row.file + ending))
        began(row.file)
      }
      let lines = try Inflater.gunzip(Array(row.content), path: store.path, place: "table published", limit: Self.limit)
      for line in lines.split(separator: UInt8(ascii: "\n")) where isKept(line) { try open?.file.write(line) }
    }
    try open?.file.end()
  }

  // MARK: Lines of our own

  private func writeOwn(to folder: String, _ names: Names) throws {
    let latents = try store.latentIDs(sortedBy: .id)
    for (batch, start) in stride(from: 0, to: latents.count, by: Self.latentsPerBatch).enumerated() {
      let ids = latents[start..<min(start + Self.latentsPerBatch, latents.count)]
      let files = try NeuronpediaExport.kinds.map { try JSONLinesFile("\(folder)/\($0)/batch-\(batch).jsonl.gz") }
      for id in ids {
        let page = try store.page(of: id, contextLimit: 1000)
        try files[0].write(OwnFeature(page, names, vector: vector(id)))
        for context in page.contexts { try files[1].write(OwnActivation(page, context, names)) }
        try write(page.explanations, to: files[2], names)
      }
      for file in files { try file.end() }
    }
  }

  private func write(_ explanations: [ExplanationRecord], to file: JSONLinesFile, _ names: Names) throws {
    for explanation in explanations {
      file.count += 1
      try file.write(
        OwnExplanation(
          id: "crosscope-\(explanation.latent)-\(file.count)", modelId: names.model, layer: names.source,
          index: "\(explanation.latent)", description: explanation.text, typeName: explanation.source))
    }
  }

  private struct OwnFeature: Encodable {
    let modelId, layer, index: String
    let maxActApprox: Double
    let frac_nonzero: Double?
    let hasVector: Bool
    let vector: [Float]
    let hookName: String
    let vectorDefaultSteerStrength: Double
    let pos_str, neg_str: [String]
    let pos_values, neg_values: [Float]
    // Its bins have equal widths, those of a store have not.
    let freq_hist_data_bar_heights, freq_hist_data_bar_values: [Double]

    init(_ page: LatentPage, _ names: Names, vector: [Float]?) {
      (modelId, layer, index) = (names.model, names.source, "\(page.latent.id)")
      (maxActApprox, frac_nonzero) = (page.latent.maxActivation ?? 0, page.latent.frequency)
      (self.vector, hasVector) = (vector ?? [], vector != nil)
      (hookName, vectorDefaultSteerStrength) = ("blocks.\(names.layer).hook_resid_post", page.latent.maxActivation ?? 0)
      let lens = page.logits.first { $0.direction == .chat } ?? page.logits.first
      func texts(_ scores: [TokenScore]?) -> [String] { (scores ?? []).map { page.text(of: $0.token) } }
      (pos_str, neg_str) = (texts(lens?.promoted), texts(lens?.suppressed))
      (pos_values, neg_values) = ((lens?.promoted ?? []).map(\.value), (lens?.suppressed ?? []).map(\.value))
      (freq_hist_data_bar_heights, freq_hist_data_bar_values) = ([], [])
    }
  }

  private struct OwnActivation: Encodable {
    let id, modelId, layer, index: String
    let tokens: [String]
    let values: [Float]
    let maxValue, minValue: Float
    let maxValueTokenIndex: Int
    let dataSource: String
    let binMin, binMax: Double

    init(_ page: LatentPage, _ context: Context, _ names: Names) {
      let example = context.example
      id = "crosscope-\(example.latent)-\(example.quantile)-\(example.rank)"
      (modelId, layer, index) = (names.model, names.source, "\(example.latent)")
      (tokens, values) = (context.sequence.tokenIDs.map { page.text(of: $0) }, context.activations)
      (maxValue, minValue) = (context.maxActivation, values.min() ?? 0)
      (maxValueTokenIndex, dataSource) = (context.peak, context.sequence.corpus)
      let edges = [0, 0.25, 0.5, 0.75, 0.95, 1, 1], maximum = page.latent.maxActivation ?? Double(context.maxActivation)
      binMin = edges[example.quantile] * maximum
      binMax = max(edges[example.quantile + 1] * maximum, Double(context.maxActivation))
    }
  }

  private struct OwnExplanation: Encodable {
    let id, modelId, layer, index, description, typeName: String
  }
}

extension LatentPage {
  /// A token's text; its number in brackets if the store has no text for it.
  package func text(of token: Int32) -> String { tokens[token]?.text ?? "[\(token)]" }
}

/// A file of JSON lines, packed by gzip if its name ends in .gz.
final class JSONLinesFile {
  /// A count for whoever writes.
  var count = 0
  private let file: AtomicFile
  private let deflater: Deflater?
  private let encoder = JSONEncoder()

  init(_ path: String) throws(InferenceError) {
    file = try AtomicFile(path: path)
    deflater = path.hasSuffix(".gz") ? try Deflater() : nil
    encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
  }

  func write(_ value: some Encodable) throws { try write([UInt8](encoder.encode(value))[...]) }

  func write(_ line: ArraySlice<UInt8>) throws(InferenceError) {
    let bytes = Array(line) + [UInt8(ascii: "\n")]
    try file.write(deflater?.pack(bytes) ?? bytes)
  }

  func end() throws(InferenceError) {
    if let deflater { try file.write(deflater.pack([], last: true)) }
    try file.commit()
  }
}
