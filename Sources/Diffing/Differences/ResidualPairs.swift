// The residual streams of both models side by side while a pass goes on. With shared weights both are there at once; with two
// files base's pass comes first, and its rows are kept until chat's pass reaches the same block.

import Inference

/// Calls its body once for each block, text and token. A stream's number is model.index · texts + text.
final class ResidualPairs {
  typealias Body = (
    _ block: Int, _ text: Int, _ position: Int, _ base: UnsafePointer<Float>, _ chat: UnsafePointer<Float>
  ) -> Void
  private let texts: Int
  private let d: Int
  private let sharesWeights: Bool
  private let body: Body
  /// Base's rows by block and text.
  private var kept: [[[Float]]] = []

  init(texts: Int, d: Int, sharesWeights: Bool, body: @escaping Body) {
    (self.texts, self.d, self.sharesWeights, self.body) = (texts, d, sharesWeights, body)
  }

  /// Hooks that read the rows after every block and change nothing.
  func hooks(blocks: Int) -> Hooks {
    kept = [[[Float]]](repeating: [], count: blocks)
    var hooks = Hooks()
    for block in 0..<blocks {
      hooks.add(layer: block, site: .residPost) { view in self.visit(view, block) }
    }
    return hooks
  }

  private func visit(_ view: SiteView, _ block: Int) {
    if !sharesWeights, view.segments.allSatisfy({ $0.stream < texts }) {
      kept[block] = [[Float]](repeating: [], count: texts)
      for segment in view.segments {
        let rows = UnsafeBufferPointer(start: view.row(segment.rows.lowerBound), count: segment.rows.count * d)
        kept[block][segment.stream] = Array(rows)
      }
      return
    }
    for segment in view.segments where segment.stream >= texts {
      let text = segment.stream - texts
      let first = UnsafePointer(view.row(segment.rows.lowerBound))
      func tell(_ base: UnsafePointer<Float>) {
        for offset in 0..<segment.rows.count {
          body(block, text, segment.firstPosition + offset, base + offset * d, first + offset * d)
        }
      }
      if let own = view.segment(ofStream: text) {
        tell(view.row(own.rows.lowerBound))
      } else {
        kept[block][text].withUnsafeBufferPointer { rows in
          if let rows = rows.baseAddress { tell(rows) }
        }
        kept[block][text] = []
      }
    }
  }
}
