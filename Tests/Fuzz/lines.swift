// Fuzz target: the lines of a file, plain or packed by gzip, each decoded as JSON; and the elements of a list in a JSON object.

import Foundation

@testable import Inference

@_cdecl("LLVMFuzzerTestOneInput")
public func fuzz(_ start: UnsafeRawPointer, _ count: Int) -> CInt {
  let content = UnsafeRawBufferPointer(start: start, count: count)
  guard let mapped = try? MappedFile(path: "input.jsonl", content: content) else { return 0 }
  if let reader = try? LineReader(file: mapped) {
    var (lines, bytes) = (0, 0)
    while let line = try? reader.next() {
      lines += 1
      bytes += line.count + 1
      precondition(reader.number == lines && reader.consumed <= reader.count && !line.contains(UInt8(ascii: "\n")))
      consume((try? JSONDecoder().decode(JSONValue.self, from: Data(line)))?.text.utf8.count)
    }
    // Nothing is made up: a plain file has at most its own bytes.
    precondition(content.starts(with: [0x1F, 0x8B]) || bytes <= count + 1)
  }
  if let list = try? JSONElements(file: mapped, list: "features") {
    for index in 0..<list.count {
      let (text, end) = list.element(index)
      precondition(end <= count)
      consume((try? JSONDecoder().decode(JSONValue.self, from: text))?.text.utf8.count ?? 0)
    }
    consume(list.members.count)
  }
  return 0
}
