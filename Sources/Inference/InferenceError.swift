// All errors of the Inference module. A case carries where (path), what (key, tensor or place), what was expected and
// what was found; its description is one line that ends in what to do. A caller's mistake is a precondition.

/// An error of the Inference module.
public enum InferenceError: Error, Equatable, Sendable {
  /// A file cannot be opened, is not a regular file, or cannot be mapped.
  case fileUnreadable(path: String, reason: String)
  /// A file cannot be written; no part of it is left behind.
  case fileUnwritable(path: String, reason: String)
  /// The bytes at `place` contradict the file's format: truncated, corrupted or hostile.
  case fileMalformed(path: String, place: String, expected: String, found: String)
  /// Another program wrote to a file while it was read here.
  case fileChanged(path: String, how: FileChange)
  /// A metadata key that is needed is missing.
  case keyMissing(path: String, key: String)
  /// A metadata key or a tensor has another type than the one asked for.
  case typeMismatch(path: String, key: String, expected: String, found: String)
  /// A tensor that is needed is missing.
  case tensorMissing(path: String, tensor: String)
  /// A tensor has another shape than the model's configuration implies.
  case shapeMismatch(path: String, tensor: String, expected: [Int], found: [Int])
  /// The file is well formed, but asks for something that this program does not implement.
  case unsupported(path: String, what: String, found: String, supported: String)
  /// A computed value is NaN or infinite where a finite one is needed.
  case notFinite(what: String, place: String)
  /// A tensor of a file holds NaN or infinity.
  case tensorNotFinite(path: String, tensor: String)
  /// A setting of the user is outside its range.
  case settingInvalid(name: Setting, expected: String, found: String)
  /// Something would take more memory than there is, or than the user allows.
  case memoryShort(what: String, needed: Int, available: Int, limit: String, remedy: String)
  /// The task that asked for the result was cancelled first.
  case cancelled
}

extension InferenceError: CustomStringConvertible {
  public var description: String {
    switch self {
    case .fileUnreadable(let path, let reason):
      "cannot read \(path): \(reason); check the path and its permissions"
    case .fileUnwritable(let path, let reason):
      "cannot write \(path): \(reason); free some space or choose another place"
    case .fileMalformed(let path, let place, let expected, let found):
      "\(path) is damaged: \(place): expected \(expected), found \(found); fetch or make the file again"
    case .fileChanged(let path, let how):
      "\(path) was \(how.rawValue) while crosscope read it; put the file back and start again"
    case .keyMissing(let path, let key):
      "\(path) has no metadata key \(key); use a complete file of a supported model"
    case .typeMismatch(let path, let key, let expected, let found):
      "\(path): \(key) should be \(expected), but is \(found); fetch or convert the file again"
    case .tensorMissing(let path, let tensor):
      "\(path) has no tensor \(tensor); use a complete file of a supported model"
    case .shapeMismatch(let path, let tensor, let expected, let found):
      "\(path): tensor \(tensor) should have the shape \(expected), but has \(found); use files that belong together"
    case .unsupported(let path, let what, let found, let supported):
      "\(path): \(what) \(found) is not supported; use a file with \(supported)"
    case .notFinite(let what, let place):
      "\(what) is not finite at \(place); lower the steering strength, or check the model file"
    case .tensorNotFinite(let path, let tensor):
      "\(path) is damaged: tensor \(tensor) holds a number that is not finite; fetch or make the file again"
    case .settingInvalid(let name, let expected, let found):
      "\(name) should be \(expected), not \(found); correct it"
    case .memoryShort(let what, let needed, let available, let limit, let remedy):
      """
      \(what) need \(Self.size(needed)), \(Self.size(max(0, available))) are available\
      \(limit.isEmpty ? "" : " (\(limit))"); \(remedy)
      """
    case .cancelled: "stopped before the result was there; run it again"
    }
  }
}

extension InferenceError {
  /// A shortened, printable form of text from an untrusted file, for messages.
  package static func excerpt(_ text: some StringProtocol, limit: Int = 80) -> String {
    var result = ""
    var count = 0
    for scalar in text.unicodeScalars {
      if count == limit { return result + "…" }
      result += scalar.escaped(asASCII: true)
      count += 1
    }
    return result
  }
}
