// Says what is wrong with a JSON file in a few words that fit into a one-line error.

extension DecodingError {
  /// One clause that names the key or place, such as `no "messages" at the beginning`.
  public var clause: String {
    func place(_ context: Context) -> String {
      let path = context.codingPath.map { $0.intValue.map { "[\($0)]" } ?? $0.stringValue }
      return path.isEmpty ? "the beginning" : path.joined(separator: ".")
    }
    return switch self {
    case .keyNotFound(let key, let context): "no \"\(key.stringValue)\" at \(place(context))"
    case .typeMismatch(_, let context), .valueNotFound(_, let context): "another type at \(place(context))"
    case .dataCorrupted(let context) where !context.codingPath.isEmpty: "another value at \(place(context))"
    default: "text that is no JSON"
    }
  }
}
