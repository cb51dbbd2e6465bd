// What the explorer asks of the engine, as closures: the program plugs the real one in, tests a scripted one.
// Owns: the vocabulary of a steering run. Refuses: models, tensors and tokens; text goes in and comes out.

import Diffing
import Inference

/// One latent's part in a run.
struct SteeringIntervention: Sendable, Equatable {
  var latent: Int32
  var mode: SteeringMode
  /// See `Intervention.strength`.
  var strength: Double
  /// See `Intervention.conditions`; values in the store's units.
  var conditions: [SteeringCondition] = []
}

extension SteeringIntervention {
  /// As a plan has it.
  init(_ planned: Intervention) {
    self.init(
      latent: Int32(clamping: planned.latent), mode: planned.mode, strength: planned.strength,
      conditions: planned.conditions)
  }

  /// In a plan.
  var planned: Intervention {
    Intervention(latent: Int(latent), mode: mode, strength: strength, conditions: conditions)
  }
}

/// A run: the prompt is answered without and with the interventions, under the same seed.
struct SteeringRequest: Sendable, Equatable {
  var prompt: String
  /// What was said before the prompt.
  var turns: [ChatMessage] = []
  var interventions: [SteeringIntervention]
  /// Which tokens are steered.
  var positions = TokenPositions.all
  /// The model whose decoder's directions are used.
  var decoder = PairModel.chat
  /// The blocks after which the residual stream is changed.
  var blocks = SteeredBlocks.own
  /// What a strength of mode add is multiplied by.
  var unit = StrengthUnit.maxActivation
  /// All must hold at a token for any latent to change it; values in the store's units.
  var conditions: [SteeringCondition] = []
  /// Tokens of an answer at most.
  var maxTokens: Int
  /// 0 takes the likeliest token each time.
  var temperature: Double
  var seed: UInt64
  /// See `Sampler`.
  var topP = 1.0
  var minP = 0.0
  var frequencyPenalty = 0.0
  /// Answers of each side, with seeds one after another.
  var samples = 1
  /// Phrases whose log-probability at the start of the answer is measured.
  var watched: [String] = []
  /// A third answer, steered with the baseline's attention weights above the layer.
  var freezesAttention = false
  /// Latents whose activations are told along with the tokens.
  var traced: [Int32] = []
  /// The residual stream is replaced by base's; the steer screen does not ask for it.
  var swapsBase = false

  /// As a plan has them.
  var planned: [Intervention] { interventions.map(\.planned) }

  /// How tokens are chosen.
  var settings: GenerationSettings {
    GenerationSettings(
      maxTokens: maxTokens, temperature: temperature, seed: seed, topP: topP, minP: minP,
      frequencyPenalty: frequencyPenalty, samples: samples)
  }

  /// As a run's document has it.
  var parameters: SteeringDocument.Parameters {
    SteeringDocument.Parameters(
      settings: settings, turns: turns, positions: positions, conditions: conditions, swapsBase: swapsBase,
      decoder: decoder,
      steersAllLayers: blocks == .ownAndAbove, takesRawStrength: unit == .norm)
  }

  /// The same whatever the way of sampling: what the next token's distribution depends on.
  var withoutSampling: SteeringRequest {
    var request = SteeringRequest(prompt: prompt, interventions: interventions, maxTokens: 0, temperature: 0, seed: 0)
    (request.positions, request.decoder, request.blocks) = (positions, decoder, blocks)
    (request.unit, request.conditions, request.turns, request.swapsBase) = (unit, conditions, turns, swapsBase)
    return request
  }
}

/// One of the answers that a run gives side by side.
enum AnswerArm: String, Sendable, CaseIterable, Codable {
  case baseline, steered
  /// Steered with the baseline's attention weights.
  case frozen
}

/// What happens during a run. Every token arrives, as the characters that it completes; perhaps none.
enum SteeringEvent: Sendable, Equatable {
  case baseline(String, sample: Int = 0)
  case steered(String, sample: Int = 0)
  case frozen(String, sample: Int = 0)
  /// Scaled activations of the traced latents at the next token of an answer that was not told yet.
  case activations([Double], AnswerArm, sample: Int = 0)
  /// All answers have ended; what is measured of them follows.
  case answered
  case finished(SteeringDocument)

  var isToken: Bool {
    switch self {
    case .baseline, .steered, .frozen: true
    case .activations, .answered, .finished: false
    }
  }
}

/// What happens during a sweep.
enum SweepEvent: Sendable, Equatable {
  /// Tokens of each answer so far.
  case tokens(Int)
  /// All answers have ended; how many texts are scored, of how many.
  case scored(Int, of: Int)
  case finished(SteeringDocument)
  /// The same with random latents in the places of the chosen ones.
  case control(SteeringDocument)
}

/// A set of prompts to be swept over, and the control beside it.
struct PromptSetChoice: Sendable, Equatable {
  var path: String
  /// Prompts at most, evenly from the file.
  var most: Int
  /// So many times the latents are replaced by random living ones.
  var random: Int
}

/// What happens during a sweep over a set of prompts.
enum SetSweepEvent: Sendable, Equatable {
  /// Prompts that are answered under all strengths, of how many.
  case progress(done: Int, of: Int)
  case finished(DoseResponse)
}

/// What steering makes of the token after the prompt.
struct NextTokens: Sendable, Equatable, Codable {
  /// A token's text and its probability on both sides.
  struct Token: Sendable, Equatable, Codable {
    var text: String
    var unsteered: Double
    var steered: Double
  }

  /// The likeliest tokens of each side, the likeliest first.
  var likelyUnsteered: [Token]
  var likelySteered: [Token]
  /// KL(unsteered ‖ steered) in nats.
  var divergence: Double
  /// Mean ‖Δh‖ ÷ ‖h‖ over the prompt's steered positions.
  var relativeChange: Double?

  private enum CodingKeys: String, CodingKey {
    case likelyUnsteered = "likely_unsteered"
    case likelySteered = "likely_steered"
    case divergence = "kl"
    case relativeChange = "relative_change"
  }

  /// Tokens named of each side.
  static let count = 8
  /// Tokens of the steered answer that follow.
  static let answerTokens = 8
}

/// What a preview tells: the distribution at once, then the steered answer's first tokens.
enum PreviewEvent: Sendable, Equatable {
  case distribution(NextTokens)
  case token(String)
}

/// The engine as the explorer knows it.
struct SteeringService: Sendable {
  /// Loads the models once; called at first need, reports what it does, returns the chat model's name.
  var load: @Sendable (_ progress: @escaping @Sendable (String) -> Void) async throws -> String
  /// Runs a request; ending the stream's consumer cancels the run within one token.
  var run: @Sendable (SteeringRequest) -> AsyncThrowingStream<SteeringEvent, any Error>
  /// Runs a request at several strengths, which multiply those of the latents; then, if asked for, with random latents.
  var sweep: @Sendable (SteeringRequest, _ withControl: Bool) -> AsyncThrowingStream<SweepEvent, any Error>
  /// Sweeps over a set of prompts in place of the request's own; cancelled within a token.
  var sweepSet: @Sendable (SteeringRequest, PromptSetChoice) -> AsyncThrowingStream<SetSweepEvent, any Error>
  /// Reads the activations of some latents along two answers.
  var trace: @Sendable (AnswerTraceRequest) async throws -> AnswerTrace
  /// Previews a request; ending the stream's consumer, or another preview, ends it within one token.
  var preview: @Sendable (SteeringRequest) -> AsyncThrowingStream<PreviewEvent, any Error>
}
