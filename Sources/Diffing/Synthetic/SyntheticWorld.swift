// A pair of models with known concepts, on which the method is checked: its activations consist of planted directions.
//   h^m = Σ_c a_c^m v_c + noise,   a_c^m > 0 where concept c is on in model m, 0 elsewhere; concepts fire independently
// Two kinds of concepts set the traps of arXiv 2504.02922, section 3: `rescaled` ones invite complete shrinkage,
// `decoupled` ones latent decoupling. Two more ask what a method overlooks: `rare` ones are on at few tokens, `split` ones
// have variants, which a wide dictionary may take for concepts of their own. Shape letters: T tokens, d width of one
// model.

import Inference
import Kernels

/// Planted concepts and the activations that they cause in a base and a chat model.
public struct SyntheticWorld: Sendable {
  /// How a concept differs between base and chat.
  public enum Kind: String, Codable, CaseIterable, Sendable {
    /// The concept is the same in both models: a^base = a^chat.
    case shared
    /// The concept is absent from chat.
    case baseOnly = "base-only"
    /// The concept is absent from base; fine-tuning introduced it.
    case chatOnly = "chat-only"
    /// The concept is in both models at the same tokens, but weaker in base: a^base = `baseFactor` · a^chat.
    case rescaled
    /// The concept is in both models with a separate strength in each, and at a share of its tokens in one model only.
    case decoupled
    /// Only chat has the concept, at few tokens.
    case rare
    /// Only chat has the concept, each time in one of several variants of its direction.
    case split

    /// Whether the truth is that chat alone has the concept.
    public var isChatOnly: Bool { self == .chatOnly || self == .rare || self == .split }
  }

  /// One planted concept.
  public struct Concept: Codable, Sendable, Equatable {
    public var kind: Kind
    /// The unit vector v `[d]`, the same in both models.
    public var direction: [Float]
    /// The probability that a token has the concept in at least one model.
    public var frequency: Double
    /// The mean of a where the concept is on; a is uniform between half and one and a half of that.
    public var strength: Double
    /// a^base / a^chat of a rescaled concept; 1 for others.
    public var baseFactor = 1.0
    /// The unit vectors `[d]` of a split concept's variants, one of which stands for v at each token; nil for others.
    public var variants: [[Float]]?
  }

  /// Tokens of a world with the truth about them.
  public struct Sample: Sendable, Equatable {
    /// `[T, 2, d]`.
    public let activations: PairedActivations
    /// For each concept, the tokens that have it in at least one model, ascending.
    public let tokens: [[Int]]
  }

  /// The ingredients of a world. A value from each range is drawn uniformly for each concept.
  public struct Recipe: Codable, Sendable, Equatable {
    /// The width d.
    public var dModel = 48
    public var shared = 48
    public var baseOnly = 8
    public var chatOnly = 8
    public var rescaled = 8
    public var decoupled = 8
    public var rare = 4
    public var split = 4
    /// The frequency of rare concepts: half of the tokens of 0.5 % of the texts.
    public var rareFrequency = 0.0025
    /// The number of variants of a split concept, and the length of what each adds to v before it is normalised.
    public var variants = 4
    public var variantLength = 0.5
    public var lowestFrequency = 0.02
    public var highestFrequency = 0.08
    public var lowestStrength = 0.7
    public var highestStrength = 1.3
    /// The range for rescaled concepts, above 0.2: a factor b gives Δ = 1 − b/2, and Δ ≥ 0.9 is chat-only by
    /// definition.
    public var lowestBaseFactor = 0.25
    public var highestBaseFactor = 0.5
    /// The share of a decoupled concept's tokens at which it is on in both models; the rest is split evenly.
    public var overlap = 0.8
    /// The standard deviation of the noise in each dimension.
    public var noise = 0.1

    /// The world of docs/synthetic-world.md.
    public init() {}

    /// Throws `DiffingError.settingInvalid` for the first number out of range.
    func check() throws(DiffingError) {
      try requireSetting(dModel > 0, "dModel", "at least 1", dModel)
      for (name, count) in [
        ("shared", shared), ("baseOnly", baseOnly), ("chatOnly", chatOnly), ("rescaled", rescaled),
        ("decoupled", decoupled), ("rare", rare), ("split", split), ("variants", variants),
      ] { try requireSetting(count >= 0, "\(name)", "at least 0", count) }
      for (name, low, high, most) in [
        ("frequency", lowestFrequency, highestFrequency, 1), ("strength", lowestStrength, highestStrength, 1e6),
        ("baseFactor", lowestBaseFactor, highestBaseFactor, 1),
      ] {
        try requireSetting(low > 0 && low <= high && high <= most, "\(name)", "a range in 0…\(most)", "\(low)…\(high)")
      }
      try requireSetting(rareFrequency > 0 && rareFrequency <= 1, "rareFrequency", "in 0…1", rareFrequency)
      try requireSetting(
        variantLength >= 0 && variantLength.isFinite, "variantLength", "at least 0", variantLength)
      try requireSetting((0...1).contains(overlap), "overlap", "0 to 1", overlap)
      try requireSetting(noise >= 0 && noise.isFinite, "noise", "at least 0", noise)
    }
  }

  public let recipe: Recipe
  public let concepts: [Concept]

  /// Plants concepts. The same recipe and seed give the same concepts.
  /// - Throws: `DiffingError.settingInvalid`.
  public init(recipe: Recipe = Recipe(), seed: UInt64) throws(DiffingError) {
    try recipe.check()
    var generator = SplitMix64(seed: seed)
    let counts: [(Kind, Int)] = [
      (.shared, recipe.shared), (.baseOnly, recipe.baseOnly), (.chatOnly, recipe.chatOnly),
      (.rescaled, recipe.rescaled), (.decoupled, recipe.decoupled), (.rare, recipe.rare), (.split, recipe.split),
    ]
    var concepts: [Concept] = []
    for (kind, count) in counts {
      for _ in 0..<count {
        var concept = Concept(
          kind: kind, direction: generator.unitVector(recipe.dModel),
          frequency: generator.uniform(recipe.lowestFrequency, recipe.highestFrequency),
          strength: generator.uniform(recipe.lowestStrength, recipe.highestStrength),
          baseFactor: kind == .rescaled
            ? generator.uniform(recipe.lowestBaseFactor, recipe.highestBaseFactor) : 1)
        if kind == .rare { concept.frequency = recipe.rareFrequency }
        if kind == .split, recipe.variants > 0 {
          concept.variants = (0..<recipe.variants).map { _ in
            let own = generator.unitVector(recipe.dModel)
            return unit(zip(concept.direction, own).map { Double($0) + recipe.variantLength * Double($1) })
          }
        }
        concepts.append(concept)
      }
    }
    (self.recipe, self.concepts) = (recipe, concepts)
  }

  /// The average number of concepts that are on at a token, which is the L0 of a dictionary with one latent for each.
  public var l0: Double { l0(of: { _ in true }) }

  /// The same of some kinds of concepts.
  func l0(of counts: (Kind) -> Bool) -> Double {
    concepts.reduce(0) { $0 + (counts($1.kind) ? $1.frequency : 0) }
  }

  /// Activations `[T, 2, d]` of tokens drawn with a seed.
  public func activations(tokens: Int, seed: UInt64) -> PairedActivations {
    sample(tokens: tokens, seed: seed).activations
  }

  /// Tokens drawn with a seed, and which concepts each has.
  public func sample(tokens: Int, seed: UInt64) -> Sample {
    var generator = SplitMix64(seed: seed)
    let d = recipe.dModel
    var values = [Float](repeating: 0, count: tokens * 2 * d)
    var tokensOf = [[Int]](repeating: [], count: concepts.count)
    values.withUnsafeMutableBufferPointer { values in
      guard let out = values.baseAddress else { return }
      if recipe.noise > 0 {
        for index in 0..<values.count { out[index] = Float(recipe.noise * generator.nearlyNormal()) }
      }
      for token in 0..<tokens {
        for (number, concept) in concepts.enumerated() where generator.uniform() < concept.frequency {
          tokensOf[number].append(token)
          let amounts = amounts(of: concept, using: &generator)
          let direction = concept.variants?.randomElement(using: &generator) ?? concept.direction
          for model in PairModel.allCases where amounts[model.index] > 0 {
            direction.withUnsafeBufferPointer { direction in
              guard let direction = direction.baseAddress else { return }
              addScaled(
                Float(amounts[model.index]), direction, to: out + (2 * token + model.index) * d, count: d)
            }
          }
        }
      }
    }
    return Sample(activations: PairedActivations(dModel: d, values: values), tokens: tokensOf)
  }

  /// a^base and a^chat of a concept that is on.
  private func amounts(of concept: Concept, using generator: inout SplitMix64) -> [Double] {
    func amount() -> Double { concept.strength * generator.uniform(0.5, 1.5) }
    switch concept.kind {
    case .shared, .rescaled:
      let amount = amount()
      return [concept.baseFactor * amount, amount]
    case .baseOnly: return [amount(), 0]
    case .chatOnly, .rare, .split: return [0, amount()]
    case .decoupled:
      let place = generator.uniform()
      let (base, chat) = (amount(), amount())
      let alone = (1 - recipe.overlap) / 2
      return [place < alone ? 0 : base, place >= 1 - alone ? 0 : chat]
    }
  }
}

/// The vector with length 1.
private func unit(_ vector: [Double]) -> [Float] {
  let norm = vector.reduce(0) { $0 + $1 * $1 }.squareRoot()
  return vector.map { Float($0 / max(norm, .leastNormalMagnitude)) }
}

extension SplitMix64 {
  /// A random direction.
  fileprivate mutating func unitVector(_ d: Int) -> [Float] { unit((0..<d).map { _ in nearlyNormal() }) }

  /// A random number between two others.
  fileprivate mutating func uniform(_ low: Double, _ high: Double) -> Double { low + (high - low) * uniform() }

  /// A nearly normal number with mean 0 and variance 1, the same on every machine: the sum of a draw's four 16-bit
  /// numbers.
  fileprivate mutating func nearlyNormal() -> Double {
    let bits = next()
    let sum = (bits & 0xFFFF) + (bits >> 16 & 0xFFFF) + (bits >> 32 & 0xFFFF) + bits >> 48
    // Each number is uniform on 0…65535: the mean of the sum is 2 · 65535, its variance nearly 4 · 65536² / 12.
    return (Double(sum) / 0x1p16 - 0x1.FFFEp0) * 1.7320508075688772
  }
}
