// What the explorer asks of the engine, as closures: the program plugs the real one in, tests a scripted one.
// Owns: the vocabulary of a steering run. Refuses: models, tensors and tokens; text goes in and comes out.

import Diffing
import Inference

/// One latent's part in a run.
struct SteeringIntervention: Sendable, Equatable, Codable {
  var latent: Int32
  var mode: SteeringMode
  /// See `Intervention.strength`.
  var strength: Double
}

/// A run: the prompt is answered without and with the interventions, under the same seed.
struct SteeringRequest: Sendable, Equatable {
  var prompt: String
  var interventions: [SteeringIntervention]
  /// Which tokens are steered.
  var positions = TokenPositions.all
  /// Tokens of an answer at most.
  var maxTokens: Int
  /// 0 takes the likeliest token each time.
  var temperature: Double
  var seed: UInt64
}

/// What a run told about itself when it ended: with the request, enough to make it again exactly.
struct SteeringInfo: Sendable, Equatable {
  /// Tokens of one answer a second.
  var tokensPerSecond: Double?
  /// Mean ‖Δh‖ ÷ ‖h‖ over the steered positions.
  var relativeChange: Double?
  /// The block after which the residual stream was changed.
  var layer: Int
  /// The model whose decoder's directions were added.
  var decoder: PairModel
  /// See `SteeringDocument.Parameters`.
  var maxActivations: [String: Double] = [:]
  /// Tokens of both answers, an end-of-turn token included.
  var baseline: [Int32]
  var steered: [Int32]
  /// Whether the model ended the answer; otherwise the limit cut it.
  var baselineEnded = true
  var steeredEnded = true
  /// Program and models, for the saved experiment.
  var versions: [String: String] = [:]
}

/// What happens during a run. Tokens arrive as text, whole characters only.
enum SteeringEvent: Sendable, Equatable {
  case baseline(String)
  case steered(String)
  case finished(SteeringInfo)
}

/// The engine as the explorer knows it.
struct SteeringService: Sendable {
  /// Loads the models once; called at first need, reports what it does, returns the chat model's name.
  var load: @Sendable (_ progress: @escaping @Sendable (String) -> Void) async throws -> String
  /// Runs a request; ending the stream's consumer cancels the run within one token.
  var run: @Sendable (SteeringRequest) -> AsyncThrowingStream<SteeringEvent, any Error>
}
