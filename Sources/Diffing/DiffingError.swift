// The errors of this module. A case carries the place, what was expected and what was found; its description is one
// line that ends in what to do. A caller's mistake (two things of this program that do not fit) is a precondition, not
// a case here.

import Inference

/// An error of the Diffing module.
public enum DiffingError: Error, Equatable, Sendable {
  /// A file could not be read or written, or breaks its format.
  case file(InferenceError)
  /// A JSON file of a checkpoint lacks a key or has the wrong value.
  case configurationInvalid(path: String, key: String, expected: String, found: String)
  /// A tensor has another shape than the rest of its checkpoint, or than the crosscoder it is used with.
  case shapeMismatch(path: String, tensor: String, expected: [Int], found: [Int])
  /// The file is well formed, but of a kind that this program does not read or compute.
  case unsupported(path: String, what: String, found: String, supported: String)
  /// A value in a file, in activations or in training is NaN or infinite.
  case notFinite(what: String, place: String)
  /// Training went wrong at a step (counted from 0): a loss, gradient or activation is NaN or infinite.
  case trainingNotFinite(what: String, step: Int)
  /// A setting is outside its range.
  case settingInvalid(name: Setting, expected: String, found: String)
  /// A crosscoder needs scaled inputs, but its checkpoint does not hold the numbers.
  case inputScaleUnknown
  /// A dictionary's codes cannot be computed here; the reason continues a sentence that begins with "its codes".
  case codesUndefined(reason: String)
  /// The files of a dictionary do not say something, and nobody has said it.
  case notSaid(path: String, what: String, remedy: String)
  /// A saved training state belongs to another run.
  case stateMismatch(path: String, what: String, expected: String, found: String)
}

extension DiffingError: CustomStringConvertible {
  public var description: String {
    switch self {
    case .file(let error):
      error.description
    case .configurationInvalid(let path, let key, let expected, let found):
      "\(path): \(key) should be \(expected), but is \(found); use a complete crosscoder folder"
    case .shapeMismatch(let path, let tensor, let expected, let found):
      "\(path): tensor \(tensor) should have the shape \(expected), but has \(found); use files that belong together"
    case .unsupported(let path, let what, let found, let supported):
      "\(path): \(what) \(found) is not supported; use one with \(supported)"
    case .notFinite(let what, let place):
      "\(what) is not finite at \(place); make the data again, or check the file"
    case .trainingNotFinite(let what, let step):
      "\(what) is not finite at training step \(step); lower the learning rate, or check the activations"
    case .settingInvalid(let name, let expected, let found):
      "\(name) should be \(expected), not \(found); correct it"
    case .inputScaleUnknown:
      """
      the crosscoder's inputs must be scaled to a mean norm of √d, and its checkpoint does not say by what; give the \
      mean norms of base's and chat's residual streams (--mean-norms BASE,CHAT)
      """
    case .codesUndefined(let reason):
      "the dictionary can be browsed and its directions added, but its codes \(reason); leave out what reads codes"
    case .notSaid(let path, let what, let remedy):
      "\(path) does not say \(what); \(remedy)"
    case .stateMismatch(let path, let what, let expected, let found):
      "\(path): \(what) is \(found), but this run has \(expected); remove the file to train from the beginning"
    }
  }
}

/// Runs a call that throws `InferenceError` and rethrows its error as `DiffingError.file`.
func reading<Value>(_ body: () throws(InferenceError) -> Value) throws(DiffingError) -> Value {
  do { return try body() } catch { throw .file(error) }
}
