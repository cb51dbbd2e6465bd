// A training run on disk: everything on which the next step depends, so that a run that is killed and resumed gives the
// same bits. One safetensors file holds weights, Adam's moments, counts of silence and the normaliser; its metadata
// holds the method, its configuration, the step and the method's few numbers. No random generator is saved: randomness
// ends with the initial weights, and which tokens a step sees follows from its number. A state of another method or
// configuration is rejected.

import Foundation
import Inference

extension TrainingRun {
  /// The version of the file; it is raised when the meaning of its content changes.
  private static var stateVersion: String { "2" }

  private var blocks: [(name: String, block: ParameterBlock, shape: [Int])] {
    let (F, width) = (settings.nLatents, settings.width)
    return [
      ("encoder.weight", encoder, [F, width]), ("encoder.bias", encoderBias, [F]),
      ("decoder.weight", decoder, [F, width]), ("decoder.bias", decoderBias, [width]),
    ]
  }

  /// Writes the state atomically: 12·F·M·d·bytes of fp32 and little else.
  /// - Parameters:
  ///   - method, configuration: what the state belongs to.
  ///   - numbers: the method's own numbers, which are restored bit for bit.
  /// - Throws: `DiffingError.file`; an older state is then unchanged.
  func save(
    state path: String, method: String, configuration: some Encodable, numbers: [String: [Float]] = [:]
  ) throws(DiffingError) {
    var writer = SafetensorsWriter(metadata: [
      "crosscope.trainer_state": Self.stateVersion,
      "method": method,
      "configuration": line(of: configuration),
      "step": "\(step)",
    ])
    for (name, block, shape) in blocks {
      writer.add(name, shape: shape, floats: block.values.array)
      writer.add(name + ".moment1", shape: shape, floats: block.moment1.array)
      writer.add(name + ".moment2", shape: shape, floats: block.moment2.array)
    }
    writer.add("tokens_since_fired", shape: [settings.nLatents], int64s: tokensSinceFired.map { Int64($0) })
    for (name, values) in numbers.sorted(by: { $0.key < $1.key }) {
      writer.add("method." + name, shape: [values.count], floats: values)
    }
    if let normaliser {
      writer.add("activation_mean", shape: [settings.width], floats: normaliser.mean)
      writer.add("activation_std", shape: [settings.width], floats: normaliser.std)
      writer.add("activation_global_scale", shape: [normaliser.scales.count], floats: normaliser.scales)
      writer.add("target_rms", shape: [], floats: [normaliser.targetRMS])
    }
    let finished = writer
    try reading { () throws(InferenceError) in try finished.write(to: path) }
  }

  /// A run that continues where the saved one stopped, bit for bit, and the method's numbers.
  /// - Parameter numbers: the names of the method's numbers and how many there are of each.
  /// - Throws: `DiffingError.file`, `.shapeMismatch`; `.stateMismatch` for a state of another method or configuration.
  static func resume(
    state path: String, settings: TrainingSettings, method: String, configuration: some Encodable,
    nLevels: Int = 1, numbers: [String: Int] = [:]
  ) throws(DiffingError) -> (run: TrainingRun, numbers: [String: [Float]]) {
    let file = StateFile(file: try reading { () throws(InferenceError) in try SafetensorsFile(path: path) })
    try file.require("crosscope.trainer_state", Self.stateVersion)
    try file.require("method", method)
    try file.require("configuration", line(of: configuration))
    let run = try TrainingRun(settings: settings, normaliser: file.normaliser(settings), nLevels: nLevels)
    for (name, block, shape) in run.blocks {
      block.values.copy(try file.floats(name, shape))
      block.moment1.copy(try file.floats(name + ".moment1", shape))
      block.moment2.copy(try file.floats(name + ".moment2", shape))
    }
    let silence = try reading { () throws(InferenceError) in try file.file.ints(named: "tokens_since_fired") }
    guard silence.count == settings.nLatents else {
      throw .shapeMismatch(
        path: path, tensor: "tokens_since_fired", expected: [settings.nLatents], found: [silence.count])
    }
    run.tokensSinceFired = silence
    let text = try file.metadata("step")
    guard let step = Int(text), step >= 0 else {
      throw .stateMismatch(path: path, what: "step", expected: "a number", found: text)
    }
    run.step = step
    run.updateNorms(0..<settings.nLatents)
    var found: [String: [Float]] = [:]
    for (name, count) in numbers { found[name] = try file.floats("method." + name, [count]) }
    return (run, found)
  }
}

/// A state file, each part of which is checked as it is read.
private struct StateFile {
  let file: SafetensorsFile

  func metadata(_ key: String) throws(DiffingError) -> String {
    guard let found = file.metadata[key] else {
      throw .stateMismatch(path: file.path, what: key, expected: "a value", found: "missing")
    }
    return found
  }

  func require(_ key: String, _ expected: String) throws(DiffingError) {
    let found = try metadata(key)
    guard found == expected else {
      throw .stateMismatch(path: file.path, what: key, expected: expected, found: found)
    }
  }

  func floats(_ name: String, _ shape: [Int]) throws(DiffingError) -> [Float] {
    let found = try reading { () throws(InferenceError) in try file.shape(of: name) }
    guard found == shape else {
      throw .shapeMismatch(path: file.path, tensor: name, expected: shape, found: found)
    }
    return try reading { () throws(InferenceError) in try file.floats(named: name) }
  }

  func normaliser(_ settings: TrainingSettings) throws(DiffingError) -> InputNormaliser? {
    guard file.hasTensor(named: "activation_mean") else { return nil }
    let count = try reading { () throws(InferenceError) in try file.shape(of: "activation_global_scale") }
    guard count == [1] || count == [2] && settings.nModels == 2 else {
      throw .shapeMismatch(path: file.path, tensor: "activation_global_scale", expected: [1], found: count)
    }
    let width = settings.width
    return InputNormaliser(
      mean: try floats("activation_mean", [width]), std: try floats("activation_std", [width]),
      targetRMS: try floats("target_rms", [])[0], scales: try floats("activation_global_scale", count))
  }
}

/// A value as one line of JSON with sorted keys.
private func line(of value: some Encodable) -> String {
  let encoder = JSONEncoder()
  encoder.outputFormatting = [.sortedKeys]
  guard let data = try? encoder.encode(value) else { return "" }
  return String(decoding: data, as: UTF8.self)
}
