// Reads a published table of latents (feature_df.csv) into columns of numbers by latent. A cell is a number, True or False, or
// missing, spelled as pandas reads them. Columns of words are left out and named, except for the tag. Words among numbers, and
// latents that the crosscoder does not have or that come twice, are errors that name line and column.

import Diffing
import Experiments
import Foundation
import Inference

/// The columns of a table. LatentTable+Meaning gives them their meaning.
package struct LatentTable {
  package let path: String
  package let nLatents: Int
  /// The numeric columns in the file's order; NaN marks a missing cell.
  package private(set) var columns: [(name: String, values: [Double])] = []
  /// The class of each latent; nil if its tag is missing.
  package private(set) var tags: [LatentClass?]
  /// All columns in the file's order, so that the table can be written again.
  package private(set) var layout = LatentTableLayout(columns: [])
  /// The columns that were left out because they hold words or nothing.
  package private(set) var leftOut: [String] = []
  /// The number of infinite cells, which are taken as missing.
  package private(set) var infinite = 0

  package static let indexNames: Set = ["", "unnamed: 0", "index", "latent", "latent_idx", "feature", "feature_idx"]
  /// The `na_values` of pandas, which are compared without blanks around a cell.
  package static let missing: Set = [
    "", "#N/A", "#N/A N/A", "#NA", "-1.#IND", "-1.#QNAN", "-NaN", "-nan", "1.#IND", "1.#QNAN", "<NA>", "N/A", "NA",
    "NULL", "NaN", "None", "n/a", "nan", "null",
  ]
  /// The texts that pandas reads as true and as false.
  package static let (yes, no): (Set, Set) = (["True", "TRUE", "true"], ["False", "FALSE", "false"])
  private static let classes: [String: LatentClass] = [
    "chat only": .chatOnly, "it only": .chatOnly, "ft only": .chatOnly, "base only": .baseOnly, "shared": .shared,
    "other": .other,
  ]

  /// Reads the file. Memory: 8 bytes a cell.
  /// - Throws: `InferenceError` if the file is not a table, `InputError.invalid` naming line and column.
  package init(path: String, nLatents: Int) throws {
    (self.path, self.nLatents) = (path, nLatents)
    tags = [LatentClass?](repeating: nil, count: nLatents)
    var reader = try CSVReader(path: path)
    let header = reader.header
    guard Self.indexNames.contains(Self.trimmed(header[0]).lowercased()) else {
      throw invalid(line: 1, "the latents' numbers in the first column", "a column \"\(header[0])\"")
    }
    if let names = Dictionary(grouping: header, by: { $0 }).values.first(where: { $0.count > 1 }) {
      // Names that print alike but differ in their scalars are two columns, of which a JSON document could hold only one.
      let spellings = Set(names.map { $0.unicodeScalars.map { String($0.value, radix: 16) }.joined(separator: " ") })
      throw invalid(
        line: 1, spellings.count == 1 ? "each column once" : "columns whose names look different (rename one)",
        "\"\(names[0])\" twice" + (spellings.count == 1 ? "" : ", in other scalars"))
    }
    var values = header.map { $0 == "tag" ? [] : [Double](repeating: .nan, count: nLatents) }
    var seen = [Bool](repeating: false, count: nLatents)
    var hasNumbers = [Bool](repeating: false, count: header.count)
    var hasOthersThanFlags = hasNumbers
    var spellings: [String: String] = [:]
    /// The first cell of each column that is not a number.
    var words = [(line: Int, cell: String)?](repeating: nil, count: header.count)
    while let row = try reader.next() {
      guard let latent = Self.number(row[0]).flatMap(Int.init(exactly:)), (0..<nLatents).contains(latent) else {
        throw invalid(line: reader.line, "a latent from 0 to \(nLatents - 1), as the crosscoder has", "\"\(row[0])\"")
      }
      guard !seen[latent] else { throw invalid(line: reader.line, "each latent once", "latent \(latent) again") }
      seen[latent] = true
      for (index, cell) in row.enumerated().dropFirst() where !Self.missing.contains(Self.trimmed(cell)) {
        if header[index] == "tag" {
          guard let tag = Self.classes[Self.trimmed(cell).lowercased().replacing("_", with: " ")] else {
            throw invalid(line: reader.line, "a tag such as Chat only, Base only, Shared or Other", "\"\(cell)\"")
          }
          tags[latent] = tag
          if spellings[tag.rawValue] == nil { spellings[tag.rawValue] = Self.trimmed(cell) }
        } else if let number = Self.number(cell) {
          if let word = words[index] { throw mixed(word.line, header[index], word.cell) }
          hasNumbers[index] = true
          if !Self.isFlag(cell) { hasOthersThanFlags[index] = true }
          if number.isFinite { values[index][latent] = number } else { infinite += 1 }
        } else {
          guard !hasNumbers[index] else { throw mixed(reader.line, header[index], cell) }
          if words[index] == nil { words[index] = (reader.line, cell) }
        }
      }
    }
    for (index, name) in header.enumerated().dropFirst() where name != "tag" {
      if hasNumbers[index] { columns.append((name, values[index])) } else { leftOut.append(name) }
    }
    layout.index = header[0]
    layout.tags = spellings
    layout.columns = header.enumerated().dropFirst().compactMap { index, name in
      if name == "tag" { return .init(name: name, kind: .tag) }
      guard words[index] == nil else { return nil }
      return .init(name: name, kind: !hasNumbers[index] ? .empty : hasOthersThanFlags[index] ? .number : .flag)
    }
  }

  /// The values of a column by latent, with NaN for missing ones; nil if the table has no such column.
  package func values(_ name: String) -> [Double]? { columns.first { $0.name == name }?.values }

  private static func isFlag(_ cell: String) -> Bool { yes.contains(trimmed(cell)) || no.contains(trimmed(cell)) }

  private static func number(_ cell: String) -> Double? {
    let cell = trimmed(cell)
    if yes.contains(cell) { return 1 }
    if no.contains(cell) { return 0 }
    return Double(cell)
  }

  /// The cell without blanks around it.
  private static func trimmed(_ cell: String) -> String {
    guard cell.first == " " || cell.last == " " else { return cell }
    let bytes = Array(cell.utf8.drop { $0 == UInt8(ascii: " ") }.reversed().drop { $0 == UInt8(ascii: " ") }.reversed())
    return String(decoding: bytes, as: UTF8.self)
  }

  private func mixed(_ line: Int, _ column: String, _ cell: String) -> InputError {
    invalid(line: line, "a number in column \"\(column)\"", "\"\(cell)\"")
  }

  private func invalid(line: Int, _ expected: String, _ found: String) -> InputError {
    .invalid(source: "\(path) line \(line)", expected: expected, found: String(found.prefix(120)))
  }
}
