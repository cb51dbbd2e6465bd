// What a job is: work for the models of a store that is asked for once, goes on a step at a time, and tells what happens.
// A job is one file: what it asks, how it goes on, its events, what they add up to, and when they are an answer to what was
// asked. Every job runs on models here, on those of a service, or on a script in tests (see Laboratory).

import Inference
import Storage

/// Work for the models of a store, as their owner does it.
package protocol ModelTask: Sendable {
  associatedtype Event: Sendable
  associatedtype Steps: TaskSteps where Steps.Event == Event

  /// Whether it is short and goes between the steps of other work.
  static var isPreview: Bool { get }

  /// Puts the work together; nothing is computed yet.
  /// - Throws: the errors of the targets where something cannot be done.
  func begin(on models: LoadedModels) throws -> Steps
}

extension ModelTask {
  package static var isPreview: Bool { false }
}

/// Work under way. One owner at a time.
package protocol TaskSteps<Event> {
  associatedtype Event

  /// Goes on by one step: a token of every stream, a pass over a text, a prompt of a set.
  /// - Parameter tell: takes what happens meanwhile.
  /// - Returns: whether there is more to do.
  /// - Throws: what the engine throws; it ends within a token if the task is cancelled.
  mutating func step(_ tell: (Event) -> Void) throws -> Bool
}

/// Work that a service does for others, too. It is encoded as the body of the request.
package protocol Job: ModelTask, Encodable, Equatable where Event: Codable {
  associatedtype Answer: JobAnswer where Answer.Event == Event

  /// The service's path.
  static var path: String { get }
  /// The fields of a request.
  static var fieldNames: [String] { get }
  /// The field whose text may be too long.
  var textField: String { get }
  /// The field that names latents.
  var latentsField: String { get }

  /// Reads a request.
  /// - Parameter isStreamed: whether its events are wanted, not a whole document.
  /// - Throws: `JSONFieldError`.
  init(_ fields: JSONFields, isStreamed: Bool) throws

  /// Cuts the job to what a service gives.
  /// - Throws: `JSONFieldError` where it asks for more than that.
  mutating func limit(to limits: AnswerLimits, store: Store) throws

  /// What its events add up to.
  /// - Parameter identity: the files that the job is about.
  func answer(from identity: EngineIdentity) -> Answer

  /// The whole document that a service sends where no events are wanted.
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

/// What the events of a job add up to.
package protocol JobAnswer: Sendable {
  associatedtype Event
  associatedtype Outcome: Sendable

  /// Takes the next event.
  /// - Throws: `UnexpectedAnswer` for an event that does not answer the job: a service may send anything.
  mutating func take(_ event: Event) throws(UnexpectedAnswer)

  /// What came of the job; nil before its end.
  var outcome: Outcome? { get }
}

/// Events that do not answer what was asked; it says what came instead.
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
  func check(_ latents: some Sequence<Int32>, field: String) throws {
    do {
      _ = try self.latents(ids: latents)
    } catch {
      guard case .noSuchLatent = error else { throw error }
      throw JSONFieldError.invalid(field, error.description)
    }
  }
}
