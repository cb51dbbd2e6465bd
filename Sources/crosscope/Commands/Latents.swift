// `crosscope latents`: the table of latents, sorted and filtered, as a table, CSV or JSON.

import ArgumentParser
import Foundation
import Storage
import TUI

extension LatentSort: ExpressibleByArgument {
  public init?(argument: String) { self.init(rawValue: argument.replacing("-", with: "_")) }
  public static var allValueStrings: [String] { allCases.map { $0.rawValue.replacing("_", with: "-") } }
  public var defaultValueDescription: String { rawValue.replacing("_", with: "-") }
}

struct Latents: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "List the latents of a store, most chat-specific first.",
    discussion: """
      A filter compares columns with numbers, and joins conditions with and, or, not and parentheses:
        crosscope latents demo.crosscope --filter 'nu_error<0.2 and not dead and tag:refusal and "nobel"'
      Conditions: COLUMN<NUMBER (also <= > >= = !=), dead, tag:NAME, class:chat-only, id:NUMBER, and "text", which is \
      looked for in contexts, notes, explanations and tags.
      """)

  @Argument(help: ArgumentHelp("The store, a .crosscope file.", valueName: "store")) var store: String
  @Option(help: "What to sort by; ties are ordered by id, missing values come last.")
  var sort = LatentSort.chatSpecificity
  @Flag(help: "Sort the other way round.") var reverse = false
  @Option(help: ArgumentHelp("Only latents that fulfil this condition.", valueName: "expr")) var filter = ""
  @Option(help: ArgumentHelp("At most this many (default: 50 in a table, otherwise all).", valueName: "n"))
  var limit: Int?
  @Flag(help: "Print one JSON document.") var json = false
  @Flag(help: "Print comma-separated values with a header.") var csv = false

  func validate() throws {
    if json && csv { throw ValidationError("--json and --csv exclude each other; give one of them") }
    if let limit, limit < 1 { throw ValidationError("--limit must be at least 1") }
    // A filter that cannot be understood is a mistake in the command line.
    do { _ = try Filter(filter) } catch { throw ValidationError(error.description) }
  }

  func run() throws {
    let filter = try Filter(filter)
    let store = try Store(path: store, access: .readOnly)
    let ids = try store.latentIDs(
      sortedBy: sort, ascending: sort.ascendsByDefault != reverse, matching: filter)
    let shown = ids.prefix(limit ?? (json || csv ? ids.count : 50))
    let tags = try store.tags(of: shown)
    let summaries = try store.summaries(of: shown)
    let latents = try store.latents(ids: shown).map {
      LatentJSON(latent: $0, tags: tags[$0.id] ?? [], summary: summaries[$0.id])
    }
    if json {
      try printJSON(["latents": latents])
    } else if csv {
      writeOut(Self.csv(latents))
    } else {
      writeOut(Self.table(latents))
      if shown.count < ids.count { writeError("\(shown.count) of \(ids.count) latents; --limit shows more") }
    }
  }

  private static let shownColumns: [LatentColumn] = [
    .chatSpecificity, .id, .deltaNorm, .nuError, .nuReconstruction, .cosBaseChat, .maxActivation, .frequency,
    .templateShare,
  ]

  static func table(_ latents: [LatentJSON]) -> String {
    var table = TextTable(
      shownColumns.map { TextTable.Column(title: $0.rawValue, isNumber: true) }
        + [TextTable.Column(title: "class"), TextTable.Column(title: "tags"), TextTable.Column(title: "summary")])
    for row in latents {
      let kind = row.latent.latentClass.rawValue + (row.latent.dead ? ", dead" : "")
      table.add(
        shownColumns.map { shortNumber(row.latent[$0]) } + [kind, row.tags.joined(separator: ", "), row.summary ?? ""])
    }
    return table.text
  }

  /// RFC 4180, with plain newlines; a missing value is an empty field, tags are joined by semicolons.
  static func csv(_ latents: [LatentJSON]) -> String {
    var text =
      (LatentColumn.allCases.map(\.rawValue) + ["dead", "class", "tags", "summary"]).joined(separator: ",") + "\n"
    for row in latents {
      let numbers = LatentColumn.allCases.map { column -> String in
        switch column {
        case .id: String(row.latent.id)
        case .chatSpecificity: row.latent.chatSpecificity.map(String.init) ?? ""
        default: row.latent[column].map { "\($0)" } ?? ""
        }
      }
      let texts = [row.tags.map { termSafe($0) }.joined(separator: ";"), termSafe(row.summary ?? "")].map {
        $0.contains { ",\"\r\n".contains($0) } ? "\"" + $0.replacing("\"", with: "\"\"") + "\"" : $0
      }
      text += (numbers + [row.latent.dead ? "1" : "0", row.latent.latentClass.rawValue] + texts).joined(separator: ",")
      text += "\n"
    }
    return text
  }
}
