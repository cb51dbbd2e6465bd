// What the view state becomes when a build or an import has put another store in the place of the open one. With the
// same crosscoder, latents mean the same and everything stays. With another one it is as if the explorer had been
// started again, but no run and no note that is not saved gets lost.

import Diffing
import Kernels
import Reports
import Storage
import TUI

extension ExplorerState {
  /// Continues with the new store, which has just been opened.
  /// - Returns: the work that reads what is on view, already counted as under way.
  mutating func storeReplaced(by summary: StoreSummary) -> [Effect] {
    stopWork("a new store has taken the place of the open one")
    let isSameDictionary = summary.dictionary == store.dictionary && summary.nLatents == store.nLatents
    var effects: [Effect] = []
    if isSameDictionary {
      store = summary
      map.points = nil
      latents.target = latents.selectedID
      // What the screen shows stays until it has been read again.
      effects = storeChanged() + screen.definition.appear(&self) + [LatentsState.search(&self)] + postponed
      postponed = []
      tell("the store was built anew; this is what it holds now")
    } else {
      for effect in postponed { dropPostponed(effect) }
      effects = keepUnsavedNotes()
      self = startedAgain(on: summary)
      effects += screen.definition.appear(&self) + [.loadTagNames, .editFilters(nil)]
      tell("a store of another crosscoder has taken the place of the open one; this is what it holds", .error)
    }
    return begun(effects)
  }

  /// Makes a change that was asked for while the store was being replaced, after all that was asked for before it.
  /// - Parameter dictionary: the dictionary of the store for which the change was asked.
  mutating func takeUp(_ effect: Effect, of dictionary: String?) -> [Effect] {
    guard dictionary == store.dictionary else {
      dropPostponed(effect)
      tell("this was not done: the store that took the place of this one is about other latents", .error)
      return []
    }
    return begun([effect])
  }

  /// Ends what was under way, since it belonged to the former store.
  private mutating func stopWork(_ reason: String) {
    work = []
    if steer.run?.isGoingOn == true { steer.run?.phase = .failed(reason) }
    if let number = steer.sweep?.number { SteerSweep.failed(reason, number: number, &self) }
    PromptState.failed(reason, number: prompt.runNumber, &self)
    if let number = check?.number { CausalCheckRun.failed(reason, number: number, &self) }
  }

  /// Keeps the user's work of a change that was asked for while the store was being replaced by one about other latents.
  private mutating func dropPostponed(_ effect: Effect) {
    switch effect {
    case .setNote(let latent, let text): unsavedNotes[latent] = text
    case .save(let record): experiments.unsaved.keep(record)
    default: break
    }
  }

  /// Writes the unsaved notes to a file, since the new store does not have their latents.
  private func keepUnsavedNotes() -> [Effect] {
    guard !unsavedNotes.isEmpty else { return [] }
    let text = unsavedNotes.sorted { $0.key < $1.key }.map { "latent \($0.key): \($0.value)\n" }.joined()
    return [.export(.display(text), path: "\(store.name)-unsaved-notes.txt")]
  }

  /// The state of an explorer that was ended here and started on another store.
  private func startedAgain(on summary: StoreSummary) -> ExplorerState {
    var state = ExplorerState(store: summary, size: size, asciiOnly: asciiOnly)
    (state.isSpoken, state.hidesKeyBar, state.keyMap) = (isSpoken, hidesKeyBar, keyMap)
    var view = SavedView(self)
    (view.rows, view.marks, view.selected) = ([], [:], nil)
    state.restore(view)
    state.startingPlace = nil
    state.experiments.unsaved = experiments.unsaved
    return state
  }
}
