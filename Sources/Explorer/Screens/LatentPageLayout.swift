// The order of things on a latent's page, and the places of its lines on the screen.

import Experiments
import Inference
import Reports
import Storage
import TUI

/// A part of the page that can be selected.
enum PageItem: Hashable, Sendable {
  /// An index into the page's contexts, or those of the contrast.
  case context(Int), contrast(Int)
  case latent(Int, Link)

  /// The reason why a latent is listed here.
  enum Link: Hashable, Sendable { case relative(RelativeRecord.Kind), similar(NeighbourKind), coFiring }

  var isContext: Bool { if case .latent = self { false } else { true } }
}

/// The parts of the page from top to bottom.
struct LatentPageContent {
  let ranking: ContextRanking
  let items: [PageItem]
  /// The items that open a band or a section.
  let sectionStarts: [Int]

  init(_ page: LatentPage, _ state: ExplorerState) {
    let ranking = ContextRanking(page, state.latent.choices.ranking)
    self.ranking = ranking
    let surroundings = state.latent.surroundings
    let contrast = Self.showsContrast(state) ? surroundings?.contrast.contexts ?? [] : []
    var sections = [Int](Set(ranking.entries.map(\.band))).sorted(by: >).map { band in
      ranking.entries.filter { $0.band == band }.map { PageItem.context($0.index) }
    }
    sections.append(contrast.indices.map { .contrast($0) })
    sections.append(page.relatives.map { .latent($0.other, .relative($0.kind)) })
    sections.append(page.neighboursByKind.map { .latent($0.other, .similar($0.kind)) })
    sections.append((surroundings?.coFiring ?? []).map { .latent($0.other, .coFiring) })
    items = sections.flatMap { $0 }
    var starts: [Int] = []
    var count = 0
    for section in sections where !section.isEmpty {
      starts.append(count)
      count += section.count
    }
    sectionStarts = starts
  }

  /// Whether the contrast is unfolded: as the user chose, or else if there is room.
  static func showsContrast(_ state: ExplorerState) -> Bool {
    state.latent.choices.showsContrast ?? LatentPageLayout.isWide(state)
  }
}

/// A laid out page: one scrolled column, or on wide terminals metrics at the left and contexts at the right.
struct LatentPageLayout {
  let aside: [PageLine]
  let asideRect: Rect
  /// The first visible line of the aside, which is only scrolled as far as the selected neighbour needs.
  let asideTop: Int
  let scrolled: [PageLine]
  let scrolledRect: Rect

  init(_ page: LatentPage, _ state: ExplorerState) {
    let body = state.body.inset(columns: 1)
    let lines = LatentLines(page: page, state: state)
    if Self.isWide(state) {
      let (left, right) = body.split(left: Self.asideColumns(body.columns), gap: 3)
      asideRect = left
      scrolledRect = right
      aside =
        lines.summary(width: left.columns, showsChart: true) + lines.otherMetrics(width: left.columns)
        + lines.neighbours(width: left.columns)
      scrolled = lines.contexts(width: right.columns) + lines.contrast(width: right.columns)
    } else {
      asideRect = Rect(row: body.row, column: body.column, rows: 0, columns: 0)
      scrolledRect = body
      aside = []
      scrolled =
        lines.summary(width: body.columns, showsChart: false) + lines.contexts(width: body.columns)
        + lines.contrast(width: body.columns) + lines.otherMetrics(width: body.columns)
        + lines.neighbours(width: body.columns)
    }
    let end = aside.lastIndex { $0.item == state.latent.selected } ?? 0
    asideTop = max(0, end + 1 - max(1, asideRect.rows))
  }

  static func isWide(_ state: ExplorerState) -> Bool { state.body.columns >= 110 }

  /// The columns of the aside. It grows with the terminal as long as charts and lines of words gain from it.
  static func asideColumns(_ columns: Int) -> Int { min(max(52, columns * 2 / 5), 96) }

  /// The item whose line is drawn at a cell.
  func item(at point: Point, top: Int) -> Int? {
    func line(_ lines: [PageLine], _ rect: Rect, _ top: Int) -> PageLine? {
      let index = top + point.row - rect.row
      return rect.contains(point) && lines.indices.contains(index) ? lines[index] : nil
    }
    return (line(aside, asideRect, asideTop) ?? line(scrolled, scrolledRect, top))?.item
  }

  /// The cell of the token under the cursor.
  func cursor(top: Int) -> Point? {
    for (index, line) in scrolled.dropFirst(top).prefix(scrolledRect.rows).enumerated() {
      guard let column = line.cursorColumn else { continue }
      return Point(row: scrolledRect.row + index, column: scrolledRect.column + column)
    }
    return nil
  }
}
