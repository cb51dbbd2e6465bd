// Neuronpedia's bulk export: MODEL/SOURCE/{features,activations,explanations}/batch-N.jsonl, packed by gzip or not, and in the
// source's folder model.jsonl, source.jsonl and others, which are kept. Each line is an object; the table below says what its
// fields mean here, and every line is kept as it is for writing the export again. An index is a number or a text. A line
// that is no JSON, a field of another type, a record that comes twice and a latent that the features lack are errors.
// Source: neuronpedia ebb8426 (export-data.py), SAEDashboard db4839a (neuronpedia_export).

import Diffing
import Experiments
import Foundation
import Inference

/// The folder of one source of an export.
package struct NeuronpediaExport: DashboardSource {
  package static let form = "Neuronpedia's export"
  package static let kinds = ["features", "activations", "explanations"]
  /// The kind of the files that describe the source itself.
  package static let aboutKind = "about"

  package let path: String
  package let names: DashboardNames
  package let files: [DashboardFile]

  /// The treatment of each field of a line.
  package static let format = FormatTable(
    "Neuronpedia's export (features, activations, explanations)", reference: "neuronpedia ebb8426", unknown: .ignored,
    [
      .honoured("index", "The latent, a number or a text of digits."),
      .honoured("modelId, layer", "The names of the model and of the source, the same in all lines."),
      .honoured("id", "The record's name, which must not come twice among activations or explanations."),
      .honoured(
        "features: hookName", "Which block's output is read; hook_resid_pre of block L is the output of block L − 1."),
      .honoured("features: maxActApprox", "max_activation."),
      .honoured("features: frac_nonzero", "frequency."),
      .honoured("features: vector", "The latent's direction and its norm; it may be empty."),
      .honoured("features: pos_str, pos_values, neg_str, neg_values", "The logit lens."),
      .honoured("activations: tokens, values", "A context; one without an activation above 0 is kept and not shown."),
      .honoured("activations: dataSource", "The corpus."),
      .honoured("explanations: description, typeName, explanationModelName", "An explanation and its source."),
      .withoutEffect(
        "binMin, binMax, binContains, qualifyingTokenIndex", "Kept; bands are by the share of the maximum."),
      .withoutEffect("maxValue, minValue, maxValueTokenIndex", "Kept; the values say it."),
      .withoutEffect("features: freq_hist_data_bar_heights, freq_hist_data_bar_values", "Kept; their bins are linear."),
      .withoutEffect("any other field", "Kept, and written again by crosscope export."),
    ])

  package static func opened(_ path: String) throws -> (any DashboardSource)? {
    let folder = path.hasSuffix("/") && path.count > 1 ? String(path.dropLast()) : path
    if isSource(folder) { return try NeuronpediaExport(folder: folder) }
    let below = subfolders(folder).flatMap { isSource($0) ? [$0] : subfolders($0).filter(isSource) }
    guard below.count <= 1 else {
      throw InputError.invalid(
        source: path, expected: "the folder of one source",
        found: "\(below.count), such as \(below.sorted().prefix(3).joined(separator: ", "))")
    }
    return try below.first.map(NeuronpediaExport.init(folder:))
  }

  private static func subfolders(_ folder: String) -> [String] {
    ((try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? []).sorted().map { folder + "/" + $0 }
  }

  private static func isSource(_ folder: String) -> Bool {
    let batches = try? numberedFiles(in: folder + "/features", prefix: "batch-", endings: endings)
    return batches.map { !$0.isEmpty } ?? true && FileManager.default.fileExists(atPath: folder + "/features")
  }

  private static let endings = [".jsonl", ".jsonl.gz"]

  init(folder: String) throws {
    path = folder
    var files: [DashboardFile] = []
    for name in ["release", "model", "sourceset", "source"] {
      for ending in Self.endings where FileManager.default.fileExists(atPath: "\(folder)/\(name)\(ending)") {
        files.append(DashboardFile(path: "\(folder)/\(name)\(ending)", kind: Self.aboutKind, name: name + ".jsonl"))
        break
      }
    }
    for kind in Self.kinds {
      files += try numberedFiles(in: "\(folder)/\(kind)", prefix: "batch-", endings: Self.endings).map {
        DashboardFile(path: "\(folder)/\(kind)/\($0.name)", kind: kind, name: "\(kind)/batch-\($0.number).jsonl")
      }
    }
    self.files = files
    names = try Self.names(files)
  }

  /// What the first line of the features and source.jsonl say.
  private static func names(_ files: [DashboardFile]) throws -> DashboardNames {
    struct Head: Decodable { let modelId, layer, hookName: String? }
    struct Source: Decodable { let dataset: String? }
    var names = DashboardNames()
    for file in files {
      guard file.kind == "features" || file.name == "source.jsonl" else { continue }
      let lines = try LineReader(path: file.path)
      while let line = try lines.next() {
        guard !JSONLine.isBlank(line) else { continue }
        if file.name == "source.jsonl" {
          names.corpus = try decode(Source.self, line, file, lines.number).dataset
          break
        }
        let head = try decode(Head.self, line, file, lines.number)
        (names.model, names.dictionary) = (head.modelId, head.layer)
        if let layer = head.layer { names.namedLayer = Int(layer.prefix { $0.isASCII && $0.isNumber }) }
        if let hook = head.hookName { names.take(hook: hook) }
        return names
      }
    }
    return names
  }

  package func read(_ file: DashboardFile, after done: Int, _ take: (DashboardUnit) throws -> Void) throws {
    let lines = try LineReader(path: file.path)
    while let line = try lines.next() {
      guard lines.number > done, !JSONLine.isBlank(line) else { continue }
      var unit = DashboardUnit(number: lines.number, records: [], line: line, consumed: lines.consumed)
      switch file.kind {
      case "features":
        let feature = try Self.decode(Feature.self, line, file, lines.number)
        try check(feature.modelId, feature.layer, file, lines.number)
        if feature.hookName != names.hook {
          throw Self.invalid(
            file, lines.number, "hookName \(names.hook ?? "null"), as the first line has", feature.hookName ?? "null")
        }
        unit.name = "\(feature.index.value)"
        unit.records = [.latent(try feature.record { Self.invalid(file, lines.number, $0, $1) })]
      case "activations":
        let activation = try Self.decode(Activation.self, line, file, lines.number)
        try check(activation.modelId, activation.layer, file, lines.number)
        unit.name = activation.id
        unit.records = [.context(try activation.record { Self.invalid(file, lines.number, $0, $1) })]
      case "explanations":
        let explanation = try Self.decode(Explanation.self, line, file, lines.number)
        try check(explanation.modelId, explanation.layer, file, lines.number)
        unit.name = explanation.id
        unit.records = [.explanation(explanation.record)]
      default: break
      }
      try take(unit)
    }
  }

  /// Checks that a line is about the model and the source of the first one.
  private func check(_ model: String?, _ layer: String?, _ file: DashboardFile, _ line: Int) throws {
    if let model, let first = names.model, model != first {
      throw Self.invalid(file, line, "modelId \(first), as the first line of the features has", "\(model)")
    }
    if let layer, let first = names.dictionary, layer != first {
      throw Self.invalid(file, line, "layer \(first), as the first line of the features has", "\(layer)")
    }
  }

  static func decode<T: Decodable>(
    _ type: T.Type, _ line: ArraySlice<UInt8>, _ file: DashboardFile, _ number: Int
  ) throws -> T {
    do { return try decoder.decode(type, from: Data(line)) } catch let error as DecodingError {
      throw invalid(file, number, "a JSON object of \(file.kind)", error.clause)
    }
  }

  private static let decoder = JSONDecoder()

  private static func invalid(_ file: DashboardFile, _ line: Int, _ expected: String, _ found: String) -> InputError {
    .invalid(source: "\(file.path) \(file.unit) \(line)", expected: expected, found: String(found.prefix(120)))
  }
}

/// A latent's number, written as a number or as a text.
struct DashboardIndex: Decodable, Equatable {
  let value: Int

  init(from decoder: any Decoder) throws {
    let container = try decoder.singleValueContainer()
    let found = (try? container.decode(Int.self)) ?? (try? container.decode(String.self)).flatMap(Int.init)
    guard let found, (0..<Self.limit).contains(found) else {
      throw DecodingError.dataCorruptedError(in: container, debugDescription: "not a latent's number")
    }
    value = found
  }

  /// More than any dictionary has.
  static let limit = 1 << 24
}

extension NeuronpediaExport {
  struct Feature: Decodable {
    let modelId, layer, hookName: String?
    let index: DashboardIndex
    let maxActApprox, frac_nonzero: Double?
    let pos_str, neg_str: [String]?
    let pos_values, neg_values: [Double]?
    let vector: [Double]?

    func record(_ invalid: (String, String) -> InputError) throws -> DashboardLatent {
      guard maxActApprox.map({ $0 >= 0 }) ?? true else {
        throw invalid("maxActApprox of 0 or more", "\(maxActApprox ?? 0)")
      }
      guard frac_nonzero.map({ (0...1).contains($0) }) ?? true else {
        throw invalid("frac_nonzero from 0 to 1", "\(frac_nonzero ?? 0)")
      }
      return DashboardLatent(
        index: index.value, maxActivation: maxActApprox, frequency: frac_nonzero,
        promoted: try DashboardLatent.scores("pos", pos_str, pos_values, invalid),
        suppressed: try DashboardLatent.scores("neg", neg_str, neg_values, invalid),
        vector: (vector ?? []).map { Float($0) })
    }
  }

  struct Activation: Decodable {
    let id, modelId, layer, dataSource: String?
    let index: DashboardIndex
    let tokens: [String]
    let values: [Double]

    func record(_ invalid: (String, String) -> InputError) throws -> DashboardContext {
      guard tokens.count == values.count else {
        throw invalid("as many values as tokens", "\(values.count) and \(tokens.count)")
      }
      return DashboardContext(
        index: index.value, tokens: tokens.map { .text($0) }, values: values.map { Float($0) }, corpus: dataSource)
    }
  }

  struct Explanation: Decodable {
    let id, modelId, layer, typeName, explanationModelName: String?
    let index: DashboardIndex
    let description: String?

    var record: DashboardExplanation {
      let by = explanationModelName.map { $0.isEmpty ? "" : " by \($0)" } ?? ""
      let kind = typeName.map { $0.isEmpty ? "explanation" : $0 } ?? "explanation"
      return DashboardExplanation(index: index.value, text: description ?? "", source: kind + by)
    }
  }
}
