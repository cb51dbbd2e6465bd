// Draws values as rows of small bars.

/// A row of small bars, one for each value, scaled to the largest.
package func sparkline(_ values: [Double]) -> String {
  guard let largest = values.max(), largest > 0 else { return String(repeating: " ", count: values.count) }
  let steps = Array(" ▁▂▃▄▅▆▇█")
  return String(values.map { $0 <= 0 ? " " : steps[max(1, Int(($0 / largest * 8).rounded()))] })
}

/// A row of small bars, one for each value, scaled from the least to the largest; it is flat if all values are equal.
package func trend(_ values: [Double]) -> String {
  guard let least = values.min(), let largest = values.max(), (largest - least).isFinite else { return "" }
  let steps = Array("▁▂▃▄▅▆▇█")
  return String(
    values.map { largest > least ? steps[Int((($0 - least) / (largest - least) * 7).rounded())] : steps[0] })
}
