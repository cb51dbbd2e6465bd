// Runs effects on the store and the engine, away from the main actor, and reports the result of each. It knows no view state.

import Diffing
import Experiments
import Foundation
import Inference
import Kernels
import Reports
import Storage

/// Runs effects. Its results depend only on the effect, the store's file, the engine and the clock.
struct EffectRunner: Sendable {
  let store: Store
  let laboratory: any Laboratory
  /// The file of saved filters; if it is nil, none are kept.
  var filters: FilterFile?
  /// Reads a file of prompts.
  var readPrompts: @Sendable (String) throws -> [SetPrompt] = { try SetPrompt.read($0) }
  /// How long a cursor stays on a latent before it counts as resting there.
  var restDelay = Duration.milliseconds(80)

  /// Runs one effect to its end; blocks its thread only for the time of a query. Cancelling the task ends a run.
  @concurrent func run(_ effect: Effect, emit: @escaping @Sendable (ExplorerEvent) -> Void) async {
    switch effect {
    case .loadModel: await loadModel(emit)
    case .start(let job, let number):
      let id = JobID(kind: job.kind, number: number)
      await laboratory.run(job, readPrompts: readPrompts) { emit(.job($0, id)) }
    case .cancel, .edit, .editConfiguration, .redraw: break
    case .export(let content, let path): export(content, path, emit)
    case .save(let record): save(record, emit)
    case .copy(let copied): emit(.copied(Clipboard.report(copied, tool: Clipboard.copy(copied.text))))
    case .findPromptSets:
      emit(.promptSets(PromptSetFile.beside(store: store.path), behaviours: .beside(store: store.path)))
    case .editFilters(let edit): editFilters(edit, emit)
    case .loadDifferences:
      do {
        emit(.differences(try DifferenceDocument(sections: store.differences(), source: store.path)))
      } catch {
        emit(.differences(nil))
        emit(.failed("\(error)"))
      }
    case .rest(let id):
      do { try await Task.sleep(for: restDelay) } catch { return }
      return emit(.rested(on: id))
    case .loadList(let query, let overview, let generation):
      do { try find(query, overview: overview, generation: generation, emit) } catch {
        emit(.listFailed(error.description, generation: generation))
      }
    default:
      do {
        if let event = try answer(effect) { emit(event) }
      } catch {
        emit(Self.notDone(effect, error))
      }
    }
    emit(.done(effect))
  }

  /// The event for an effect that the store refused.
  private static func notDone(_ effect: Effect, _ error: StorageError) -> ExplorerEvent {
    if case .replaced = error, effect.changesStore { return .postponed(effect) }
    if case .setNote(let latent, let text) = effect { return .noteNotSaved(latent, text, error.cause) }
    return .failed(error.description)
  }

  private func answer(_ effect: Effect) throws(StorageError) -> ExplorerEvent? {
    switch effect {
    case .loadRows(let ids): return .rows(try rows(ids))
    case .countTags(let ids): return .tagCounts(try store.tagCounts(of: ids), of: ids)
    case .loadPage(let id): return .page(try store.page(of: id))
    case .loadSurroundings(let id):
      return .surroundings(
        LatentSurroundings(
          latent: id, contrast: try store.contrast(to: id), coFiring: try store.coFiring(with: id)))
    case .loadTagNames: return .tagNames(try store.tagCounts().map(\.name))
    case .loadPoints(let x, let y, let generation):
      return .points(try store.points(x: x, y: y), generation: generation)
    case .bin(let all, let only, let window, let columns, let rows, let generation):
      let points = only.map { all.limited(to: $0) } ?? all
      return .bins(MapBins(points, window: window, columns: columns, rows: rows), generation: generation)
    case .loadExperiments(let text, let generation):
      return .experiments(try store.experimentIDs(matching: text), generation: generation)
    case .loadExperimentRows(let ids): return .experimentRows(try store.experiments(ids: ids).map(SavedRun.init))
    case .loadDirections: return .directions(try store.directions().compactMap { try? DirectionEntry($0) })
    case .openExperiments(let ids): return .openedExperiments(try store.experiments(ids: ids).map(SavedRun.init))
    case .deleteExperiments(let ids): return changed(try store.deleteExperiments(ids))
    case .setTag(let tag, let latents, let present):
      return changed(try store.annotate(latents, adding: present ? [tag] : [], removing: present ? [] : [tag]))
    case .setNote(let latent, let text): return changed(try store.annotate([latent], note: text))
    case .undo:
      return try store.undo().map { changed($0, "undone: ") } ?? .failed("there is nothing to undo in this session")
    case .redo:
      return try store.redo().map { changed($0, "redone: ") } ?? .failed("there is nothing to redo in this session")
    case .loadList, .loadDifferences, .loadModel, .start, .cancel, .save, .findPromptSets, .export, .editFilters, .copy,
      .edit,
      .editConfiguration, .redraw, .rest:
      return nil
    }
  }

  private func find(
    _ query: ListQuery, overview: Bool, generation: Int, _ emit: (ExplorerEvent) -> Void
  ) throws(StorageError) {
    let filter = try Filter(query.filter, metrics: store.metricNames())
    let only = filter.narrowed(to: query.latentClass)
    guard overview else {
      let ids = try store.latentIDs(
        sortedBy: query.sort, ascending: query.first.ascending, then: query.then, matching: only)
      return emit(.list(FoundLatents(ids: ids), generation: generation))
    }
    let list = try store.latentList(by: query.first, then: query.then, matching: only)
    let distribution = query.sort.isNumber ? Distribution(list) : nil
    emit(.list(FoundLatents(ids: list.ids, distribution: distribution, countsFollow: true), generation: generation))
    emit(.classCounts(try store.classCounts(matching: filter), generation: generation))
  }

  private func rows(_ ids: [Int]) throws(StorageError) -> [LatentRow] {
    let latents = try store.latents(ids: ids)
    let tags = try store.tags(of: ids)
    let summaries = try store.summaries(of: ids)
    let noted = try store.noted(among: ids)
    let histograms = try store.histograms(of: ids)
    return latents.map {
      LatentRow(
        latent: $0, tags: tags[$0.id] ?? [], summary: summaries[$0.id], hasNote: noted.contains($0.id),
        histograms: histograms[$0.id] ?? [])
    }
  }

  private func editFilters(_ edit: SavedFilters.Edit?, _ emit: @escaping @Sendable (ExplorerEvent) -> Void) {
    guard let filters else { return }
    do {
      emit(.savedFilters(try edit.map { try filters.apply($0) } ?? filters.read()))
    } catch {
      emit(.failed(String(describing: error)))
    }
  }

  private func changed(_ edit: AnnotationEdit, _ prefix: String = "") -> ExplorerEvent {
    .changed(edit.latents, prefix + edit.summary)
  }

  private func loadModel(_ emit: @escaping @Sendable (ExplorerEvent) -> Void) async {
    do {
      emit(.modelReady(try await laboratory.load { emit(.modelProgress($0)) }))
    } catch {
      emit(.modelFailed(String(describing: error)))
    }
  }

  private func export(
    _ content: ExportPath.Content, _ path: String, _ emit: @escaping @Sendable (ExplorerEvent) -> Void
  ) {
    do {
      switch content {
      case .experiment(let id):
        for record in try store.experiments(ids: [id]) { emit(.exported(try SavedRun(record).export(to: path))) }
      case .unsaved(let run): emit(.exported(try run.export(to: path)))
      case .comparison(let first, let second):
        emit(.exported(try SavedRun.export(comparing: first, second, to: path)))
      case .run(let document): emit(.exported(try SavedRun(document.record()).export(to: path)))
      case .set(let report): emit(.exported(try SavedRun(report.record()).export(to: path)))
      case .display(let text): emit(.exported(try writeNew(text, to: path)))
      }
    } catch {
      emit(.failed(String(describing: error)))
    }
  }

  private func save(_ record: ExperimentRecord, _ emit: @escaping @Sendable (ExplorerEvent) -> Void) {
    do {
      emit(.saved(try store.save(record).id, formerly: record.id < 0 ? record.id : nil))
    } catch StorageError.replaced {
      emit(.postponed(.save(record)))
    } catch {
      emit(.notSaved(record, error.cause))
    }
  }
}
