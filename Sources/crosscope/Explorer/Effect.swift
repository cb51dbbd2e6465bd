// What update asks for and what comes back. Effects are values: a test can look at them, the loop runs them.

import Storage
import TUI

/// Work outside the view state. Nothing of it runs on the main actor.
enum Effect: Sendable, Equatable {
  /// All latents that a filter lets through, in order; an older generation's answer is ignored.
  case loadList(ListQuery, generation: Int)
  /// Table rows by id.
  case loadRows([Int32])
  /// Everything about one latent.
  case loadPage(Int32)
  case loadTagNames
  /// All latents as points of the map.
  case loadPoints(x: FilterColumn, y: FilterColumn, generation: Int)
  /// Sorts points into the cells of a plot.
  case bin(LatentPoints, MapWindow, columns: Int, rows: Int, generation: Int)
  /// Experiments that hold a text, all for an empty one.
  case loadExperiments(matching: String, generation: Int)
  case loadExperimentRows([Int64])
  /// One to look at, or two to compare.
  case openExperiments([Int64])
  case deleteExperiments([Int64])
  case export(ExportPath.Content, path: String)
  case setTag(String, latents: [Int32], present: Bool)
  case setNote(Int32, String)
  case undo
  case redo
  case loadModel
  case run(SteeringRequest, number: Int)
  case cancelRun
  case save(ExperimentRecord)
  /// Text for the terminal's clipboard, and the desktop's where there is one.
  case copy(CopiedText)
  /// Text in the user's editor.
  case edit(EditRequest)
  /// The configuration in the user's editor.
  case editConfiguration
  /// Everything is sent to the terminal anew.
  case redraw

  /// Whether it goes on after it was asked for, and ends with `done`; the others are over at once.
  var takesTime: Bool {
    switch self {
    case .cancelRun, .redraw, .edit, .editConfiguration: false
    default: true
    }
  }

  /// What the status line says meanwhile.
  var label: String {
    switch self {
    case .loadList, .loadExperiments: "searching"
    case .loadRows, .loadPage, .loadTagNames, .loadPoints, .loadExperimentRows, .openExperiments: "reading"
    case .bin: "drawing"
    case .setTag, .setNote, .undo, .redo, .save, .deleteExperiments, .export: "saving"
    case .loadModel: "loading the model"
    case .run: "generating"
    case .cancelRun: "cancelling"
    case .copy: "copying"
    case .edit, .editConfiguration: "editing"
    case .redraw: "drawing anew"
    }
  }
}

/// Which latents, in which order.
struct ListQuery: Sendable, Equatable {
  /// In the store's filter language; empty lets all through.
  var filter = ""
  var sort: LatentSort = .chatSpecificity
  /// Against the sort's usual direction.
  var reversed = false
}

/// A row of the latent table.
struct LatentRow: Sendable, Equatable {
  var latent: LatentRecord
  var tags: [String]
  /// What it is about, see `Store.summaries(of:)`.
  var summary: String?
}

/// What happened: at the terminal, or in answer to an effect.
enum ExplorerEvent: Sendable {
  case terminal(TerminalEvent)
  case list([Int32], generation: Int)
  case listFailed(String, generation: Int)
  case rows([LatentRow])
  case page(LatentPage)
  case tagNames([String])
  case points(LatentPoints, generation: Int)
  case bins(MapBins, generation: Int)
  case experiments([Int64], generation: Int)
  case experimentRows([SavedRun])
  case openedExperiments([SavedRun])
  case exported(String)
  /// Tags or notes of these latents changed; what happened in words, shown to the user.
  case changed([Int32], String)
  case modelProgress(String)
  case modelReady(String)
  case modelFailed(String)
  /// A token or the end of the run of this number.
  case steering(SteeringEvent, number: Int)
  case runFailed(String, number: Int)
  case saved(Int64)
  /// Copied to the clipboard, in words.
  case copied(String)
  /// A text came back from the editor.
  case edited(EditRequest)
  /// The configuration was changed and read.
  case configured(Settings)
  /// Another program, or this one, has changed the store.
  case storeChanged
  /// Anything else that went wrong, in one line.
  case failed(String)
  /// An effect has ended, whatever came of it.
  case done(Effect)
}
