// Opens a published dictionary: finds the file of tensors in a folder, the form that recognises it (`DictionaryForm`), and
// asks that form for all the rest. `TensorFile` reads the container: safetensors, PyTorch zip or numpy's archive.
// Tensors that the form does not read, other shapes than it expects and fields that ask for something else are errors.
// Shape letters: F latents, d width of one model.

import Foundation
import Inference
import Kernels

/// A dictionary on disk: a crosscoder, an SAE or a transcoder. Opening it reads no weights.
public struct CrosscoderFile: Sendable {
  /// The file of tensors.
  public let path: String
  /// The name of the form.
  public let form: String
  private let opened: OpenedDictionary
  let reader: CheckpointReader

  public var dModel: Int { opened.dModel }
  public var nLatents: Int { opened.nLatents }
  /// What the files beside it say about it.
  public var card: CrosscoderCard { opened.card }
  /// The model that its configuration or its path names.
  public var modelName: String? { opened.modelName }
  /// What the dictionary reads: `.pair`, one model or chat − base.
  public var target: TrainingTarget { opened.target }
  /// Whether the dictionary reads base − chat, which is turned to chat − base.
  public var isTurned: Bool { opened.isTurned }
  /// What a user should know about the dictionary, one line each.
  public var notes: [String] { opened.notes }

  /// Opens a folder of one of the forms, or a single file of tensors.
  /// - Parameter choice: what is said about a dictionary whose files do not say it.
  /// - Throws: `DiffingError.file`, `.configurationInvalid`, `.shapeMismatch`, `.unsupported`, `.notSaid`.
  public init(path given: String, choice: DictionaryChoice = DictionaryChoice()) throws(DiffingError) {
    let path = try Self.tensors(in: given)
    let reader = CheckpointReader(file: try reading { () throws(InferenceError) in try TensorFile(path: path) })
    (self.path, self.reader) = (path, reader)
    let folder = DictionaryFolder(
      path: path, folder: URL(fileURLWithPath: path).deletingLastPathComponent().path, reader: reader, choice: choice)
    var found: DictionaryForm?
    for form in DictionaryForm.all where found == nil {
      if try form.recognises(folder) { found = form }
    }
    guard let found else {
      let names = reader.file.names.sorted().prefix(6).map { String($0.prefix(40)) }.joined(separator: ", ")
      throw .unsupported(
        path: path, what: "a dictionary with the tensors", found: names.isEmpty ? "none" : names,
        supported:
          "encoder.weight, W_enc, w_enc or W_E (crosscoders, SAEs and transcoders of the forms in docs/formats.md)")
    }
    form = found.name
    opened = try found.open(folder)
    for (name, shape) in opened.tensors.sorted(by: { $0.key < $1.key }) { try reader.require(name, shape) }
    try reader.refuseTensors(otherThan: Set(opened.tensors.keys))
  }

  /// The file of tensors in a folder, or in the only folder inside it that has one, as eai-sparsify and others leave it.
  private static func tensors(in given: String) throws(DiffingError) -> String {
    var isFolder: ObjCBool = false
    let manager = FileManager.default
    guard manager.fileExists(atPath: given, isDirectory: &isFolder), isFolder.boolValue else { return given }
    func found(_ folder: String) -> String? {
      DictionaryForm.files.map { folder + "/" + $0 }.first { manager.fileExists(atPath: $0) }
    }
    if let path = found(given) { return path }
    let inside = ((try? manager.contentsOfDirectory(atPath: given)) ?? []).sorted().filter {
      found(given + "/" + $0) != nil
    }
    if inside.count == 1, let path = found(given + "/" + inside[0]) { return path }
    throw .file(
      .fileUnreadable(
        path: given,
        reason: inside.isEmpty
          ? "none of \(DictionaryForm.files.joined(separator: ", ")) is in it"
          : "it holds several dictionaries; give one of the folders "
            + inside.prefix(8).map { InferenceError.excerpt($0) }.joined(separator: ", ")))
  }

  /// Checks that the dictionary's directions can be browsed and steered with.
  /// - Throws: `DiffingError.unsupported` for a place that steering does not reach, `.notSaid` with the option that says
  ///   what the files leave open.
  public func requirePlace() throws(DiffingError) {
    if let fault = opened.fault { throw fault }
  }

  /// Checks that the file has not changed since it was opened, so that all that was read so far, decoder rows in place
  /// included, is its own.
  public func check() throws(DiffingError) {
    try reading { () throws(InferenceError) in try reader.file.check() }
  }

  /// Checks the same, and that the path still leads to this file.
  /// - Throws: `DiffingError.file(.fileChanged)`.
  public func checkName() throws(DiffingError) {
    try reading { () throws(InferenceError) in try reader.file.checkName() }
  }

  /// The SHA-256 of the file of tensors. It reads the whole file.
  public func sha256() throws(DiffingError) -> String {
    try reading { () throws(InferenceError) in try reader.file.sha256() }
  }

  /// The decoder's rows: in place if the file holds them so as aligned fp32, else a copy in fp32.
  /// - Throws: `DiffingError.shapeMismatch`, `.notFinite` naming the tensor and element.
  public func decoderRows() throws(DiffingError) -> DecoderRows { try opened.decoderRows() }

  /// The names of the tensor that `decoderRows` checks.
  private static let decoders: Set = ["decoder.weight", "W_dec", "w_dec", "W_D"]

  /// Checks every other tensor by reading it, and keeps nothing of it.
  /// - Throws: `DiffingError.shapeMismatch`, `.notFinite` naming the tensor and element, `.unsupported`.
  public func checkRest() throws(DiffingError) {
    for (name, shape) in opened.tensors.sorted(by: { $0.key < $1.key }) {
      guard !opened.optional.contains(name), !Self.decoders.contains(name) else { continue }
      if shape.isEmpty {
        _ = try reading { () throws(InferenceError) in try reader.file.values(named: name) }
      } else if shape.count == 1 {
        let values = try reading { () throws(InferenceError) in try reader.file.values(named: name) }
        try reader.requireFinite(name, values)
      } else {
        try reader.checkFinite(name)
      }
    }
  }

  /// The dictionary with one row for each latent, as it is browsed and steered with.
  /// - Throws: the errors of `Crosscoder.load(folder:)`.
  public func crosscoder() throws(DiffingError) -> Crosscoder {
    try requireMemory()
    return try opened.crosscoder()
  }

  /// The dictionary with all the places that it reads, if it has several or codes of a batch; nil if the crosscoder says
  /// everything.
  public func headed() throws(DiffingError) -> HeadedDictionary? {
    guard let headed = opened.headed else { return nil }
    try requireMemory()
    return try headed()
  }

  /// Checks that the dictionary has room in fp32: the tensors as they are read, and for a dictionary of one vector or of
  /// heads its rows in the places of a pair, which takes twice as much again.
  private func requireMemory() throws(DiffingError) {
    let elements = opened.tensors.values.reduce(0) { $0 + $1.reduce(1, *) }
    let bytes = elements * MemoryLayout<Float>.size
    try reading { () throws(InferenceError) in
      try MemoryBudget.require(
        target == .pair && opened.headed == nil ? bytes / 2 * 3 : bytes * 3, for: "the latents of \(path)",
        remedy: "close other programs, or take a dictionary of fewer latents")
    }
  }

  /// The forms with what is read of each and what is not, as rows of a table in Markdown.
  public static var formsAsMarkdown: String {
    let rows = DictionaryForm.all.map { "| \($0.name) | \($0.reads) | \($0.refuses) |" }
    return "| form | what is read | what is refused, and why |\n|---|---|---|\n" + rows.joined(separator: "\n") + "\n"
  }

  /// The tables of all forms' JSON files.
  public static var tables: [FormatTable] {
    var seen: Set<String> = []
    return DictionaryForm.all.flatMap(\.tables).filter { seen.insert($0.title).inserted }
  }
}

extension Crosscoder {
  /// Reads a dictionary of any form that `CrosscoderFile` knows, from its folder or its file of tensors.
  /// - Throws: the errors of `CrosscoderFile.init` and `load(folder:)`.
  public static func load(path: String) throws(DiffingError) -> Crosscoder {
    let file = try CrosscoderFile(path: path)
    try file.requirePlace()
    return try file.crosscoder()
  }
}
