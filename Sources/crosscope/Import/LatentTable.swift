// A published table of latents (feature_df.csv), read whole: a column of numbers a name, indexed by latent.
// Owns: what a cell may be: a number, True or False, nothing (missing). Columns of words are left out and named, except the
// tag. Refuses, naming line and column: latents that the crosscoder does not have or that come twice, words among numbers.

import Diffing
import Foundation
import Inference

/// The table's columns. What they mean is in LatentTable+Meaning.
struct LatentTable {
  let path: String
  let nLatents: Int
  /// Numeric columns in the file's order; NaN where a cell is missing.
  private(set) var columns: [(name: String, values: [Double])] = []
  /// The class of each latent, nil where its tag is missing.
  private(set) var tags: [LatentClass?]
  /// Columns that were left out: their cells are words, or there is nothing in them.
  private(set) var leftOut: [String] = []
  /// How many cells were infinite and are taken as missing.
  private(set) var infinite = 0

  private static let indexNames: Set = ["", "unnamed: 0", "index", "latent", "latent_idx", "feature", "feature_idx"]
  private static let missing: Set = ["", "nan", "NaN", "None", "NA", "<NA>"]
  private static let classes: [String: LatentClass] = [
    "chat only": .chatOnly, "it only": .chatOnly, "base only": .baseOnly, "shared": .shared, "other": .other,
  ]

  /// Reads the file. Memory: 8 bytes a cell.
  /// - Throws: `InferenceError` for a file that is no table, `CommandError.inputInvalid` naming line and column.
  init(path: String, nLatents: Int) throws {
    (self.path, self.nLatents) = (path, nLatents)
    tags = [LatentClass?](repeating: nil, count: nLatents)
    var reader = try CSVReader(path: path)
    let header = reader.header
    guard Self.indexNames.contains(header[0].lowercased()) else {
      throw invalid(line: 1, "the latents' numbers in the first column", "a column \"\(header[0])\"")
    }
    if let twice = Dictionary(grouping: header, by: { $0 }).first(where: { $1.count > 1 })?.key {
      throw invalid(line: 1, "each column once", "\"\(twice)\" twice")
    }
    var values = header.map { $0 == "tag" ? [] : [Double](repeating: .nan, count: nLatents) }
    var (seen, isWords) = ([Bool](repeating: false, count: nLatents), [Bool](repeating: false, count: header.count))
    var hasNumbers = isWords
    while let row = try reader.next() {
      guard let latent = Double(row[0]).flatMap(Int.init(exactly:)), (0..<nLatents).contains(latent) else {
        throw invalid(line: reader.line, "a latent from 0 to \(nLatents - 1), as the crosscoder has", "\"\(row[0])\"")
      }
      guard !seen[latent] else { throw invalid(line: reader.line, "each latent once", "latent \(latent) again") }
      seen[latent] = true
      for (index, cell) in row.enumerated().dropFirst() where !Self.missing.contains(cell) {
        if header[index] == "tag" {
          guard let tag = Self.classes[cell.lowercased()] else {
            throw invalid(line: reader.line, "a tag such as Chat only, Base only, Shared or Other", "\"\(cell)\"")
          }
          tags[latent] = tag
        } else if let number = Self.number(cell) {
          guard !isWords[index] else { throw mixed(reader.line, header[index], cell) }
          hasNumbers[index] = true
          if number.isFinite { values[index][latent] = number } else { infinite += 1 }
        } else {
          guard !hasNumbers[index] else { throw mixed(reader.line, header[index], cell) }
          isWords[index] = true
        }
      }
    }
    for (index, name) in header.enumerated().dropFirst() where name != "tag" {
      if hasNumbers[index] { columns.append((name, values[index])) } else { leftOut.append(name) }
    }
  }

  /// A column's values by latent, NaN where missing; nil if the table has no such column.
  func values(_ name: String) -> [Double]? { columns.first { $0.name == name }?.values }

  private static func number(_ cell: String) -> Double? {
    switch cell {
    case "True", "true": 1
    case "False", "false": 0
    default: Double(cell)
    }
  }

  private func mixed(_ line: Int, _ column: String, _ cell: String) -> CommandError {
    invalid(line: line, "a number in column \"\(column)\"", "\"\(cell)\"")
  }

  private func invalid(line: Int, _ expected: String, _ found: String) -> CommandError {
    .inputInvalid(source: "\(path) line \(line)", expected: expected, found: String(found.prefix(120)))
  }
}
