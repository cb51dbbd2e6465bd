// What dashboards of others say about latents, whatever their form: a latent's figures, contexts in which it is active, texts
// about it. A form is one file that finds its files (`DashboardSource.opened`) and one line in `DashboardForms.all`. A form is
// recognised by its files, never by an option. DashboardImport makes a store of the records.

import Diffing
import Experiments
import Foundation
import Inference

/// A latent with its figures.
package struct DashboardLatent: Equatable {
  package var index: Int
  /// The largest activation seen; nil if it is not said.
  package var maxActivation: Double?
  /// The share of tokens at which the latent is active.
  package var frequency: Double?
  /// The tokens whose logits the latent's direction raises and lowers most, strongest first.
  package var promoted: [(token: DashboardToken, change: Float)] = []
  package var suppressed: [(token: DashboardToken, change: Float)] = []
  /// `[d]`, the latent's direction as it is; empty if it is not there.
  package var vector: [Float] = []

  package static func == (a: Self, b: Self) -> Bool {
    a.index == b.index && a.maxActivation == b.maxActivation && a.frequency == b.frequency && a.vector == b.vector
      && a.promoted.elementsEqual(b.promoted, by: ==) && a.suppressed.elementsEqual(b.suppressed, by: ==)
  }
}

/// A token as a form names it.
package enum DashboardToken: Hashable {
  /// Its text; two texts are the same token if their bytes are the same.
  case text(String)
  /// Its number in the tokenizer's vocabulary.
  case number(Int32)

  package static func == (a: Self, b: Self) -> Bool {
    switch (a, b) {
    case (.text(let a), .text(let b)): a.utf8.elementsEqual(b.utf8)
    case (.number(let a), .number(let b)): a == b
    default: false
    }
  }

  package func hash(into hasher: inout Hasher) {
    switch self {
    case .text(var text): text.withUTF8 { hasher.combine(bytes: UnsafeRawBufferPointer($0)) }
    case .number(let number): hasher.combine(number)
    }
  }
}

/// A text in which a latent was read.
package struct DashboardContext: Equatable {
  package var index: Int
  package var tokens: [DashboardToken]
  /// The activation at each token.
  package var values: [Float]
  /// The corpus, if it is said.
  package var corpus: String?
}

/// A text about a latent.
package struct DashboardExplanation: Equatable {
  package var index: Int
  package var text: String
  /// Who wrote it, in a few words.
  package var source: String
  package var score: Double?
}

/// One thing that a file says.
package enum DashboardRecord: Equatable {
  case latent(DashboardLatent)
  case context(DashboardContext)
  case explanation(DashboardExplanation)
}

/// Some records that stand together in a file: a line, a feature of a list, a latent of a cache.
package struct DashboardUnit {
  /// Its number in the file, from 1 on.
  package var number: Int
  package var records: [DashboardRecord]
  /// A name that no other unit of its kind has; nil if the form has none.
  package var name: String?
  /// The line as it is, to be kept; nil if the form does not keep lines.
  package var line: ArraySlice<UInt8>?
  /// How many bytes of the file have been read.
  package var consumed: Int
}

/// A file of a source.
package struct DashboardFile: Equatable {
  package var path: String
  /// What its lines describe, for instance "features".
  package var kind: String
  /// The name under which its lines are kept.
  package var name: String
  /// The word for a unit in messages.
  package var unit = "line"
}

/// The files of one dictionary's dashboards.
package protocol DashboardSource: Sendable {
  /// The form's name, for messages and the store's card.
  static var form: String { get }
  /// The source at a path; nil if the files there have another form.
  /// - Throws: the error of files that have this form and cannot be read.
  static func opened(_ path: String) throws -> (any DashboardSource)?

  /// The folder or file as given.
  var path: String { get }
  /// What is known of the model and the dictionary.
  var names: DashboardNames { get }
  /// Whether tokens are numbers of a tokenizer's vocabulary.
  var numbersTokens: Bool { get }
  /// All files, those with latents before those with contexts.
  var files: [DashboardFile] { get }
  /// Goes through a file.
  /// - Parameters:
  ///   - done: the number of units that were read before; they are passed over.
  ///   - take: gets the units in their order.
  /// - Throws: errors that name file and unit; the errors of `take`.
  func read(_ file: DashboardFile, after done: Int, _ take: (DashboardUnit) throws -> Void) throws
}

extension DashboardSource {
  package var numbersTokens: Bool { false }

  /// The names of the model and the dictionary.
  package var name: String { "\(names.model ?? "")/\(names.dictionary ?? "")" }
}

/// What the files say about the model and the dictionary.
package struct DashboardNames: Equatable {
  package var model: String?
  /// The name of the dictionary, such as `20-gemmascope-res-16k`.
  package var dictionary: String?
  /// The block whose output the dictionary reads, counted from 0, where it is sure.
  package var layer: Int?
  /// The block that a name begins with, where nothing says whether its input or its output is meant.
  package var namedLayer: Int?
  /// The name of the hook that says so.
  package var hook: String?
  /// Whether the dictionary reads the residual stream; nil if it is not said.
  package var readsResidualStream: Bool?
  /// The corpus of texts that do not name one.
  package var corpus: String?

  /// What the name of a hook says, as `blocks.12.hook_resid_post`.
  package mutating func take(hook: String) {
    self.hook = hook
    let parts = hook.split(separator: ".")
    guard parts.count == 3, parts[0] == "blocks", let block = Int(parts[1]), block >= 0 else { return }
    switch parts[2] {
    case "hook_resid_post": (layer, readsResidualStream) = (block, true)
    // The input of a block is the output of the one before.
    case "hook_resid_pre": (layer, readsResidualStream) = (block > 0 ? block - 1 : nil, true)
    default: (namedLayer, readsResidualStream) = (block, false)
    }
  }
}

/// The forms of dashboards.
package enum DashboardForms {
  package static var all: [any DashboardSource.Type] {
    [
      NeuronpediaExport.self, SAEDashboardFiles.self, DelphiCache.self,
    ]
  }

  /// The source at a path.
  /// - Throws: `InputError.invalid` if no form has such files; the errors of the form.
  package static func opened(_ path: String) throws -> any DashboardSource {
    for form in all { if let source = try form.opened(path) { return source } }
    throw InputError.invalid(
      source: path,
      expected: "the files of " + all.map { $0.form }.joined(separator: ", or of "),
      found: FileManager.default.fileExists(atPath: path) ? "other files" : "nothing")
  }
}

/// The files in a folder whose names are `PREFIX` + number + one of the endings, by their numbers.
package func numberedFiles(in folder: String, prefix: String, endings: [String]) throws -> [(number: Int, name: String)]
{
  let names = (try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? []
  var found: [(number: Int, name: String)] = []
  for name in names where name.hasPrefix(prefix) {
    guard let ending = endings.first(where: { name.hasSuffix($0) }),
      let number = Int(name.dropFirst(prefix.count).dropLast(ending.count)), number >= 0
    else { continue }
    found.append((number, name))
  }
  found.sort { ($0.number, $0.name) < ($1.number, $1.name) }
  if let twice = zip(found, found.dropFirst()).first(where: { $0.number == $1.number }) {
    throw InputError.invalid(
      source: folder, expected: "each batch once", found: "\(twice.0.name) and \(twice.1.name)")
  }
  return found
}
