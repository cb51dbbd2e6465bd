// Reads the tensors of a checkpoint by name, and rearranges them to one row for each latent. A tensor whose shape does
// not fit the rest of the checkpoint is an error, and so is NaN or infinity in it.
// Shape letters: F latents, d width of one model.

import Inference
import Kernels

/// The tensors of a checkpoint, each of which is checked as it is read.
struct CheckpointReader {
  let file: TensorFile

  func has(_ name: String) -> Bool { file.hasTensor(named: name) }

  /// Throws for a tensor that nobody reads, since it means that the dictionary computes something else.
  func refuseTensors(otherThan names: Set<String>) throws(DiffingError) {
    guard let other = file.names.sorted().first(where: { !names.contains($0) }) else { return }
    throw .unsupported(
      path: file.path, what: "the tensor", found: String(other.prefix(80)),
      supported: "only \(names.sorted().joined(separator: ", "))")
  }

  func shape(_ name: String) throws(DiffingError) -> [Int] {
    try reading { () throws(InferenceError) in try file.shape(of: name) }
  }

  /// A tensor of exactly that shape. A scalar may also be stored as a tensor of one element.
  func floats(_ name: String, _ expected: [Int], finite: Bool = true) throws(DiffingError) -> [Float] {
    try require(name, expected)
    let values = try reading { () throws(InferenceError) in try file.floats(named: name) }
    if finite { try requireFinite(name, values) }
    return values
  }

  /// Gives a tensor of exactly that shape to `body`, in place if the file holds it as fp32.
  /// - Throws: `DiffingError` for another shape, and for NaN or infinity.
  func rearranged(
    _ name: String, _ expected: [Int], _ body: (UnsafeBufferPointer<Float>) -> [Float]
  ) throws(DiffingError) -> [Float] {
    try require(name, expected)
    let result: (values: [Float], bad: Int?)
    if let tensor = try reading({ () throws(InferenceError) in try file.tensorInPlace(named: name) }) {
      result = try reading { () throws(InferenceError) in
        try tensor.withFloats { (body($0), firstNonFinite($0)) }
      }
    } else {
      let values = try reading { () throws(InferenceError) in try file.floats(named: name) }
      result = values.withUnsafeBufferPointer { (body($0), firstNonFinite($0)) }
    }
    try reading { () throws(InferenceError) in try file.check() }
    if let bad = result.bad { throw notFinite(name, bad) }
    return result.values
  }

  func integer(_ name: String) throws(DiffingError) -> Int {
    try require(name, [])
    return try reading { () throws(InferenceError) in try file.ints(named: name) }[0]
  }

  /// Checks the elements of a tensor piece by piece, and keeps nothing of it.
  /// - Throws: `DiffingError.notFinite` naming the tensor and element.
  func checkFinite(_ name: String) throws(DiffingError) {
    let bad = try reading { () throws(InferenceError) in try file.firstNonFinite(in: name) }
    try reading { () throws(InferenceError) in try file.check() }
    if let bad { throw notFinite(name, bad) }
  }

  func requireFinite(_ name: String, _ values: [Float]) throws(DiffingError) {
    if let bad = values.withUnsafeBufferPointer(firstNonFinite) { throw notFinite(name, bad) }
  }

  func notFinite(_ name: String, _ element: Int) -> DiffingError {
    .notFinite(what: "tensor \(name)", place: "element \(element) of \(file.path)")
  }

  func require(_ name: String, _ expected: [Int]) throws(DiffingError) {
    let found = try shape(name)
    guard found == expected || expected.isEmpty && found == [1] else {
      throw .shapeMismatch(path: file.path, tensor: name, expected: expected, found: found)
    }
  }
}

/// Transposes `[rows, columns]` to `[columns, rows]`, tile by tile.
func transposed(_ values: UnsafeBufferPointer<Float>, rows: Int, columns: Int) -> [Float] {
  [Float](unsafeUninitializedCapacity: rows * columns) { result, count in
    count = rows * columns
    inPieces(of: 32, count: columns) { columnRange in
      for rowStart in stride(from: 0, to: rows, by: 32) {
        for column in columnRange {
          for row in rowStart..<min(rowStart + 32, rows) {
            result[column * rows + row] = values[row * columns + column]
          }
        }
      }
    }
  }
}

/// Rearranges `[2, F, d]` to `[F, 2·d]`.
func interleaved(_ values: UnsafeBufferPointer<Float>, F: Int, d: Int) -> [Float] {
  [Float](unsafeUninitializedCapacity: values.count) { result, count in
    count = values.count
    guard let source = values.baseAddress, let target = result.baseAddress else { return }
    for latent in 0..<F {
      for model in 0..<2 {
        (target + (2 * latent + model) * d).initialize(from: source + (model * F + latent) * d, count: d)
      }
    }
  }
}

/// The index of the first value that is NaN or infinite; nil if there is none. The work is spread over the pool.
func firstNonFinite(_ values: UnsafeBufferPointer<Float>) -> Int? {
  guard let start = values.baseAddress else { return nil }
  let piece = 1 << 20
  var bad = [Bool](repeating: false, count: (values.count + piece - 1) / piece)
  bad.withUnsafeMutableBufferPointer { bad in
    inPieces(of: piece, count: values.count) { range in
      bad[range.lowerBound / piece] = countNonFinite(start + range.lowerBound, count: range.count) > 0
    }
  }
  guard let first = bad.firstIndex(of: true) else { return nil }
  return (first * piece..<values.count).first { !values[$0].isFinite }
}
