// What update asks for and what comes back. Effects are values: a test can look at them, the loop runs them.

import Experiments
import Inference
import Reports
import Storage
import TUI

/// Work outside the view state. Nothing of it runs on the main actor.
enum Effect: Sendable, Equatable {
  /// All latents that a filter lets through, in order, and if asked what stands below them; an older generation's
  /// answer is ignored.
  case loadList(ListQuery, overview: Bool, generation: Int)
  /// Reads the filters that are kept beyond a run, after a change if there is one.
  case editFilters(SavedFilters.Edit?)
  /// Table rows by id.
  case loadRows([Int32])
  /// Everything about one latent.
  case loadPage(Int32)
  /// Waits whether the cursor stays on this latent; takes the place of any other wait.
  case rest(on: Int32)
  case loadTagNames
  /// What a latent's page shows below: contrast, and latents that fire together with it.
  case loadSurroundings(Int32)
  /// How many of these latents have which tag.
  case countTags([Int32])
  /// All latents as points of the map.
  case loadPoints(x: FilterColumn, y: FilterColumn, generation: Int)
  /// Sorts points into the cells of a plot, all or those of some latents.
  case bin(LatentPoints, only: [Int32]?, MapWindow, columns: Int, rows: Int, generation: Int)
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
  /// Starts a job in place of any other of its kind.
  case start(ExplorerJob, number: Int)
  /// Ends the job of a kind.
  case cancel(ExplorerJob.Kind)
  /// Saves what the user made; a record with a number below 0 was not saved before under that number.
  case save(ExperimentRecord)
  /// The sets of prompts beside the store.
  case findPromptSets
  /// Text for the terminal's clipboard, and the desktop's where there is one.
  case copy(CopiedText)
  /// Text in the user's editor.
  case edit(EditRequest)
  /// The configuration in the user's editor.
  case editConfiguration
  /// Everything is sent to the terminal anew.
  case redraw

  /// Whether it is work that goes on after it was asked for, and ends with `done`.
  var takesTime: Bool {
    switch self {
    case .cancel, .redraw, .edit, .editConfiguration: false
    // Nobody waits for it.
    case .rest: false
    default: true
    }
  }

  /// What the status line says meanwhile.
  var label: String {
    switch self {
    case .loadList, .loadExperiments: "searching"
    case .editFilters(let edit): edit == nil ? "reading" : "saving"
    case .countTags: "reading"
    case .rest: "resting"
    case .loadRows, .loadPage, .loadTagNames, .loadPoints, .loadExperimentRows, .openExperiments: "reading"
    case .loadSurroundings: "reading"
    case .bin: "drawing"
    case .setTag, .setNote, .undo, .redo, .save, .deleteExperiments, .export: "saving"
    case .loadModel: "loading the model"
    case .start(let job, _): job.label
    case .cancel: "cancelling"
    case .findPromptSets: "reading"
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
  /// Orders those of equal first key; nil by id.
  var then: LatentOrder?
  /// Only this class of what the filter lets through.
  var latentClass: LatentClass?

  /// Whether a change of tags or notes may change the order.
  var sortsByAnnotations: Bool { [sort, then?.sort].contains { $0 == .tags || $0 == .note } }

  /// Whether it leaves anything out.
  var isFiltered: Bool { !filter.isEmpty || latentClass != nil }

  /// The first key with its direction.
  var first: LatentOrder { LatentOrder(sort, ascending: sort.ascendsByDefault != reversed) }
}

/// The answer to a query.
struct FoundLatents: Sendable, Equatable {
  var ids: [Int32]
  /// Of the first key, where it was asked for and there is one.
  var distribution: Distribution?
  /// Whether the counts of the classes were asked for; they take as long as the list and come after it.
  var countsFollow = false
}

/// A row of the latent table.
struct LatentRow: Sendable, Equatable {
  var latent: LatentRecord
  var tags: [String]
  /// What it is about, see `Store.summaries(of:)`.
  var summary: String?
  var hasNote = false
  var histograms: [HistogramRecord] = []
}

/// What happened: at the terminal, or in answer to an effect.
enum ExplorerEvent: Sendable {
  case terminal(TerminalEvent)
  case list(FoundLatents, generation: Int)
  /// Of what the list's filter lets through, in all classes.
  case classCounts([LatentClass: Int], generation: Int)
  case listFailed(String, generation: Int)
  case rows([LatentRow])
  case page(LatentPage)
  /// The cursor came to this latent a while ago.
  case rested(on: Int32)
  case tagNames([String])
  case surroundings(LatentSurroundings)
  case tagCounts([String: Int], of: [Int32])
  case savedFilters(SavedFilters)
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
  /// What a job tells.
  case job(JobEvent, JobID)
  case promptSets([PromptSetFile])
  /// A run is in the store under a number; before it was unsaved under the other one, if there is one.
  case saved(Int64, formerly: Int64? = nil)
  /// The store did not take a run, and why.
  case notSaved(ExperimentRecord, String)
  /// The store did not take a note, and why.
  case noteNotSaved(Int32, String, String)
  /// Copied to the clipboard, in words.
  case copied(String)
  /// A text came back from the editor.
  case edited(EditRequest)
  /// The configuration was edited: what it is now, or nil where nothing was changed.
  case configured(Settings?)
  /// Another program, or this one, has changed the store.
  case storeChanged
  /// A change that waits until the store, in whose place there is another one, is opened again.
  case postponed(Effect)
  /// Anything else that went wrong, in one line.
  case failed(String)
  /// An effect has ended, whatever came of it.
  case done(Effect)
}
