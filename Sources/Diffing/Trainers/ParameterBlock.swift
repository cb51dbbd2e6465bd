// Memory for training: fp32 values at a fixed address, owned by one trainer, which keeps within their bounds.

/// `count` fp32 values, zero at first.
final class FloatStorage {
  let start: UnsafeMutablePointer<Float>
  let count: Int

  init(count: Int) {
    self.count = count
    start = .allocate(capacity: max(1, count))
    start.initialize(repeating: 0, count: max(1, count))
  }

  convenience init(_ values: [Float]) {
    self.init(count: values.count)
    copy(values)
  }

  deinit { start.deallocate() }

  /// A copy of the values.
  var array: [Float] { Array(UnsafeBufferPointer(start: start, count: count)) }

  func copy(_ values: [Float]) {
    precondition(values.count == count)
    values.withUnsafeBufferPointer { if let source = $0.baseAddress { start.update(from: source, count: count) } }
  }
}

/// One parameter tensor with the moments that Adam keeps for it.
struct ParameterBlock {
  let values: FloatStorage
  let moment1: FloatStorage
  let moment2: FloatStorage
  let gradient: FloatStorage

  init(_ values: [Float]) {
    self.values = FloatStorage(values)
    moment1 = FloatStorage(count: values.count)
    moment2 = FloatStorage(count: values.count)
    gradient = FloatStorage(count: values.count)
  }
}
