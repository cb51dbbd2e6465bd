// Fuzz target: a safetensors file's header, and every tensor as floats and as integers.

@testable import Inference

@_cdecl("LLVMFuzzerTestOneInput")
public func fuzz(_ start: UnsafeRawPointer, _ count: Int) -> CInt {
  guard
    let mapped = try? MappedFile(path: "input", content: UnsafeRawBufferPointer(start: start, count: count)),
    let file = try? SafetensorsFile(file: mapped)
  else { return 0 }
  consume(file.metadata.reduce(0) { $0 &+ $1.key.utf8.count &+ $1.value.utf8.count })
  for tensor in file.tensors {
    consume((try? tensor.floats())?.count)
    consume((try? tensor.doubles())?.count)
    consume((try? tensor.ints())?.count)
    precondition((try? file.shape(of: tensor.name)) == tensor.shape)
  }
  return 0
}
