// A job is work for the models of a store that is asked for once, advances step by step and reports events. One file has the
// whole job: its request, its steps, its events, their result, and when the result answers the request. Every job runs on
// models in this process, on those of a service, or on a script in tests (see Laboratory).

import Inference
import Storage

/// Work that the owner of a store's models can do.
package protocol ModelTask: Sendable {
  associatedtype Event: Sendable
  associatedtype Steps: TaskSteps where Steps.Event == Event

  /// Whether the work is short and may run between the steps of other work.
  static var isPreview: Bool { get }

  /// Prepares the work; nothing is computed yet.
  /// - Throws: the errors of the targets if something cannot be done.
  func begin(on models: LoadedModels) throws -> Steps
}

extension ModelTask {
  package static var isPreview: Bool { false }
}

/// Work in progress, which belongs to one owner at a time.
package protocol TaskSteps<Event> {
  associatedtype Event

  /// Advances by one step: a token of every stream, a pass over a text, or a prompt of a set.
  /// - Parameter tell: receives the events of the step.
  /// - Returns: whether there is more to do.
  /// - Throws: what the engine throws; if the task is cancelled, the step ends within a token.
  mutating func step(_ tell: (Event) -> Void) throws -> Bool
}

/// Work that a service also does for its clients. The encoded job is the body of the request.
package protocol Job: ModelTask, Encodable, Equatable where Event: Codable {
  associatedtype Answer: JobAnswer where Answer.Event == Event

  /// The path of the job at a service.
  static var path: String { get }
  /// The fields that a request may have.
  static var fieldNames: [String] { get }
  /// The field of the text; an error about a text that is too long names it.
  var textField: String { get }
  /// The field of the latents; an error about an unknown latent names it.
  var latentsField: String { get }

  /// Reads a request.
  /// - Parameter isStreamed: whether the client wants events instead of one document.
  /// - Throws: `JSONFieldError`.
  init(_ fields: JSONFields, isStreamed: Bool) throws

  /// Lowers the job's open limits to those of the service.
  /// - Throws: `JSONFieldError` if the job asks for more.
  mutating func limit(to limits: AnswerLimits, store: Store) throws

  /// Collects the events into a result.
  /// - Parameter identity: the files that the job is about.
  func answer(from identity: EngineIdentity) -> Answer

  /// The document that a service sends to a client that wants no events.
  func document(_ outcome: Answer.Outcome, store: Store) throws -> String
}

extension Job {
  package var textField: String { "prompt" }
  package var latentsField: String { "interventions" }
  package mutating func limit(to limits: AnswerLimits, store: Store) throws {}
}

extension Job where Answer.Outcome: Encodable {
  package func document(_ outcome: Answer.Outcome, store: Store) throws -> String { try jsonText(outcome) }
}

/// Collects the events of a job into its result.
package protocol JobAnswer: Sendable {
  associatedtype Event
  associatedtype Outcome: Sendable

  /// Takes the next event.
  /// - Throws: `UnexpectedAnswer` if the event does not answer the job, since a service may send anything.
  mutating func take(_ event: Event) throws(UnexpectedAnswer)

  /// The result of the job; nil before its end.
  var outcome: Outcome? { get }
}

/// Events that do not answer the request; it says what came instead.
package struct UnexpectedAnswer: Error, Equatable {
  package let found: String
  package init(_ found: String = "something else") { self.found = found }
}

/// How far a job is.
package struct JobProgress: Codable, Sendable, Equatable {
  package var done: Int
  package var of: Int
  package init(done: Int, of: Int) { (self.done, self.of) = (done, of) }
}

extension Store {
  /// Makes sure that latents exist.
  /// - Throws: `JSONFieldError` naming the first latent that the store does not have.
  func check(_ latents: some Sequence<Int>, field: String) throws {
    do {
      _ = try self.latents(ids: latents)
    } catch {
      guard case .noSuchLatent = error else { throw error }
      throw JSONFieldError.invalid(field, error.description)
    }
  }
}
