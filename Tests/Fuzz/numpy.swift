// Fuzz target: a numpy array or an archive of arrays, and every array as floats and as integers.

@testable import Inference

@_cdecl("LLVMFuzzerTestOneInput")
public func fuzz(_ start: UnsafeRawPointer, _ count: Int) -> CInt {
  let input = UnsafeRawBufferPointer(start: start, count: count)
  guard let mapped = try? MappedFile(path: "input.npz", content: input), let file = try? TensorFile(file: mapped),
    case .numpy(let arrays) = file
  else { return 0 }
  for name in arrays.names {
    guard let tensor = try? arrays.tensor(named: name) else { continue }
    // Deflate holds at most 1,032 bytes in one.
    precondition(tensor.count <= count * 1032)
    consume((try? tensor.floats())?.count)
    consume((try? tensor.ints())?.count)
    precondition((try? arrays.shape(of: name)) == tensor.shape)
  }
  return 0
}
