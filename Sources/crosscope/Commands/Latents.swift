// `crosscope latents` prints latents, sorted and filtered, as a table, CSV or JSON.

import ArgumentParser
import Experiments
import Foundation
import Inference
import Pipeline
import Reports
import Storage
import TUI

extension LatentSort: ExpressibleByArgument {
  /// A column's name with - or _; any other name may be a metric of the store.
  public init?(argument: String) { self = LatentSort(named: argument.replacing("-", with: "_")) ?? .metric(argument) }
  public static var defaultCompletionKind: CompletionKind { .list(allValueStrings) }
  public static var allValueStrings: [String] { everywhere.map { $0.name.replacing("_", with: "-") } }
  public var defaultValueDescription: String { name.replacing("_", with: "-") }

  /// The order, if the store has these metrics.
  /// - Throws: `ValidationError` for an order that the store does not have, since that is a mistake in the command
  ///   line.
  func known(among metrics: [String], option: String = "--sort") throws -> LatentSort {
    guard case .metric(let name) = self else { return self }
    if let known = LatentSort(named: name, metrics: metrics) { return known }
    let orders = (LatentSort.allValueStrings + metrics).joined(separator: ", ")
    throw ValidationError("\(option): there is no column or metric \(quoted(name)); there are \(orders)")
  }
}

extension Filter {
  /// A filter from the command line. A wrong filter is a mistake in the command line, though only the store can tell.
  /// - Throws: `ValidationError`, or the errors of reading the store's metrics.
  init(argument: String, of store: Store) throws {
    let metrics = try store.metricNames()
    do { self = try Filter(argument, metrics: metrics) } catch { throw ValidationError(error.description) }
  }
}

struct Latents: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "List the latents of a store, most chat-specific first.",
    discussion: """
      A filter compares columns with numbers, and joins conditions with and, or, not and parentheses:
        crosscope latents demo.crosscope --filter 'nu_error<0.2 and not dead and tag:refusal and "nobel"'
      Conditions: COLUMN<NUMBER (also <= > >= = !=), dead, tag:NAME, class:chat-only, id:NUMBER, and "text", which is \
      looked for in contexts, notes, explanations and tags. An imported store has more metrics, under their published \
      names; brackets go around a name with blanks or signs: [lmsys_ctrl_%]>0.5.
      """)

  @Argument(help: .store, completion: .stores) var store: String
  @Option(help: "The column or metric to sort by; missing values come last.")
  var sort = LatentSort.chatSpecificity
  @Option(help: "The column or metric that orders what --sort leaves equal, in its usual direction (default: the id).")
  var then: LatentSort?
  @Flag(help: "Sort the other way round.") var reverse = false
  @Option(help: ArgumentHelp("List only latents that fulfil this condition.", valueName: "expr")) var filter = ""
  @Option(help: ArgumentHelp("List at most this many (default: 50 in a table, otherwise all).", valueName: "n"))
  var limit: Int?
  @Flag(help: "Print one JSON document.") var json = false
  @Flag(help: "Print comma-separated values with a header.") var csv = false

  func validate() throws {
    if json && csv { throw ValidationError("--json and --csv exclude each other; give one of them") }
    if let limit, limit < 1 { throw ValidationError("--limit must be at least 1") }
  }

  func run() throws {
    let store = try Store(path: store, access: .readOnly)
    let metrics = try store.metricNames()
    let filter = try Filter(argument: filter, of: store)
    let sort = try sort.known(among: metrics, option: "--sort")
    let then = try then.map { LatentOrder(try $0.known(among: metrics, option: "--then")) }
    let (latents, count) = try LatentJSON.rows(
      of: store, matching: filter, by: LatentOrder(sort, ascending: sort.ascendsByDefault != reverse), then: then,
      limit: limit ?? (json || csv ? Int.max : 50))
    if json {
      try printJSON(["latents": latents])
    } else if csv {
      writeOut(Self.csv(latents, metrics))
    } else {
      writeOut(Self.table(latents, [sort] + (then.map { [$0.sort] } ?? [])))
      if latents.count < count { writeError("these are \(latents.count) of \(count) latents; --limit shows more") }
    }
  }

  private static let shownColumns: [LatentColumn] = [
    .chatSpecificity, .id, .deltaNorm, .nuError, .nuReconstruction, .cosBaseChat, .maxActivation, .frequency,
    .templateShare,
  ]

  /// The table. If it is sorted by a number that is not among its columns, that number gets a column.
  static func table(_ latents: [LatentJSON], _ sorts: [LatentSort] = [.chatSpecificity]) -> String {
    let extra = sorts.filter { $0.isNumber && !shownColumns.map { LatentSort.column($0) }.contains($0) }
    var table = TextTable(
      (shownColumns.map(\.rawValue) + extra.map { termSafe($0.name) })
        .map { TextTable.Column(title: $0, isNumber: true) } + ["class", "tags", "summary"].map { .init(title: $0) })
    for row in latents {
      let kind = row.latent.latentClass.rawValue + (row.latent.dead ? ", dead" : "")
      table.add(
        (shownColumns.map { row.latent[$0] } + extra.map { row.latent[$0] }).map(shortNumber)
          + [kind, row.tags.joined(separator: ", "), row.summary ?? ""])
    }
    return table.text
  }

  /// CSV by RFC 4180 with plain newlines. A missing value is an empty field, tags are joined by semicolons.
  static func csv(_ latents: [LatentJSON], _ metrics: [String] = []) -> String {
    func quoted(_ text: String) -> String {
      let text = termSafe(text)
      return text.contains { ",\"\r\n".contains($0) } ? "\"" + text.replacing("\"", with: "\"\"") + "\"" : text
    }
    let names = LatentColumn.allCases.map(\.rawValue) + ["dead", "class", "tags", "summary"] + metrics.map(quoted)
    var text = names.joined(separator: ",") + "\n"
    for row in latents {
      let numbers = LatentColumn.allCases.map { column -> String in
        switch column {
        case .id: String(row.latent.id)
        case .chatSpecificity: row.latent.chatSpecificity.map(String.init) ?? ""
        default: row.latent[column].map { "\($0)" } ?? ""
        }
      }
      let texts = [row.tags.joined(separator: ";"), row.summary ?? ""].map(quoted)
      let others = metrics.map { row.latent.metrics[$0].map { "\($0)" } ?? "" }
      text += (numbers + [row.latent.dead ? "1" : "0", row.latent.latentClass.rawValue] + texts + others)
        .joined(separator: ",")
      text += "\n"
    }
    return text
  }
}
