// Turns errors into what the client of a request is told, with the field of the request that is at fault, if there is one.

import Diffing
import Experiments
import Inference
import Serving
import Storage

extension APIError {
  /// A field that cannot be read.
  init(_ error: JSONFieldError) {
    switch error.kind {
    case .unknown: self = .unsupported(field: error.field)
    case .invalid: self = .invalid(error.description, param: error.field)
    }
  }

  /// The error that a request's client is told. Errors that are not the request's fault pass unchanged.
  /// - Parameters:
  ///   - text: the field of the text, for an error about its length.
  ///   - latents: the field that names latents.
  static func describing(_ error: any Error, text: String, latents: String) -> any Error {
    switch error {
    case let error as JSONFieldError: APIError(error)
    case TurnQueue.Refusal.full: APIError.busy
    case TurnQueue.Refusal.closed: APIError.stopping
    case DiffingError.file(let inner): describing(inner, text: text, latents: latents)
    case DiffingError.settingInvalid(let setting, _, _), InferenceError.settingInvalid(let setting, _, _):
      switch setting.part {
      case .text: APIError.invalid("\(error)", param: text, code: "context_length_exceeded")
      case .interventions: APIError.invalid("\(error)", param: latents)
      case .directions: APIError.invalid("\(error)", param: "directions")
      case .conditions: APIError.invalid("\(error)", param: "conditions")
      case .blocks: APIError.invalid("\(error)", param: "all_layers")
      case .unit: APIError.invalid("\(error)", param: "raw_strength")
      case .amplification: APIError.invalid("\(error)", param: "amplification")
      case nil: APIError.invalid("\(error)")
      }
    case StorageError.noSuchLatent: APIError.invalid("\(error)", param: latents)
    case InferenceError.notFinite, DiffingError.notFinite, InputError.notSaid, InputError.invalid,
      InferenceError.unsupported(_, "a chat with", _, _), InferenceError.memoryShort:
      APIError.invalid("\(error)")
    default: error
    }
  }
}
