// Faults in dictionaries of every form: truncated files, fields of a wrong type, missing tensors, shapes that disagree,
// sizes of 0 and 2⁴⁰, NaN. Each is one line that names file and place, and nothing crashes.

import Foundation
import Inference
import TestSupport
import Testing

@testable import Diffing

@Suite struct PublishedDictionaryFaultTests {
  private let folder = TemporaryFolder()

  /// One case of every form and kind of file.
  static let cases = [
    "crosscoder_learning/BatchTopKCrossCoder_code_DECOUPLED_normalizer",
    "crosscoder_learning/BatchTopKCrossCoder/checkpoint", "crosscoder_learning/sae_difference_ftb",
    "dictionary_learning/AutoEncoder", "dictionary_learning/GatedAutoEncoder",
    "dictionary_learning/MatryoshkaBatchTopKSAE", "gemma_scope/params_npz", "gemma_scope/params_npz_compressed",
    "gemma_scope_2/transcoder_affine", "openmoss/crosscoder_jumprelu_dataset_wise", "openmoss/sae_batchtopk_inference",
    "openmoss/llama_scope", "saelens2/standard_bdec_false_tanh_scaled", "saelens5/gated",
    "saelens6/batchtopk_checkpoint", "saelens6/topk_inference_rescale", "sparsify/transcoder_skip",
  ]
  static let safetensors = cases.filter { !$0.hasPrefix("dictionary_learning") && !$0.hasPrefix("gemma_scope/") }
    .filter { !$0.hasSuffix("checkpoint") || $0.hasPrefix("saelens") }

  /// A copy of a case, and the paths of its files within it.
  private func copy(_ name: String) throws -> (path: String, files: [String]) {
    let path = folder.path + "/case"
    try? FileManager.default.removeItem(atPath: path)
    try FileManager.default.copyItem(atPath: PublishedCases.path(name), toPath: path)
    let files = (FileManager.default.enumerator(atPath: path)?.allObjects as? [String] ?? []).filter {
      !$0.hasSuffix("reference.safetensors") && !$0.hasSuffix("sparsity.safetensors") && $0.contains(".")
        && !$0.hasPrefix("checkpoint/") && !$0.hasSuffix(".6") && !$0.hasSuffix(".mlp")
    }
    return (path, files)
  }

  /// Opens a dictionary and reads all of it.
  private func readAll(_ path: String) throws(DiffingError) {
    let file = try CrosscoderFile(path: path)
    _ = try file.decoderRows()
    try file.checkRest()
    _ = try file.headed()
    _ = try file.crosscoder()
  }

  /// The error of a faulty dictionary, which must be one line.
  private func error(_ path: String) -> String? {
    do {
      try readAll(path)
      return nil
    } catch {
      #expect(!"\(error)".contains("\n"), "\(error)")
      return "\(error)"
    }
  }

  @Test(arguments: cases) func everyTruncationIsOneLine(name: String) throws {
    let (path, files) = try copy(name)
    #expect(error(path) == nil)
    for file in files {
      let url = URL(filePath: path + "/" + file)
      let whole = try Data(contentsOf: url)
      for count in stride(from: 0, to: whole.count, by: 97) {
        try whole.prefix(count).write(to: url)
        #expect(error(path) != nil, "\(file) cut to \(count) bytes")
      }
      try whole.write(to: url)
    }
  }

  /// A bit that flips in the head of a file leaves another dictionary or one line, never a crash.
  @Test(arguments: cases) func flippedBitsAreOneLineOrAnotherDictionary(name: String) throws {
    let (path, files) = try copy(name)
    var generator = SeededGenerator(7)
    for file in files {
      let url = URL(filePath: path + "/" + file)
      let whole = try Data(contentsOf: url)
      for _ in 0..<120 {
        var changed = whole
        let place = Int(generator.next() % UInt64(min(whole.count, 1600)))
        changed[place] ^= 1 << UInt8(generator.next() % 8)
        try changed.write(to: url)
        _ = error(path)
      }
      try whole.write(to: url)
    }
  }

  @Test(arguments: cases) func fieldsOfAWrongTypeAreNamed(name: String) throws {
    let (path, files) = try copy(name)
    for file in files where file.hasSuffix(".json") {
      let url = URL(filePath: path + "/" + file)
      let whole = try #require(JSONSerialization.jsonObject(with: Data(contentsOf: url)) as? [String: Any])
      for key in whole.keys {
        for value: Any in ["absurd", -1, 0, 0.5, 1.0e300, 1 << 40, [Any](), [[1]], true, NSNull()] {
          try JSONSerialization.data(withJSONObject: whole.merging([key: value]) { $1 }).write(to: url)
          _ = error(path)
        }
        try JSONSerialization.data(withJSONObject: whole.merging([key: ["absurd": [1]]]) { $1 }).write(to: url)
        let uses = CrosscoderFile.tables.compactMap { $0[key]?.use }
        guard !uses.isEmpty, uses.allSatisfy({ $0 == .honoured }), !["metadata", "trainer"].contains(key) else {
          continue
        }
        #expect(error(path)?.contains(key) == true, "\(file): \(key) as an object")
      }
      try JSONSerialization.data(withJSONObject: whole.merging(["a field of tomorrow": 1]) { $1 }).write(to: url)
      if file != "trainer_config.json" {
        #expect(error(path)?.contains("a field of tomorrow") == true, "\(file)")
      }
      try JSONSerialization.data(withJSONObject: whole).write(to: url)
    }
  }

  @Test(arguments: safetensors) func missingTensorsAndOtherShapesAreNamed(name: String) throws {
    let (path, files) = try copy(name)
    let file = try #require(files.first { $0.hasSuffix(".safetensors") })
    let whole = try Data(contentsOf: URL(filePath: path + "/" + file))
    let tensors = try SafetensorsFile(path: path + "/" + file).tensors
    // Absent, these mean the default that an older version had.
    let absent: Set = ["k", "code_normalization_id", "target_rms", "activation_global_scale", "scaling_factor"]
    for tensor in tensors {
      func restore() throws { try whole.write(to: URL(filePath: path + "/" + file)) }
      // Renamed, it is missing, and another one is there that nobody reads.
      try rewriteHeader(path + "/" + file) {
        $0["nobody_reads_this"] = $0[tensor.name]
        $0[tensor.name] = nil
      }
      let renamed = try #require(error(path), "\(tensor.name) renamed")
      #expect(renamed.contains(tensor.name) || renamed.contains("nobody_reads_this") || absent.contains(tensor.name))
      try restore()
      for dimension in tensor.shape.indices {
        for size in [0, 1 << 40, tensor.shape[dimension] + 1] {
          try rewriteHeader(path + "/" + file) {
            var shape = tensor.shape
            shape[dimension] = size
            $0[tensor.name]?["shape"] = shape
          }
          #expect(error(path) != nil, "\(tensor.name) with \(size) in dimension \(dimension)")
          try restore()
        }
      }
      if Set(tensor.shape).count > 1 {
        try rewriteHeader(path + "/" + file) { $0[tensor.name]?["shape"] = Array(tensor.shape.reversed()) }
        #expect(error(path) != nil, "\(tensor.name) transposed")
        try restore()
      }
      guard tensor.type == .f32, !tensor.name.hasPrefix("dataset_average"), tensor.name != "target_rms" else {
        continue
      }
      try rewriteHeader(path + "/" + file) { _ in }
      var data = try Data(contentsOf: URL(filePath: path + "/" + file))
      let length = Int(data.prefix(8).enumerated().reduce(UInt64(0)) { $0 | UInt64($1.element) << (8 * $1.offset) })
      let header = try #require(
        JSONSerialization.jsonObject(with: data[8..<8 + length]) as? [String: [String: Any]])
      let offsets = try #require(header[tensor.name]?["data_offsets"] as? [Int])
      data.replaceSubrange(8 + length + offsets[0]..<8 + length + offsets[0] + 4, with: [0, 0, 0xC0, 0x7F])
      try data.write(to: URL(filePath: path + "/" + file))
      #expect(error(path) != nil, "\(tensor.name) with NaN")
      try restore()
    }
  }

  /// Sizes in JSON files are compared with the weights before anything is allocated.
  @Test func sizesOfJSONMustAgree() throws {
    for (name, file, field) in [
      ("sparsify/topk/", "layers.6/cfg.json", "num_latents"), ("saelens5/topk", "cfg.json", "d_sae"),
      ("openmoss/sae_topk_dataset_wise", "config.json", "expansion_factor"),
      ("openmoss/llama_scope", "hyperparams.json", "d_sae"), ("gemma_scope_2/sae", "config.json", "width"),
      ("crosscoder_learning/BatchTopKCrossCoder", "config.json", "dict_size"),
    ] {
      let (path, _) = try copy(name)
      let url = URL(filePath: path + "/" + file)
      let whole = try #require(JSONSerialization.jsonObject(with: Data(contentsOf: url)) as? [String: Any])
      for size in [1, 63, 1 << 40] {
        try JSONSerialization.data(withJSONObject: whole.merging([field: size]) { $1 }).write(to: url)
        #expect(error(path)?.contains(field) == true, "\(name): \(field) \(size)")
      }
    }
  }
}

/// Changes the header of a safetensors file.
func rewriteHeader(_ path: String, _ change: (inout [String: [String: Any]]) -> Void) throws {
  let url = URL(filePath: path)
  let data = try Data(contentsOf: url)
  let length = Int(data.prefix(8).enumerated().reduce(UInt64(0)) { $0 | UInt64($1.element) << (8 * $1.offset) })
  let json = try JSONSerialization.jsonObject(with: data[8..<8 + length]) as? [String: [String: Any]]
  var header = try #require(json)
  change(&header)
  let text = try JSONSerialization.data(withJSONObject: header)
  var result = Data()
  for shift in 0..<8 { result.append(UInt8(truncatingIfNeeded: text.count >> (8 * shift))) }
  try (result + text + data[(8 + length)...]).write(to: url)
}
