// Drives the explorer without a terminal: keys in, view state and canvas out, effects run to their end in between.

import Diffing
import Foundation
import Storage
import Synchronization
import TUI

@testable import crosscope

/// The explorer on a sample store, with a scripted engine.
struct ExplorerDriver {
  private(set) var state: ExplorerState
  let runner: EffectRunner
  /// Effects in the order in which update asked for them.
  private(set) var asked: [Effect] = []

  init(
    _ store: Store, steering: SteeringService = .scripted(), tracing: TraceService = .scripted(),
    checking: CheckService = .scripted(), size: Size = Size(columns: 80, rows: 24), ascii: Bool = false,
    spoken: Bool = false, filters: FilterFile? = nil,
    restoring view: SavedView? = nil, nLatents: Int? = nil
  ) async throws {
    let pair = try store.modelPair()
    let summary = StoreSummary(
      name: "sample.crosscope", base: pair.base, chat: pair.chat, layer: pair.layer,
      nLatents: nLatents ?? pair.nLatents,
      isWritable: store.isWritable, coherenceLimit: try store.knownCoherenceLimit())
    runner = EffectRunner(
      store: store, steering: steering, tracing: tracing, checking: checking, filters: filters, restDelay: .zero)
    state = ExplorerState(store: summary, size: size, asciiOnly: ascii || spoken)
    state.isSpoken = spoken
    if let view { state.restore(view) }
    await settle(state.start())
  }

  /// Presses keys by name, each followed by everything that comes of it.
  mutating func press(_ names: String...) async {
    for name in names {
      guard let key = Key(name: name) else { preconditionFailure("no key is named \(name)") }
      await send(.terminal(.input(.key(key))))
    }
  }

  /// Types text, one key a character.
  mutating func type(_ text: String) async {
    for character in text { await send(.terminal(.input(.key(Key(.character(character)))))) }
  }

  mutating func send(_ event: ExplorerEvent) async { await settle(state.update(event)) }

  /// Takes an event without running what it asks for.
  mutating func sendOnly(_ event: ExplorerEvent) -> [Effect] { state.update(event) }

  /// Runs effects, and what follows from them, to their end.
  mutating func settle(_ effects: [Effect]) async {
    var queue = effects
    while !queue.isEmpty {
      let effect = queue.removeFirst()
      asked.append(effect)
      let log = EventLog()
      await runner.run(effect) { log.add($0) }
      for event in log.events { queue += state.update(event) }
    }
  }

  /// The screen as characters.
  var text: String { state.draw().canvas.text }
}

/// Events in the order in which they were emitted.
private final class EventLog: Sendable {
  private let stored = Mutex<[ExplorerEvent]>([])
  func add(_ event: ExplorerEvent) { stored.withLock { $0.append(event) } }
  var events: [ExplorerEvent] { stored.withLock { $0 } }
}

extension SteeringService {
  static let baselineAnswer = ["Building", " a", " bomb", " is", " complex", ".", " Here", " is", " how", "."]
  static let frozenAnswer = ["Building", " is", " not", " allowed", "."]
  static let steeredAnswer = ["I", " am", " sorry", ",", " but", " I", " cannot", " help", " with", " that", "."]

  /// What is measured of those answers; of several samples each has a divergence of its own.
  static func document(_ request: SteeringRequest, strengths: [Double] = [1]) -> SteeringDocument {
    func answer(_ tokens: [String], strength: Double?) -> SteeringDocument.Answer {
      let samples = (0..<request.samples).map { sample in
        let kl = strength.map { strength in tokens.indices.map { 1 / Double($0 + 1) * abs(strength + Double(sample)) } }
        return SteeringDocument.Sample(
          seed: request.seed + UInt64(sample), text: tokens.joined(), ids: tokens.indices.map { Int32($0) },
          logProbabilities: tokens.indices.map { -0.1 * Double($0 + 1) }, finished: true,
          relativeChange: strength.map { 0.31 * abs($0) }, firstDifference: strength.map { _ in 0 }, kl: kl,
          klMean: kl.map { $0.reduce(0, +) / Double($0.count) }, logPerplexity: 1 + abs(strength ?? 0), repetition: 0.05
        )
      }
      return SteeringDocument.Answer(
        strength: strength, samples: samples,
        watched: request.watched.map {
          SteeringDocument.Watched(text: $0, logProbability: -12.5 + 4 * (strength ?? 0))
        })
    }
    var parameters = request.parameters
    parameters.layer = 14
    return SteeringDocument(
      prompt: request.prompt,
      interventions: request.interventions.map {
        Intervention(latent: Int($0.latent), mode: $0.mode, strength: $0.strength)
      }, parameters: parameters,
      outputs: SteeringDocument.Outputs(
        baseline: answer(baselineAnswer, strength: nil),
        steered: strengths.map { answer(steeredAnswer, strength: $0) },
        frozenAttention: request.freezesAttention ? strengths.map { answer(frozenAnswer, strength: $0) } : nil,
        tokensPerSecond: 41.2),
      versions: ["crosscope": "0.1.0"])
  }

  /// The stronger, the likelier a refusal.
  static func nextTokens(_ request: SteeringRequest) -> NextTokens {
    let strength = request.interventions.reduce(0) { $0 + $1.strength }
    let share = min(max(0, 0.2 * strength), 1)
    let tokens = ["Building", "I", " The", "\n", "Sure", ",", " a", "<|im_end|>"].enumerated().map { index, text in
      let unsteered = 0.5 / Double(1 << index)
      return NextTokens.Token(
        text: text, unsteered: unsteered, steered: (1 - share) * unsteered + (index == 1 ? share : 0))
    }
    return NextTokens(
      likelyUnsteered: tokens, likelySteered: tokens.sorted { $0.steered > $1.steered },
      divergence: 0.4 * strength * strength, relativeChange: 0.3 * abs(strength))
  }

  /// Answers with fixed tokens.
  static func scripted(loads: Bool = true, breaks: Bool = false) -> SteeringService {
    struct Broken: Error, CustomStringConvertible { let description: String }
    return SteeringService(
      load: { progress in
        guard loads else { throw Broken(description: "model.gguf: no such file; give it with --model") }
        progress("loading 50 %")
        return "SmolLM2-135M-chat"
      },
      run: { request in
        AsyncThrowingStream { stream in
          for sample in 0..<request.samples {
            for index in 0..<max(baselineAnswer.count, steeredAnswer.count) {
              if baselineAnswer.indices.contains(index) {
                stream.yield(.baseline(baselineAnswer[index], sample: sample))
              }
              if steeredAnswer.indices.contains(index) { stream.yield(.steered(steeredAnswer[index], sample: sample)) }
              if request.freezesAttention, frozenAnswer.indices.contains(index) {
                stream.yield(.frozen(frozenAnswer[index], sample: sample))
              }
              for (arm, answer) in [(AnswerArm.baseline, baselineAnswer), (.steered, steeredAnswer)] {
                guard !request.traced.isEmpty, answer.indices.contains(index) else { continue }
                stream.yield(.activations(request.traced.map { Double(index) * Double($0) }, arm, sample: sample))
              }
            }
          }
          if breaks {
            return stream.finish(throwing: Broken(description: "layer 14: not a number; lower the strength"))
          }
          stream.yield(.answered)
          stream.yield(.finished(document(request)))
          stream.finish()
        }
      },
      sweep: { request, withControl in
        AsyncThrowingStream { stream in
          if breaks {
            return stream.finish(throwing: Broken(description: "layer 14: not a number; lower the strength"))
          }
          stream.yield(.tokens(3))
          stream.yield(.scored(4, of: 8))
          stream.yield(.finished(document(request, strengths: SteerSweep.strengths)))
          var control = request
          control.interventions = request.interventions.map {
            SteeringIntervention(latent: $0.latent + 1, mode: .add, strength: $0.strength / 4)
          }
          if withControl { stream.yield(.control(document(control, strengths: SteerSweep.strengths))) }
          stream.finish()
        }
      },
      sweepSet: { request, choice in
        AsyncThrowingStream { stream in
          stream.yield(.progress(done: 1, of: 3))
          if breaks {
            return stream.finish(throwing: Broken(description: "layer 14: not a number; lower the strength"))
          }
          stream.yield(.finished(.scripted(request, choice)))
          stream.finish()
        }
      },
      trace: { request in
        if breaks { throw Broken(description: "no base") }
        func activations(_ ids: [Int32]) -> [[Double]] {
          request.latents.map { latent in ids.map { Double($0) * Double(latent) } }
        }
        return AnswerTrace(
          baseline: activations(request.baseline), steered: activations(request.steered),
          frozen: request.frozen.map(activations) ?? [])
      },
      preview: { request in
        AsyncThrowingStream { stream in
          if breaks {
            return stream.finish(throwing: Broken(description: "layer 14: not a number; lower the strength"))
          }
          stream.yield(.distribution(nextTokens(request)))
          for text in steeredAnswer.prefix(3) { stream.yield(.token(text)) }
          stream.finish()
        }
      })
  }
}
