// `crosscope forward` computes hidden states and logits of a model for given tokens, to compare them with other programs.

import ArgumentParser
import Diffing
import Experiments
import Inference
import Kernels
import Pipeline
import Storage

struct Forward: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Write hidden states and logits for given tokens (the parity probe).",
    discussion: """
      Tensors are named as in Hugging Face references: logits [T, V], hidden.K [T, d] the residual stream after block K. \
      A steering vector is added to the residual stream after block L at every position; its logits are then the \
      steered ones.
      """)

  @Option(help: "The model's GGUF file or Hugging Face folder.") var model: String
  @Option(help: "A LoRA adapter in PEFT's format (a folder).") var adapter: String?
  @Option(help: "Token ids, separated by commas.") var tokens: String
  @Option(help: "Blocks whose output to write, separated by commas.") var hiddenLayers: String?
  @Option(help: "The block after which to steer.") var steerLayer: Int?
  @Option(help: "A safetensors file with the vector [d] to add (steer_vector, or its only tensor).") var steerVector:
    String?
  @Option(help: "The safetensors file to write.") var out: String
  @OptionGroup var output: OutputFileOptions
  @OptionGroup var computing: ComputeOptions

  func validate() throws {
    guard (steerLayer == nil) == (steerVector == nil) else {
      throw ValidationError("--steer-layer and --steer-vector belong together")
    }
  }

  func run() throws {
    try output.check(out)
    let transformer = try Transformer.load(path: model, precision: computing.precision ?? .exact)
    let configuration = transformer.configuration
    let ids = try integers(tokens, option: "--tokens", range: 0..<configuration.vocabSize).map(Int32.init)
    guard !ids.isEmpty else { throw ValidationError("--tokens: at least one is needed") }
    let layers = try integers(hiddenLayers ?? "", option: "--hidden-layers", range: 0..<configuration.nLayers)
    var hooks = Hooks()
    if let steerLayer, let steerVector {
      let vector = try readVector(steerVector, width: configuration.dModel)
      _ = try integers("\(steerLayer)", option: "--steer-layer", range: 0..<configuration.nLayers)
      hooks.add(layer: steerLayer, site: .residPost) { view in
        for segment in view.segments {
          for row in segment.rows { addScaled(1, vector, to: view.row(row), count: view.d) }
        }
      }
    }
    let captured = Captured()
    for layer in layers {
      hooks.add(layer: layer, site: .residPost) { view in
        captured.hidden[layer] = Array(UnsafeBufferPointer(start: view.values, count: ids.count * view.d))
      }
    }
    let adapter = try adapter.map { try Adapter(path: $0, for: transformer) }
    let segment = Segment(
      stream: 0, cache: transformer.makeCache(), tokens: ids, adapter: adapter, logits: .all)
    let logits = try transformer.forward([segment], hooks: hooks)[0]
    var writer = SafetensorsWriter()
    writer.add("logits", shape: [ids.count, configuration.vocabSize], floats: logits.values)
    for (layer, values) in captured.hidden.sorted(by: { $0.key < $1.key }) {
      writer.add("hidden.\(layer)", shape: [ids.count, configuration.dModel], floats: values)
    }
    try writer.write(to: out, replacing: output.force)
  }

  private final class Captured { var hidden: [Int: [Float]] = [:] }

  private func integers(_ text: String, option: String, range: Range<Int>) throws -> [Int] {
    try text.split(separator: ",").map { part in
      guard let value = Int(part.filter { !$0.isWhitespace }), range.contains(value) else {
        throw ValidationError(
          "\(option): expected numbers from \(range.lowerBound) to \(range.upperBound - 1), found \(part)")
      }
      return value
    }
  }

  private func readVector(_ path: String, width: Int) throws -> [Float] {
    let file = try SafetensorsFile(path: path)
    let name = file.hasTensor(named: "steer_vector") ? "steer_vector" : file.tensors.first?.name ?? "steer_vector"
    let shape = try file.shape(of: name)
    guard shape.reduce(1, *) == width else {
      throw InferenceError.shapeMismatch(path: path, tensor: name, expected: [width], found: shape)
    }
    return try file.floats(named: name)
  }
}
