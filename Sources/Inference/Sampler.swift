// Chooses the next token from logits: greedily, or by a draw at a temperature with a seed. Settings apply in this
// order: repetition penalty, frequency penalty, temperature, top-p, min-p. Each token takes one draw, so that equal seeds
// give equal draws.

import Glibc

/// Picks tokens one after the other; equal settings and equal logits give equal tokens.
public struct Sampler: Sendable {
  /// 0 is greedy; 1 samples from the model's own distribution.
  public let temperature: Double
  /// Draws come from the smallest set of most probable tokens whose probabilities reach this sum; 1 keeps all tokens.
  public let topP: Double
  /// Tokens less probable than this times the most probable one are never drawn; 0 keeps all tokens.
  public let minP: Double
  /// This is subtracted from a token's logit each time the sampler has chosen it, before temperature; it also affects
  /// greedy choices.
  public let frequencyPenalty: Double
  /// Before the frequency penalty, the logit of a token that is among the last `penaltyWindow` chosen ones is divided by
  /// this if it is positive and multiplied by it if not; 1 changes nothing. It also affects greedy choices.
  ///
  /// The rule is llama.cpp's (`llama_sampler_init_penalties`: penalty_repeat, penalty_last_n). Only tokens of the answer
  /// count, as for the frequency penalty; llama.cpp's programs also count those of the prompt.
  public let repetitionPenalty: Double
  /// How many of the tokens chosen last `repetitionPenalty` looks at.
  public let penaltyWindow: Int
  /// llama.cpp's default.
  public static let usualPenaltyWindow = 64
  private var chosen: [Int] = []
  private var counts: [Int: Int] = [:]
  private var generator: SplitMix64
  private var weights: [Double] = []

  /// The sampler that always takes the most probable token.
  public static var greedy: Sampler { Sampler() }

  /// - Throws: `InferenceError.settingInvalid` unless `temperature` is finite and ≥ 0, `topP` in (0, 1], `minP` in [0, 1],
  ///   `frequencyPenalty` in [−100, 100], `repetitionPenalty` in (0, 100] and `penaltyWindow` ≥ 1.
  public init(
    temperature: Double, topP: Double = 1, minP: Double = 0, frequencyPenalty: Double = 0,
    repetitionPenalty: Double = 1, penaltyWindow: Int = Sampler.usualPenaltyWindow, seed: UInt64
  ) throws(InferenceError) {
    guard temperature.isFinite, temperature >= 0 else {
      throw .settingInvalid(name: "temperature", expected: "0 or a positive number", found: "\(temperature)")
    }
    guard topP > 0, topP <= 1 else {
      throw .settingInvalid(name: "top-p", expected: "above 0 and at most 1", found: "\(topP)")
    }
    guard minP >= 0, minP <= 1 else {
      throw .settingInvalid(name: "min-p", expected: "at least 0 and at most 1", found: "\(minP)")
    }
    guard abs(frequencyPenalty) <= 100 else {
      throw .settingInvalid(name: "frequency penalty", expected: "between -100 and 100", found: "\(frequencyPenalty)")
    }
    guard repetitionPenalty > 0, repetitionPenalty <= 100 else {
      throw .settingInvalid(
        name: "repetition penalty", expected: "above 0 and at most 100", found: "\(repetitionPenalty)")
    }
    guard penaltyWindow > 0 else {
      throw .settingInvalid(name: "repetition window", expected: "1 or more", found: "\(penaltyWindow)")
    }
    self.temperature = temperature
    self.topP = topP
    self.minP = minP
    self.frequencyPenalty = frequencyPenalty
    self.repetitionPenalty = repetitionPenalty
    self.penaltyWindow = penaltyWindow
    generator = SplitMix64(seed: seed)
  }

  private init() {
    (temperature, topP, minP, frequencyPenalty) = (0, 1, 0, 0)
    (repetitionPenalty, penaltyWindow) = (1, Self.usualPenaltyWindow)
    generator = SplitMix64(seed: 0)
  }

  /// Returns the next token.
  /// - Parameter logits: `[V]`, at least one; if several are equal, the lowest id wins.
  /// - Throws: `InferenceError.notFinite` naming the first id whose logit is NaN or infinite.
  public mutating func next(_ logits: UnsafeBufferPointer<Float>) throws(InferenceError) -> Int32 {
    precondition(!logits.isEmpty, "no logits")
    for id in logits.indices where !logits[id].isFinite {
      throw .notFinite(what: "the model's output", place: "token \(id)")
    }
    guard frequencyPenalty != 0 || repetitionPenalty != 1 else { return choose(logits) }
    let id = penalised(logits).withUnsafeBufferPointer { choose($0) }
    counts[Int(id), default: 0] += 1
    chosen.append(Int(id))
    return id
  }

  /// Returns the next token.
  /// - Throws: the errors of `next(_:)` for a buffer.
  public mutating func next(_ logits: [Float]) throws(InferenceError) -> Int32 {
    try logits.withUnsafeBufferPointer { (buffer) throws(InferenceError) in try next(buffer) }
  }

  /// The logits after both penalties, each still a finite number.
  private func penalised(_ logits: UnsafeBufferPointer<Float>) -> [Float] {
    var penalised = Array(logits)
    let recent = Set(chosen.suffix(penaltyWindow))
    let largest = Double(Float.greatestFiniteMagnitude)
    for (id, count) in counts where penalised.indices.contains(id) {
      var logit = Double(penalised[id])
      if recent.contains(id) { logit = logit > 0 ? logit / repetitionPenalty : logit * repetitionPenalty }
      logit -= frequencyPenalty * Double(count)
      penalised[id] = Float(max(-largest, min(logit, largest)))
    }
    return penalised
  }

  private mutating func choose(_ logits: UnsafeBufferPointer<Float>) -> Int32 {
    var best = 0
    for id in logits.indices where logits[id] > logits[best] { best = id }
    return temperature > 0 ? draw(logits, maximum: logits[best]) : Int32(best)
  }

  /// Draws id i with a probability ∝ exp((lᵢ − max) / temperature), by walking along the cumulative weights.
  private mutating func draw(_ logits: UnsafeBufferPointer<Float>, maximum: Float) -> Int32 {
    weights.removeAll(keepingCapacity: true)
    for logit in logits { weights.append(exp((Double(logit) - Double(maximum)) / temperature)) }
    let uniform = generator.uniform()
    if topP < 1 { return drawFromNucleus(uniform) }
    // The most probable token has weight 1.
    if minP > 0 { for id in weights.indices where weights[id] < minP { weights[id] = 0 } }
    var rest = uniform * weights.reduce(0, +)
    for (id, weight) in weights.enumerated() {
      rest -= weight
      if rest < 0 { return Int32(id) }
    }
    // Rounding can leave a small rest of the sum; the last token that can be drawn takes it.
    return Int32(weights.lastIndex { $0 > 0 } ?? 0)
  }

  private func drawFromNucleus(_ uniform: Double) -> Int32 {
    let sum = weights.reduce(0, +)
    // Tokens less probable than (1 − p) / V are never needed to reach p, so they need not be sorted.
    let least = (1 - topP) / Double(weights.count) * sum
    let candidates = weights.indices.filter { weights[$0] >= least }
      .sorted { (weights[$1], $0) < (weights[$0], $1) }
    var kept = 0
    var mass = 0.0
    while kept < candidates.count && mass < topP * sum && (kept == 0 || weights[candidates[kept]] >= minP) {
      mass += weights[candidates[kept]]
      kept += 1
    }
    var rest = uniform * mass
    for id in candidates[..<kept] {
      rest -= weights[id]
      if rest < 0 { return Int32(id) }
    }
    return Int32(candidates[kept - 1])
  }
}

/// A small generator whose numbers are the same on every machine: Steele, Lea and Flood, "Fast splittable pseudorandom
/// number generators" (2014), with the constants of java.util.SplittableRandom.
public struct SplitMix64: RandomNumberGenerator, Sendable {
  private var state: UInt64

  /// Makes a generator; any seed is suitable.
  public init(seed: UInt64) {
    state = seed
  }

  public mutating func next() -> UInt64 {
    state &+= 0x9E37_79B9_7F4A_7C15
    var z = state
    z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
    z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
    return z ^ (z >> 31)
  }

  /// Returns a number in [0, 1), a multiple of 2⁻⁵³.
  public mutating func uniform() -> Double {
    Double(next() >> 11) * 0x1p-53
  }

  /// Returns a normally distributed number with mean 0 and variance 1, by Box and Muller.
  public mutating func normal() -> Double {
    (-2 * log(1 - uniform())).squareRoot() * cos(2 * .pi * uniform())
  }
}
