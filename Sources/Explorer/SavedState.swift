// What the explorer remembers between runs: for each store the screen, list, marks and typed text. The state is in state.json
// below $XDG_STATE_HOME, limited in size and age. If the file cannot be read or written, the explorer works without it. It is
// written as a whole, so if two explorers write it, the file is that of one of them.

import Diffing
import Experiments
import Foundation
import Inference
import Reports
import Storage
import TUI

/// The state file.
struct SavedState: Codable, Equatable {
  /// Views by the absolute path of their store.
  var stores: [String: SavedView] = [:]
  var hasSeenTour = false

  /// The most stores that are remembered; those not opened for longest are dropped.
  static let mostStores = 100
  private static let mostBytes = 8 << 20

  static func usualPath(_ environment: [String: String] = ProcessInfo.processInfo.environment) -> String {
    Configuration.folder("XDG_STATE_HOME", else: ".local/state", environment) + "/state.json"
  }

  init() {}

  /// Reads a file; the state is empty if that is not possible.
  init(path: String) {
    self.init()
    guard let file = try? MappedFile(path: path), file.count <= Self.mostBytes,
      let state = try? JSONDecoder().decode(SavedState.self, from: file.contents())
    else { return }
    self = state
  }

  /// Writes the view of a store into the file and keeps what other explorers have written there.
  static func save(_ view: SavedView, of store: String, seenTour: Bool, path: String) {
    var state = SavedState(path: path)
    state.stores[store] = view
    state.hasSeenTour = state.hasSeenTour || seenTour
    for (oldest, _) in state.stores.sorted(by: { $0.value.used > $1.value.used }).dropFirst(mostStores) {
      state.stores[oldest] = nil
    }
    let folder = URL(filePath: path).deletingLastPathComponent().path
    try? FileManager.default.createDirectory(
      atPath: folder, withIntermediateDirectories: true, attributes: [.posixPermissions: 0o700])
    guard let data = try? JSONEncoder().encode(state), data.count <= mostBytes, let file = try? AtomicFile(path: path)
    else { return }
    try? file.write([UInt8](data))
    try? file.commit()
  }
}

/// How a store was last seen.
struct SavedView: Codable, Equatable {
  /// A latent on the steer screen.
  struct Row: Codable, Equatable {
    var latent: Int
    var mode: String
    var strength: Double
    var isOn: Bool
    var conditions: [SteeringCondition]?
  }

  /// An amplification on the steer screen, in its written form.
  struct Amplified: Codable, Equatable {
    var term: String
    var isOn: Bool
  }

  /// A direction on the steer screen.
  struct Direction: Codable, Equatable {
    var name: String
    var mode: String
    var strength: Double
    var isOn: Bool
  }

  /// Seconds since 1970.
  var used: Double = 0
  var place = Place(screen: .latents)
  /// The latent selected in the table.
  var selected: Int?
  var sort = LatentSort.chatSpecificity.name
  var reversed = false
  /// The second key of the order.
  var then: String?
  var thenAscending: Bool?
  var columns: TableColumns?
  var filter = ""
  var filters: [String] = []
  var prompt = ""
  var prompts: [String] = []
  var rows: [Row] = []
  /// The directions; nil if there are none.
  var directions: [Direction]?
  /// The amplifications; nil if there are none.
  var amplified: [Amplified]?
  /// The conditions of all rows.
  var conditions: [SteeringCondition]?
  var marks: [String: Place] = [:]
  /// Notes that are not saved in the store, by latent. Keys of type Int would be written in another JSON form.
  var drafts: [Int32: String]?

  /// The most entries of a history that are kept.
  private static let mostEntries = 50

  init() {}

  init(_ state: ExplorerState, now: Date = Date()) {
    used = now.timeIntervalSince1970
    place = state.place
    selected = state.latents.selectedID ?? state.latents.target
    sort = state.latents.query.sort.name
    reversed = state.latents.query.reversed
    then = state.latents.query.then?.sort.name
    thenAscending = state.latents.query.then?.ascending
    columns = state.latents.columns
    filter = state.latents.query.filter
    filters = Array(state.latents.filter.history.suffix(Self.mostEntries))
    prompt = state.steer.prompt.text
    prompts = Array(state.steer.prompt.history.suffix(Self.mostEntries))
    rows = state.steer.rows.map {
      Row(
        latent: $0.latent, mode: $0.mode.rawValue, strength: $0.strength, isOn: $0.isOn,
        conditions: $0.conditions.isEmpty ? nil : $0.conditions)
    }
    let vectors = state.steer.directions.map {
      Direction(name: $0.name, mode: $0.mode.rawValue, strength: $0.strength, isOn: $0.isOn)
    }
    directions = vectors.isEmpty ? nil : vectors
    let terms = state.steer.amplified.map { Amplified(term: $0.term.text, isOn: $0.isOn) }
    amplified = terms.isEmpty ? nil : terms
    conditions = state.steer.plan.conditions.isEmpty ? nil : state.steer.plan.conditions
    marks = state.marks
    let notes = state.unsavedNotes.map { (Int32(clamping: $0), $1) }
    drafts = notes.isEmpty ? nil : Dictionary(uniqueKeysWithValues: notes)
  }
}

extension ExplorerState {
  /// Restores the last view of a store, as far as it still makes sense. It is called before `start`, which loads.
  mutating func restore(_ view: SavedView) {
    func isLatent(_ id: Int) -> Bool { id >= 0 && id < store.nLatents }
    func sort(_ name: String?) -> LatentSort? {
      name.flatMap { name in (LatentSort.everywhere + store.metrics.map { .metric($0) }).first { $0.name == name } }
    }
    func sound(_ conditions: [SteeringCondition]?) -> [SteeringCondition] {
      (conditions ?? []).filter { isLatent($0.latent) && $0.value >= 0 && $0.value.isFinite }
    }
    latents.query.sort = sort(view.sort) ?? .chatSpecificity
    latents.query.reversed = view.reversed
    latents.query.then = sort(view.then).map { LatentOrder($0, ascending: view.thenAscending) }
    latents.columns = view.columns
    latents.filter = LineEditor("", history: view.filters, limit: latents.filter.limit)
    if (try? Filter(view.filter, metrics: store.metrics)) != nil {
      latents.filter.text = view.filter
      latents.query.filter = view.filter
    }
    latents.target = view.selected
    steer.prompt = LineEditor(view.prompt, history: view.prompts, limit: steer.prompt.limit)
    steer.rows = view.rows.filter { isLatent($0.latent) && $0.strength.isFinite }.compactMap { row in
      SteeringMode(rawValue: row.mode).map {
        SteerState.Row(
          latent: row.latent, mode: $0, strength: row.strength, isOn: row.isOn,
          conditions: sound(row.conditions), isFromBefore: true)
      }
    }
    steer.plan.conditions = steer.rows.isEmpty ? [] : sound(view.conditions)
    steer.directions = (view.directions ?? []).filter(\.strength.isFinite).compactMap { saved in
      SteeredDirection.Mode(rawValue: saved.mode).map {
        SteerState.DirectionRow(name: saved.name, mode: $0, strength: saved.strength, isOn: saved.isOn)
      }
    }
    steer.amplified = (view.amplified ?? []).compactMap { saved in
      (try? AmplificationTerm(saved.term)).map { SteerState.AmplifiedRow(term: $0, isOn: saved.isOn) }
    }
    steer.select(0)
    for (latent, note) in view.drafts ?? [:] where isLatent(Int(latent)) { unsavedNotes[Int(latent)] = note }
    marks = view.marks.filter { $0.value.latent.map(isLatent) ?? true }
    startingPlace = view.place.latent.map(isLatent) ?? true ? view.place : nil
  }
}
