// Crosscoder folders: what is written is read back, and every way in which one can be wrong has its error.

import Diffing
import Foundation
import Inference
import Kernels
import TestSupport
import Testing

@Suite struct CheckpointTests {
  /// Writes a checkpoint by hand: d = 2, F = 3, unless a tensor is replaced or left out.
  private func write(
    to folder: String, config: String = #"{"activation_dim": 2, "dict_size": 3, "num_layers": 2}"#,
    trainer: String? = nil, without: Set<String> = [], _ change: (inout SafetensorsWriter) -> Void = { _ in }
  ) throws {
    var writer = SafetensorsWriter()
    let shapes: [(String, [Int])] = [
      ("encoder.weight", [2, 2, 3]), ("encoder.bias", [3]), ("decoder.weight", [2, 3, 2]), ("decoder.bias", [2, 2]),
    ]
    for (name, shape) in shapes where !without.contains(name) {
      let count = shape.reduce(1, *)
      writer.add(name, shape: shape, floats: (0..<count).map { Float($0 + 1) })
    }
    change(&writer)
    try writer.write(to: folder + "/model.safetensors")
    try config.write(toFile: folder + "/config.json", atomically: true, encoding: .utf8)
    try trainer?.write(toFile: folder + "/trainer_config.json", atomically: true, encoding: .utf8)
  }

  private func error(_ folder: String) -> DiffingError? {
    do {
      _ = try Crosscoder.load(folder: folder)
      return nil
    } catch { return error }
  }

  @Test func weightsAreReadInTheirPlaces() throws {
    let folder = TemporaryFolder()
    try write(to: folder.path)
    let crosscoder = try Crosscoder.load(folder: folder.path)
    // encoder.weight[model][dimension][latent] = 1 + 6·model + 3·dimension + latent
    #expect(Array(crosscoder.encoder.row(1)) == [2, 5, 8, 11])
    // decoder.weight[model][latent][dimension] = 1 + 6·model + 2·latent + dimension
    #expect(Array(crosscoder.decoder.row(2)) == [5, 6, 11, 12])
    #expect(crosscoder.decoderBias == [1, 2, 3, 4])
    #expect(Array(crosscoder.decoderDirection(2, .chat)) == [11, 12])
  }

  @Test(arguments: [CodeNormalization.crosscoder, .sae, .mixed(sae: 0.5, crosscoder: 2), .none])
  func whatIsSavedIsRead(normalization: CodeNormalization) throws {
    let folder = TemporaryFolder()
    let normaliser = InputNormaliser(mean: [1, 2, 3, 4, 5, 6], std: [1, 1, 2, 2, 3, 3], targetRMS: 2)
    var saved = randomCrosscoder(
      d: 3, F: 5, seed: 3, threshold: 0.25, normalization: normalization, normaliser: normaliser)
    saved.card.layer = 14
    saved.card.modelHash = "abc"
    saved.card.metrics = ["fve_base": 0.5]
    try saved.save(folder: folder.path + "/crosscoder")
    let read = try Crosscoder.load(folder: folder.path + "/crosscoder")
    #expect(read.encoder == saved.encoder)
    #expect(read.decoder == saved.decoder)
    #expect(read.encoderBias == saved.encoderBias)
    #expect(read.decoderBias == saved.decoderBias)
    #expect(read.threshold == 0.25)
    #expect(read.k == 4)
    #expect(read.normaliser == normaliser)
    #expect(read.codeNormalization == normalization)
    #expect(read.card == saved.card)
  }

  @Test func bfloat16RoundsTheWeightsAndNothingElse() throws {
    let folder = TemporaryFolder()
    let saved = randomCrosscoder(d: 3, F: 5, seed: 4, threshold: 0.123456)
    try saved.save(folder: folder.path, as: .bf16)
    let read = try Crosscoder.load(folder: folder.path)
    #expect(read.encoder != saved.encoder)
    #expect(largestRelativeDifference(read.encoder.values.doubles, saved.encoder.values.doubles) <= 1.0 / 256)
    #expect(largestRelativeDifference(read.decoder.values.doubles, saved.decoder.values.doubles) <= 1.0 / 256)
    #expect(read.encoderBias == saved.encoderBias)
    #expect(read.threshold == saved.threshold)
    #expect(read.normaliser == nil)
  }

  @Test(arguments: ["encoder.weight", "encoder.bias", "decoder.weight", "decoder.bias"])
  func aMissingTensorIsNamed(name: String) throws {
    let folder = TemporaryFolder()
    try write(to: folder.path, without: [name])
    #expect(error(folder.path) == .file(.tensorMissing(path: folder.path + "/model.safetensors", tensor: name)))
  }

  @Test func aTensorOfAnotherShapeIsNamed() throws {
    let folder = TemporaryFolder()
    try write(to: folder.path, without: ["decoder.weight"]) {
      $0.add("decoder.weight", shape: [2, 4, 2], floats: [Float](repeating: 1, count: 16))
    }
    #expect(
      error(folder.path)
        == .shapeMismatch(
          path: folder.path + "/model.safetensors", tensor: "decoder.weight", expected: [2, 3, 2], found: [2, 4, 2]))
  }

  @Test func aWeightThatIsNotFiniteIsNamed() throws {
    let folder = TemporaryFolder()
    try write(to: folder.path, without: ["encoder.bias"]) {
      $0.add("encoder.bias", shape: [3], floats: [0, .nan, 0])
    }
    let description = try #require(error(folder.path)).description
    #expect(description.contains("encoder.bias"))
    #expect(description.contains("element 1"))
  }

  @Test func anUnknownCodeNormalisationIsRefusedByName() throws {
    let folder = TemporaryFolder()
    try write(to: folder.path) { $0.add("code_normalization_id", shape: [], int64s: [6]) }
    #expect(try #require(error(folder.path)).description.contains("id 6"))
    let other = TemporaryFolder()
    try write(to: other.path, config: #"{"code_normalization": "SPARSE"}"#)
    #expect(try #require(error(other.path)).description.contains("SPARSE"))
  }

  @Test func decoupledCodesNeedAThresholdForEachModel() throws {
    let folder = TemporaryFolder()
    try write(to: folder.path) {
      $0.add("code_normalization_id", shape: [], int64s: [5])
      $0.add("threshold", shape: [], floats: [0.5])
    }
    #expect(
      error(folder.path)
        == .shapeMismatch(
          path: folder.path + "/model.safetensors", tensor: "threshold", expected: [2], found: []))
  }

  @Test func aBatchTopKCrosscoderNeedsItsThreshold() throws {
    let folder = TemporaryFolder()
    try write(to: folder.path, trainer: #"{"trainer": {"dict_class": "BatchTopKCrossCoder"}}"#)
    #expect(error(folder.path) == .file(.tensorMissing(path: folder.path + "/model.safetensors", tensor: "threshold")))
  }

  @Test(arguments: [
    (#"{"dict_size": 4}"#, "dict_size"), (#"{"activation_dim": 3}"#, "activation_dim"),
    (#"{"num_layers": 3}"#, "num_layers"),
    (#"{"k": 0}"#, "k"), (#"{"k": "many"}"#, "k"), ("[1", "the file"), ("", "empty"),
  ]) func aConfigurationThatContradictsIsRefused(config: String, key: String) throws {
    let folder = TemporaryFolder()
    try write(to: folder.path, config: config)
    let description = try #require(error(folder.path)).description
    #expect(description.contains("config.json"))
    #expect(description.contains(key))
  }

  @Test func aFolderWithoutFilesIsRefused() throws {
    let folder = TemporaryFolder()
    #expect(try #require(error(folder.path)).description.contains("config.json"))
    #expect(error(folder.path + "/nowhere") != nil)
  }

  @Test func everyTruncationOfTheWeightsIsRefused() throws {
    let folder = TemporaryFolder()
    try randomCrosscoder(d: 2, F: 2, seed: 1, threshold: 0).save(folder: folder.path)
    let path = folder.path + "/model.safetensors"
    let whole = try Data(contentsOf: URL(fileURLWithPath: path))
    for count in stride(from: 0, to: whole.count, by: 7) {
      try whole.prefix(count).write(to: URL(fileURLWithPath: path))
      #expect(error(folder.path) != nil)
    }
  }

  @Test func aNewerCardIsRefused() throws {
    let folder = TemporaryFolder()
    try write(to: folder.path, trainer: #"{"crosscope": {"formatVersion": 99, "metrics": {}}}"#)
    #expect(try #require(error(folder.path)).description.contains("99"))
  }

  @Test func activationsOfAnotherWidthOrNotFiniteAreRefused() throws {
    let crosscoder = randomCrosscoder(d: 3, F: 5, seed: 1)
    #expect(throws: DiffingError.self) { try crosscoder.encode(randomActivations(tokens: 2, d: 4, seed: 1)) }
    var x = randomActivations(tokens: 4, d: 3, seed: 1)
    x.values[2 * 6 + 1] = .infinity
    #expect { try crosscoder.encode(x) } throws: { "\($0)".contains("token 2") }
  }
}
