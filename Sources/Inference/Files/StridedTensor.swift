// A tensor with strides of its own, as PyTorch and numpy store them: a view of a run of elements, which is read in
// row-major order. The reader of the file has checked the view.

/// A view of a storage; the storage stays in the file unless it was packed there.
public struct StridedTensor: Sendable {
  /// The name.
  public let name: String
  /// The dimensions, slowest first in row-major order; empty for a scalar.
  public let shape: [Int]
  /// For each dimension, the elements of the storage from one index to the next. Transposed views are not row-major.
  let strides: [Int]
  let offset: Int
  /// The number of elements: 1 for a scalar, 0 if a dimension is 0.
  public let count: Int
  /// The number of elements in the storage from the view's first to its last element.
  let span: Int
  let storage: SafetensorsTensor

  /// How the elements are stored.
  public var type: SafetensorsType { storage.type }

  /// Whether the elements are stored in row-major order without gaps.
  var isContiguous: Bool {
    // Beside a dimension of 0 the others may be huge, so their product must not be computed.
    guard count > 0 else { return true }
    var expected = 1
    for (dimension, step) in zip(shape, strides).reversed() where dimension != 1 {
      guard step == expected else { return false }
      expected *= dimension
    }
    return true
  }

  /// All elements as fp32, row-major: exact from F16 and BF16, rounded from F64. A view in another order needs a second
  /// copy.
  /// - Throws: `InferenceError.typeMismatch` for a tensor of integers.
  public func floats() throws(InferenceError) -> [Float] {
    arranged(try storage.floats(offset..<offset + span))
  }

  /// All elements as integers, row-major; booleans as 0 and 1.
  /// - Throws: `InferenceError.typeMismatch` for a tensor of floats.
  public func ints() throws(InferenceError) -> [Int] {
    arranged(try storage.ints(offset..<offset + span))
  }

  /// The storage, and the view's span in it.
  var stored: (SafetensorsTensor, Range<Int>) { (storage, offset..<offset + span) }

  /// Reorders the elements of the view's span into row-major order.
  private func arranged<Element>(_ values: [Element]) -> [Element] {
    guard !isContiguous else { return values }
    var result: [Element] = []
    result.reserveCapacity(count)
    var indices = [Int](repeating: 0, count: shape.count)
    var place = 0
    for _ in 0..<count {
      result.append(values[place])
      // Advance to the next index; the last dimension runs fastest.
      for axis in shape.indices.reversed() {
        indices[axis] += 1
        place += strides[axis]
        if indices[axis] < shape[axis] { break }
        place -= strides[axis] * shape[axis]
        indices[axis] = 0
      }
    }
    return result
  }
}

extension StridedTensor {
  /// The elements in the file; nil for a view in another order than row-major.
  var inPlace: SafetensorsTensor? {
    guard isContiguous else { return nil }
    let start = storage.range.lowerBound + offset * type.size
    return SafetensorsTensor(
      name: name, type: type, shape: shape, file: storage.file, range: start..<start + count * type.size)
  }
}
