// Update asks for effects, and their results come back as events. Effects are values: a test can compare them, the loop runs
// them.

import Experiments
import Inference
import Reports
import Storage
import TUI

/// Work outside the view state, which never runs on the main actor.
enum Effect: Sendable, Equatable {
  /// All latents that a filter lets through, in order, and if asked the figures below them. The answer to an older
  /// generation is ignored.
  case loadList(ListQuery, overview: Bool, generation: Int)
  /// Reads the saved filters, after a change if there is one.
  case editFilters(SavedFilters.Edit?)
  /// The rows of the table for some ids.
  case loadRows([Int])
  /// The page of one latent.
  case loadPage(Int)
  /// Waits to see whether the cursor stays on this latent; replaces any other wait.
  case rest(on: Int)
  case loadTagNames
  /// What the two models differ in.
  case loadDifferences
  /// The store's directions.
  case loadDirections
  /// The lower parts of a latent's page: contrast, and latents that fire together with it.
  case loadSurroundings(Int)
  /// How many of these latents have which tag.
  case countTags([Int])
  /// All latents as points of the map.
  case loadPoints(x: FilterColumn, y: FilterColumn, generation: Int)
  /// Sorts points into the cells of a plot, all or those of some latents.
  case bin(LatentPoints, only: [Int]?, MapWindow, columns: Int, rows: Int, generation: Int)
  /// Experiments that hold a text, all for an empty one.
  case loadExperiments(matching: String, generation: Int)
  case loadExperimentRows([Int64])
  /// One experiment to look at, or two to compare.
  case openExperiments([Int64])
  case deleteExperiments([Int64])
  case export(ExportPath.Content, path: String)
  case setTag(String, latents: [Int], present: Bool)
  case setNote(Int, String)
  case undo
  case redo
  case loadModel
  /// Starts a job, which replaces any other of its kind.
  case start(ExplorerJob, number: Int)
  /// Ends the job of a kind.
  case cancel(ExplorerJob.Kind)
  /// Saves an experiment. A number below 0 says that an earlier attempt to save it failed.
  case save(ExperimentRecord)
  /// The sets of prompts beside the store, and its file of behaviours.
  case findPromptSets
  /// Text for the terminal's clipboard, and the desktop's where there is one.
  case copy(CopiedText)
  /// Text in the user's editor.
  case edit(EditRequest)
  /// The configuration in the user's editor.
  case editConfiguration
  /// Everything is sent to the terminal anew.
  case redraw

  /// Whether the work continues after it was asked for and ends with `done`.
  var takesTime: Bool {
    switch self {
    case .cancel, .redraw, .edit, .editConfiguration: false
    // The user does not wait for it.
    case .rest: false
    default: true
    }
  }

  /// The text of the status line during the work.
  var label: String {
    switch self {
    case .loadList, .loadExperiments: "searching"
    case .editFilters(let edit): edit == nil ? "reading" : "saving"
    case .countTags: "reading"
    case .rest: "resting"
    case .loadDirections: "reading"
    case .loadRows, .loadPage, .loadTagNames, .loadDifferences, .loadPoints, .loadExperimentRows, .openExperiments:
      "reading"
    case .loadSurroundings: "reading"
    case .bin: "drawing"
    case .setTag, .setNote, .undo, .redo, .save, .deleteExperiments, .export: "saving"
    case .loadModel: "loading the model"
    case .start(let job, _): job.label
    case .cancel: "cancelling"
    case .findPromptSets: "reading"
    case .copy: "copying"
    case .edit, .editConfiguration: "editing"
    case .redraw: "drawing the screen anew"
    }
  }
}

/// The latents of a list, and their order.
struct ListQuery: Sendable, Equatable {
  /// The filter in the store's language; an empty one lets all latents through.
  var filter = ""
  var sort: LatentSort = .chatSpecificity
  /// Whether the order is the reverse of the sort's default.
  var reversed = false
  /// The order among latents of equal first key; nil for the order of ids.
  var then: LatentOrder?
  /// If this is set, only latents of this class are listed.
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
  var ids: [Int]
  /// The distribution of the first key, if it was asked for and exists.
  var distribution: Distribution?
  /// Whether the counts of the classes were asked for; they take as long as the list and arrive after it.
  var countsFollow = false
}

/// A row of the latent table.
struct LatentRow: Sendable, Equatable {
  var latent: LatentRecord
  var tags: [String]
  /// A short explanation of the latent, see `Store.summaries(of:)`.
  var summary: String?
  var hasNote = false
  var histograms: [HistogramRecord] = []
}

/// An event at the terminal, or the answer to an effect.
enum ExplorerEvent: Sendable {
  case terminal(TerminalEvent)
  case list(FoundLatents, generation: Int)
  /// The counts over all classes of the latents that the list's filter lets through.
  case classCounts([LatentClass: Int], generation: Int)
  case listFailed(String, generation: Int)
  case rows([LatentRow])
  case page(LatentPage)
  /// The cursor has rested on this latent.
  case rested(on: Int)
  case tagNames([String])
  /// What the two models differ in; nil if they were not compared.
  case differences(DifferenceDocument?)
  case surroundings(LatentSurroundings)
  case tagCounts([String: Int], of: [Int])
  case savedFilters(SavedFilters)
  case points(LatentPoints, generation: Int)
  case bins(MapBins, generation: Int)
  case experiments([Int64], generation: Int)
  case experimentRows([SavedRun])
  case openedExperiments([SavedRun])
  case exported(String)
  /// Tags or notes of these latents have changed; the text tells the user how.
  case changed([Int], String)
  case modelProgress(String)
  case modelReady(String)
  case modelFailed(String)
  /// An event of a job.
  case job(JobEvent, JobID)
  /// The sets of prompts beside the store, and the file of behaviours if there is one.
  case directions([DirectionEntry])
  case promptSets([PromptSetFile], behaviours: BehaviourFile? = nil)
  /// A run is in the store under a number. If it was unsaved before, `formerly` is the number that it had.
  case saved(Int64, formerly: Int64? = nil)
  /// The store did not take a run, for the given reason.
  case notSaved(ExperimentRecord, String)
  /// The store did not take a note, for the given reason.
  case noteNotSaved(Int, String, String)
  /// A text was copied; the words say which one.
  case copied(String)
  /// A text came back from the editor.
  case edited(EditRequest)
  /// The configuration was edited; nil if nothing was changed.
  case configured(Settings?)
  /// Another program, or this one, has changed the store.
  case storeChanged
  /// A change that waits until the store is opened again, because another one has taken its place.
  case postponed(Effect)
  /// Another error, in one line.
  case failed(String)
  /// An effect has ended, with or without success.
  case done(Effect)
}
