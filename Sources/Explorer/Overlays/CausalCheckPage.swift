// Shows the figures of a latent's causal check over its page.

import Experiments
import Storage
import TUI

/// A check that is finished.
struct CausalCheckPage: Sendable, Equatable {
  let report: CausalCheckReport
}

extension CausalCheckPage: OverlayContent {
  var hints: [KeyHint] { [KeyHint("r", "check again"), KeyHint("Esc", "close")] }

  func type(_ input: Input, _ state: inout ExplorerState) -> [Effect] {
    switch input {
    case .key("esc"), .key("enter"), .key("q"), .key("K"): state.overlay = nil
    case .key("r"):
      state.overlay = nil
      return CausalCheckRun.start(report.latent, &state)
    default: break
    }
    return []
  }

  func draw(_ state: ExplorerState, _ canvas: inout Canvas) -> Point? {
    let width = min(76, state.body.columns - 4)
    let lines = report.flow(width: width)
    let inside = canvas.window(
      "Causal check of latent \(report.latent)", size: Size(columns: width, rows: lines.count), in: state.body)
    for (index, line) in lines.prefix(inside.rows).enumerated() {
      canvas.put(line, row: inside.row + index, column: inside.column, clip: inside)
    }
    return nil
  }
}
