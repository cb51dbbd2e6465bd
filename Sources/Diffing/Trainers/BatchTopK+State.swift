// A training run on disk: everything that the next step depends on, so that a run killed and resumed gives the same
// bits.
// Owns: one safetensors file (weights, Adam's moments, silence counters, normaliser; step, θ and the configuration as
// metadata).
// There is no generator to save: randomness ends with the initial weights. Refuses: a state of another configuration.

import Foundation
import Inference

extension BatchTopKTrainer {
  /// Of the file; raised when its content changes meaning.
  static var stateVersion: String { "1" }

  private var blocks: [(name: String, block: ParameterBlock, shape: [Int])] {
    let F = configuration.nLatents
    return [
      ("encoder.weight", encoder, [F, width]), ("encoder.bias", encoderBias, [F]),
      ("decoder.weight", decoder, [F, width]), ("decoder.bias", decoderBias, [width]),
    ]
  }

  /// Writes the state atomically: 6·F·d fp32 values times 2.
  /// - Throws: `DiffingError.file`; an older state is then untouched.
  public func save(state path: String) throws(DiffingError) {
    var writer = SafetensorsWriter(metadata: [
      "crosscope.trainer_state": Self.stateVersion,
      "configuration": Self.text(of: configuration),
      "step": "\(step)",
      "threshold_bits": "\(threshold.bitPattern)",
      "last_kept_bits": "\(lastKept.bitPattern)",
    ])
    for (name, block, shape) in blocks {
      writer.add(name, shape: shape, floats: block.values.array)
      writer.add(name + ".moment1", shape: shape, floats: block.moment1.array)
      writer.add(name + ".moment2", shape: shape, floats: block.moment2.array)
    }
    writer.add("tokens_since_fired", shape: [configuration.nLatents], int64s: tokensSinceFired.map { Int64($0) })
    if let normaliser {
      writer.add("activation_mean", shape: [width], floats: normaliser.mean)
      writer.add("activation_std", shape: [width], floats: normaliser.std)
      writer.add("activation_global_scale", shape: [normaliser.scales.count], floats: normaliser.scales)
      writer.add("target_rms", shape: [], floats: [normaliser.targetRMS])
    }
    let finished = writer
    try reading { () throws(InferenceError) in try finished.write(to: path) }
  }

  /// A trainer that goes on where the saved one stopped, bit for bit.
  /// - Throws: `DiffingError.file`, `.shapeMismatch`, `.stateMismatch` if the state belongs to another configuration.
  public convenience init(state path: String, configuration: Configuration) throws(DiffingError) {
    let file = try reading { () throws(InferenceError) in try SafetensorsFile(path: path) }
    func metadata(_ key: String, _ expected: String?) throws(DiffingError) -> String {
      let found = file.metadata[key]
      guard let found, expected == nil || found == expected else {
        throw .stateMismatch(path: path, what: key, expected: expected ?? "a value", found: found ?? "missing")
      }
      return found
    }
    func number(_ key: String) throws(DiffingError) -> UInt32 {
      let text = try metadata(key, nil)
      guard let value = UInt32(text) else {
        throw .stateMismatch(path: path, what: key, expected: "a number", found: text)
      }
      return value
    }
    _ = try metadata("crosscope.trainer_state", Self.stateVersion)
    _ = try metadata("configuration", Self.text(of: configuration))
    func floats(_ name: String, _ shape: [Int]) throws(DiffingError) -> [Float] {
      let found = try reading { () throws(InferenceError) in try file.shape(of: name) }
      guard found == shape else {
        throw .shapeMismatch(path: path, tensor: name, expected: shape, found: found)
      }
      return try reading { () throws(InferenceError) in try file.floats(named: name) }
    }
    var normaliser: InputNormaliser?
    let width = 2 * configuration.dModel
    if file.hasTensor(named: "activation_mean") {
      let count = try reading { () throws(InferenceError) in try file.shape(of: "activation_global_scale") }
      guard count == [1] || count == [2] else {
        throw .shapeMismatch(path: path, tensor: "activation_global_scale", expected: [1], found: count)
      }
      normaliser = InputNormaliser(
        mean: try floats("activation_mean", [width]), std: try floats("activation_std", [width]),
        targetRMS: try floats("target_rms", [])[0], scales: try floats("activation_global_scale", count))
    }
    try self.init(configuration: configuration, normaliser: normaliser)
    for (name, block, shape) in blocks {
      block.values.copy(try floats(name, shape))
      block.moment1.copy(try floats(name + ".moment1", shape))
      block.moment2.copy(try floats(name + ".moment2", shape))
    }
    let silence = try reading { () throws(InferenceError) in try file.ints(named: "tokens_since_fired") }
    guard silence.count == configuration.nLatents else {
      throw .shapeMismatch(
        path: path, tensor: "tokens_since_fired", expected: [configuration.nLatents], found: [silence.count])
    }
    tokensSinceFired = silence
    step = Int(try number("step"))
    threshold = Float(bitPattern: try number("threshold_bits"))
    lastKept = Float(bitPattern: try number("last_kept_bits"))
    updateCodeNorms(0..<configuration.nLatents)
  }

  /// The configuration as one line of JSON with sorted keys.
  private static func text(of configuration: Configuration) -> String {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys]
    guard let data = try? encoder.encode(configuration) else { return "" }
    return String(decoding: data, as: UTF8.self)
  }
}
