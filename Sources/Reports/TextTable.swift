// A table for people. Columns are aligned by display width and as wide as their widest cell, nothing is cut off, and untrusted
// text is made visible.

import Foundation
import TUI

/// Rows under a header; the last column is not padded.
package struct TextTable {
  /// A column's title and whether its cells are numbers, which align to the right.
  package struct Column {
    package var title: String
    package var isNumber = false

    package init(title: String, isNumber: Bool = false) { (self.title, self.isNumber) = (title, isNumber) }
  }

  package let columns: [Column]
  private var rows: [[String]] = []

  package init(_ columns: [Column]) { self.columns = columns }

  /// Adds a row with one cell for each column.
  package mutating func add(_ cells: [String]) {
    precondition(cells.count == columns.count, "\(cells.count) cells in \(columns.count) columns")
    rows.append(cells.map { termSafe($0) })
  }

  /// All lines, each ending in a newline.
  package var text: String {
    let lines = [columns.map(\.title)] + rows
    let widths = columns.indices.map { column in lines.map { displayWidth($0[column]) }.max() ?? 0 }
    var text = ""
    for line in lines {
      var row = ""
      for (column, cell) in line.enumerated() {
        let blank = String(repeating: " ", count: widths[column] - displayWidth(cell))
        row += columns[column].isNumber ? blank + cell : cell + blank
        if column < line.count - 1 { row += "  " }
      }
      while row.last == " " { row.removeLast() }
      text += row + "\n"
    }
    return text
  }
}
