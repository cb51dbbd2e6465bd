// Computes the next view state from an event. Events change the state only here. Update is pure: it returns the effects that it
// wants.

import Experiments
import Inference
import Kernels
import Reports
import Storage
import TUI

extension ExplorerState {
  /// The effects with which the explorer starts.
  mutating func start() -> [Effect] {
    var effects = screen.definition.appear(&self) + [.loadTagNames, .editFilters(nil)]
    if let place = startingPlace, place.screen != screen { effects += go(to: place) }
    startingPlace = nil
    return begun(effects)
  }

  /// Takes an event and returns the work that follows from it, already counted as under way.
  mutating func update(_ event: ExplorerEvent) -> [Effect] {
    let (before, listed, rows) = (place, steer.listed, tourRows)
    var effects = begun(react(to: event))
    effects += begun(screen.definition.follow(&self))
    steer.noteChange(from: listed)
    effects += begun(advanceTour())
    // The body has other rows when a tour begins or is left.
    if tourRows != rows { effects += begun(screen.definition.appear(&self)) }
    if !isTravelling, place.isElsewhere(than: before) { history.left(before) }
    isTravelling = false
    return effects
  }

  /// Counts work as begun before anybody starts it, so that `ready` is never shown too early.
  mutating func begun(_ effects: [Effect]) -> [Effect] {
    work += effects.filter(\.takesTime).map(\.label)
    return effects
  }

  private mutating func react(to event: ExplorerEvent) -> [Effect] {
    switch event {
    case .terminal(let event): return take(event)
    case .list(let found, let generation): return LatentsState.listArrived(found, generation, &self)
    case .classCounts(let counts, let generation): return LatentsState.countsArrived(counts, generation, &self)
    case .listFailed(let reason, let generation):
      if generation == latents.generation { (latents.filterError, latents.errorPosition) = (reason, nil) }
    case .savedFilters(let saved): LatentsState.savedFiltersArrived(saved, &self)
    case .rows(let rows):
      for row in rows { latents.rows[row.latent.id] = row }
      PromptState.rowsArrived(&self)
    case .page(let page):
      keep(page)
      noticeNote(page)
      LatentState.keepInView(&self)
      LatentsState.preview(page.latent.id, &self)
    case .rested(let id):
      guard id == latents.selectedID else { break }
      if pages[id] == nil { return [.loadPage(id)] }
      LatentsState.preview(id, &self)
    case .tagNames(let names): tagNames = names
    case .differences(let document): differences.arrived(document)
    case .surroundings(let surroundings): LatentState.surroundingsArrived(surroundings, &self)
    case .tagCounts(let counts, let ids): tagCountsArrived(counts, of: ids)
    case .points(let points, let generation): return MapState.pointsArrived(points, generation, &self)
    case .bins(let bins, let generation): return MapState.binsArrived(bins, generation, &self)
    case .changed(let ids, let what): return changed(ids, what)
    case .modelProgress(let text): steer.model = .loading(text)
    case .modelReady(let name): return SteerState.modelReady(name, &self)
    case .modelFailed(let reason):
      steer.model = .failed(reason)
      steer.isWaitingForModel = false
      tell(reason, .error)
    case .job(let event, let id): return take(event, id)
    case .directions(let entries): steer.known = entries
    case .promptSets(let files, let behaviours): promptSetsArrived(files, behaviours)
    case .experiments(let ids, let generation): return ExperimentsState.listArrived(ids, generation, &self)
    case .experimentRows(let runs):
      for run in runs { experiments.runs[run.record.id] = run }
    case .openedExperiments(let runs): return ExperimentState.open(runs, &self)
    case .exported(let path):
      overlay = nil
      tell("the file is written: \(path)", .good)
    case .saved(let id, let unsaved): return saved(id, formerly: unsaved)
    case .notSaved(let record, let cause): return notSaved(record, cause)
    case .noteNotSaved(let latent, let text, let cause):
      unsavedNotes[latent] = text
      tell("the note is not saved: \(cause); n on latent \(latent) brings it back", .error)
    case .copied(let what): tell(what, .good)
    case .edited(let request): edited(request)
    case .configured(nil): tell("the configuration is as it was")
    case .configured(let settings?):
      apply(settings)
      tell("the configuration is in use; its mouse setting counts from the next start on", .good)
      return screen.definition.appear(&self)
    case .storeChanged: return storeChanged()
    case .postponed(let effect): postponed.append(effect)
    case .failed(let reason): tell(reason, .error)
    case .done(let effect):
      if let index = work.firstIndex(of: effect.label) { work.remove(at: index) }
    }
    return []
  }

  /// Takes an event of a job.
  private mutating func take(_ event: JobEvent, _ id: JobID) -> [Effect] {
    let number = id.number
    switch event {
    case .loading(let what): loading(what, id)
    case .run(let event): return SteerState.take(event, number: number, &self)
    case .sweep(let event): return SteerSweep.take(event, number: number, &self)
    case .promptSet(let event): return SteerSweep.take(event, number: number, &self)
    case .preview(let event): steer.take(event, number: number)
    case .answerActivations(let found): steer.take(.shown(found), activations: number)
    case .textActivations(let event): return PromptState.take(event, number: number, &self)
    case .causalCheck(let event): return CausalCheckRun.take(event, number: number, &self)
    case .failed(let reason): failed(reason, id)
    }
    return []
  }

  /// A job waits for the models.
  private mutating func loading(_ what: String, _ id: JobID) {
    switch id.kind {
    case .textActivations: PromptState.loading(what, number: id.number, &self)
    case .causalCheck: CausalCheckRun.loading(what, number: id.number, &self)
    case .steering, .preview, .answerActivations: break
    }
  }

  /// A job ended early.
  private mutating func failed(_ reason: String, _ id: JobID) {
    switch id.kind {
    case .steering:
      SteerState.failed(reason, number: id.number, &self)
      SteerSweep.failed(reason, number: id.number, &self)
    case .preview: steer.previewFailed(reason, number: id.number)
    case .answerActivations: steer.take(.failed(reason), activations: id.number)
    case .textActivations: PromptState.failed(reason, number: id.number, &self)
    case .causalCheck: CausalCheckRun.failed(reason, number: id.number, &self)
    }
  }

  /// Reads again what a change of tags or notes has touched; a list filtered by them is searched again.
  private mutating func changed(_ ids: [Int], _ what: String) -> [Effect] {
    tell(what, .good)
    for id in ids { pages[id] = nil }
    var effects: [Effect] = [.loadTagNames] + ExperimentsState.changed(&self)
    let known = ids.filter { latents.rows[$0] != nil }
    if !known.isEmpty { effects.append(.loadRows(known)) }
    effects += shownLatents.map { .loadPage($0) }
    if steer.known != nil { effects.append(.loadDirections) }
    if let picker = overlay as? TagPicker { effects.append(.countTags(picker.latents)) }
    if !latents.query.filter.isEmpty || latents.query.sortsByAnnotations { effects.append(LatentsState.search(&self)) }
    return effects
  }

  /// Reads again what is on view: another program may have changed tags, notes and experiments.
  mutating func storeChanged() -> [Effect] {
    let visible = latents.ids.map { ids in
      latents.list.visible(count: ids.count, height: LatentsLayout(self).rowsVisible).map { ids[$0] }
    }
    let shown = Set(visible ?? []).union(steer.rows.map(\.latent)).union(targets)
    latents.rows = latents.rows.filter { shown.contains($0.key) }
    pages = pages.filter { shownLatents.contains($0.key) }
    var effects: [Effect] = [.loadTagNames] + ExperimentsState.changed(&self)
    if !latents.rows.isEmpty { effects.append(.loadRows(latents.rows.keys.sorted())) }
    effects += shownLatents.map { .loadPage($0) }
    if !latents.query.filter.isEmpty || latents.query.sortsByAnnotations { effects.append(LatentsState.search(&self)) }
    return effects
  }
}
