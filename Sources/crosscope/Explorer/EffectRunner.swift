// Runs effects on the store and the engine, away from the main actor, and reports what came of each.
// Owns: the translation between effects and the two services. Refuses: view state.

import Foundation
import Storage

/// Runs effects. A function of its inputs but for the store's file, the engine and the clock.
struct EffectRunner: Sendable {
  let store: Store
  let steering: SteeringService

  /// Runs one effect to its end; blocks its thread only for the time of a query. Cancelling the task ends a run.
  @concurrent func run(_ effect: Effect, emit: @escaping @Sendable (ExplorerEvent) -> Void) async {
    switch effect {
    case .loadModel: await loadModel(emit)
    case .run(let request, let number): await run(request, number: number, emit)
    case .cancelRun, .edit, .editConfiguration, .redraw: break
    case .export(let content, let path): export(content, path, emit)
    case .copy(let copied): emit(.copied(Clipboard.report(copied, tool: Clipboard.copy(copied.text))))
    default:
      do {
        if let event = try answer(effect) { emit(event) }
      } catch {
        if case .loadList(_, let generation) = effect {
          emit(.listFailed(error.description, generation: generation))
        } else {
          emit(.failed(error.description))
        }
      }
    }
    emit(.done(effect))
  }

  private func answer(_ effect: Effect) throws(StorageError) -> ExplorerEvent? {
    switch effect {
    case .loadList(let query, let generation):
      let ids = try store.latentIDs(
        sortedBy: query.sort, ascending: query.sort.ascendsByDefault != query.reversed,
        matching: Filter(query.filter, metrics: store.metricNames()))
      return .list(ids, generation: generation)
    case .loadRows(let ids):
      let latents = try store.latents(ids: ids)
      let tags = try store.tags(of: ids)
      let summaries = try store.summaries(of: ids)
      return .rows(
        latents.map { LatentRow(latent: $0, tags: tags[$0.id] ?? [], summary: summaries[$0.id]) })
    case .loadPage(let id): return .page(try store.page(of: id))
    case .loadTagNames: return .tagNames(try store.tagCounts().map(\.name))
    case .loadPoints(let x, let y, let generation):
      return .points(try store.points(x: x, y: y), generation: generation)
    case .bin(let points, let window, let columns, let rows, let generation):
      return .bins(MapBins(points, window: window, columns: columns, rows: rows), generation: generation)
    case .loadExperiments(let text, let generation):
      return .experiments(try store.experimentIDs(matching: text), generation: generation)
    case .loadExperimentRows(let ids): return .experimentRows(try store.experiments(ids: ids).map(SavedRun.init))
    case .openExperiments(let ids): return .openedExperiments(try store.experiments(ids: ids).map(SavedRun.init))
    case .deleteExperiments(let ids): return changed(try store.deleteExperiments(ids))
    case .setTag(let tag, let latents, let present):
      return changed(try store.annotate(latents, adding: present ? [tag] : [], removing: present ? [] : [tag]))
    case .setNote(let latent, let text): return changed(try store.annotate([latent], note: text))
    case .undo: return try store.undo().map { changed($0, "undone: ") } ?? .failed("nothing to undo")
    case .redo: return try store.redo().map { changed($0, "redone: ") } ?? .failed("nothing to redo")
    case .save(var experiment):
      experiment.created = Date().formatted(.iso8601)
      return .saved(try store.save(experiment).id)
    case .loadModel, .run, .cancelRun, .export, .copy, .edit, .editConfiguration, .redraw: return nil
    }
  }

  private func changed(_ edit: AnnotationEdit, _ prefix: String = "") -> ExplorerEvent {
    .changed(edit.latents, prefix + edit.summary)
  }

  private func loadModel(_ emit: @escaping @Sendable (ExplorerEvent) -> Void) async {
    do {
      emit(.modelReady(try await steering.load { emit(.modelProgress($0)) }))
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
      case .display(let text): emit(.exported(try writeNew(text, to: path)))
      }
    } catch {
      emit(.failed(String(describing: error)))
    }
  }

  private func run(_ request: SteeringRequest, number: Int, _ emit: @escaping @Sendable (ExplorerEvent) -> Void) async {
    do {
      for try await event in steering.run(request) { emit(.steering(event, number: number)) }
    } catch is CancellationError {
      return
    } catch {
      emit(.runFailed(String(describing: error), number: number))
    }
  }
}
