// How pre-activations p = W x + b become codes f: which latents of a token are on, and with what value. Encoding,
// scoring, live activations and steering all ask this type.
//   activation  f = p;  f = tanh(p);  gated: f = max(0, e^r (W x) + b_mag), where b is the gate's bias
//   selection   thresholds: p > 0, and p·n > θ, p·n^m > θ^m for each model, or p > θ_j;  the k largest of a token;
//               the largest of each of k groups of neighbours
// A latent is on only where p > 0 and f > 0. Ties go to the lower latent. Selections that need a whole batch, or numbers
// that the files do not hold, have no codes here. Sources: the libraries that DictionaryForm names.

import Inference

#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

/// How the value of a latent that is on follows from its pre-activation.
public enum CodeActivation: Sendable, Equatable {
  /// f = p.
  case relu
  /// f = tanh(p).
  case tanhRelu
  /// f = max(0, e^r_j ⟨w_j, x⟩ + b_j), where the encoder's own bias is the gate's.
  case gated(logScales: [Float], biases: [Float])
}

/// Which latents of a token are on.
public enum CodeSelection: Sendable, Equatable {
  /// Those above the dictionary's thresholds; all with p > 0 if it has none.
  case thresholds
  /// The k largest p of each token, or the k largest p·n.
  case largest(Int, scaled: Bool)
  /// The largest p in each of k groups of F/k neighbouring latents.
  case largestOfGroups(Int)
  /// Codes cannot be computed for a token; the reason ends a sentence that begins with "its codes".
  case undefined(String)

  /// Whether codes of a token can be computed.
  public var isDefined: Bool { if case .undefined = self { false } else { true } }

  /// Whether a latent's code depends on the other latents at the token.
  public var ranks: Bool {
    switch self {
    case .thresholds, .undefined: false
    case .largest, .largestOfGroups: true
    }
  }
}

/// The rule of one dictionary. Shape letter: F latents.
struct CodeRule: Sendable {
  /// The norms n `[F]` by which p is multiplied before it is compared; two lists if each model has its own selection.
  let norms: [[Double]]
  /// θ: none, one, or one for each model.
  let thresholds: [Float]
  /// θ_j `[F]`, or `[2·F]` if each model has its own; nil if there are none.
  var jumps: [Float]?
  var activation = CodeActivation.relu
  var selection = CodeSelection.thresholds

  /// Whether each model has its own selection.
  var isPerModel: Bool { norms.count == 2 }

  /// A latent's code, and the models in which it is on; (0, none) if it is off.
  /// - Parameter dot: ⟨w_j, x⟩ without the bias.
  /// - Precondition: the selection does not rank latents.
  func code(dot: Double, bias: Double, latent: Int) -> (f: Double, models: PairModels) {
    let pre = dot + bias
    let models = models(pre, latent: latent)
    guard !models.isEmpty else { return (0, []) }
    let f = value(dot: dot, pre: pre, latent: latent)
    return f > 0 ? (f, models) : (0, [])
  }

  /// f of a latent that is on.
  func value(dot: Double, pre: Double, latent: Int) -> Double {
    switch activation {
    case .relu: pre
    case .tanhRelu: tanh(pre)
    case .gated(let logScales, let biases): exp(Double(logScales[latent])) * dot + Double(biases[latent])
    }
  }

  /// The models in which latent j passes its thresholds.
  private func models(_ pre: Double, latent: Int) -> PairModels {
    guard pre > 0 else { return [] }
    func passes(_ place: Int) -> Bool {
      if let jumps {
        let own = jumps.count > norms[0].count ? place * norms[0].count + latent : latent
        guard pre > Double(jumps[own]) else { return false }
      }
      return thresholds.isEmpty
        || pre * norms[place][latent] > Double(thresholds[min(place, thresholds.count - 1)])
    }
    guard isPerModel else { return passes(0) ? .both : [] }
    return PairModels(rawValue: (passes(0) ? 1 : 0) | (passes(1) ? 2 : 0))
  }

  /// Norms and a bound such that p·norm of every latent that is on exceeds the bound, even after fp32 rounding.
  var candidates: (norms: [Float], bound: Float) {
    switch thresholds.count {
    case 1 where !isPerModel: return (norms[0].map { Float($0) }, max(0, thresholds[0]) * 0.99999)
    case 2 where thresholds.allSatisfy { $0 > 0 }:
      let (base, chat) = (Double(thresholds[0]), Double(thresholds[1]))
      return (zip(norms[0], norms[1]).map { Float(max($0 / base, $1 / chat)) }, 0.99999)
    default: return ([Float](repeating: 1, count: norms[0].count), 0)
    }
  }

  // MARK: ranking

  /// The norms by which a ranking compares, one list for each selection; nil for 1.
  var rankingNorms: [[Double]?] {
    switch selection {
    case .largest(_, scaled: true): norms
    default: [nil]
    }
  }

  /// The latents of which each group keeps the largest, and how many.
  private func groups(of F: Int) -> (size: Int, keeps: Int) {
    switch selection {
    case .largest(let k, _): (F, k)
    case .largestOfGroups(let k): (F / k, 1)
    case .thresholds, .undefined: (F, F)
    }
  }

  /// Writes the latents that can be among those which a ranking keeps, ascending.
  ///
  /// |computed − exact| ≤ slack. Of each group, the k-th largest lower end is passed by k latents at least, so that a
  /// latent whose upper end lies below it is not among the k largest.
  /// - Returns: the number of latents written.
  func rankCandidates(
    _ pre: UnsafePointer<Float>, slack: (Int) -> Double, bias: [Float], count F: Int,
    into latents: inout [Int32]
  ) -> Int {
    let (size, keeps) = groups(of: F)
    let lists = rankingNorms
    var bounds = [[Double]](repeating: [], count: lists.count)
    for (place, norms) in lists.enumerated() {
      var start = 0
      while start < F {
        var largest = LargestValues(count: keeps)
        for latent in start..<min(start + size, F) {
          let lower = Double(pre[latent]) + Double(bias[latent]) - slack(latent)
          largest.add(lower * (norms?[latent] ?? 1))
        }
        bounds[place].append(largest.smallest)
        start += size
      }
    }
    var found = 0
    for latent in 0..<F {
      let upper = Double(pre[latent]) + Double(bias[latent]) + slack(latent)
      guard upper > 0 else { continue }
      let reaches = lists.indices.contains { upper * (lists[$0]?[latent] ?? 1) >= bounds[$0][latent / size] }
      guard reaches else { continue }
      latents[found] = Int32(latent)
      found += 1
    }
    return found
  }

  /// The models in which each candidate is on, by exact pre-activations.
  func ranked(_ latents: ArraySlice<Int32>, _ pre: [Double], count F: Int) -> [PairModels] {
    let (size, keeps) = groups(of: F)
    let lists = rankingNorms
    var result = [PairModels](repeating: [], count: latents.count)
    for (place, norms) in lists.enumerated() {
      let models: PairModels = lists.count == 1 ? .both : place == 0 ? .base : .chat
      let order = latents.indices.map { index in
        (
          group: Int(latents[index]) / size,
          value: pre[index - latents.startIndex] * (norms?[Int(latents[index])] ?? 1),
          place: index - latents.startIndex
        )
      }.filter { $0.value > 0 }.sorted { ($0.group, $1.value, $0.place) < ($1.group, $0.value, $1.place) }
      var (group, taken) = (-1, 0)
      for entry in order {
        if entry.group != group { (group, taken) = (entry.group, 0) }
        guard taken < keeps else { continue }
        taken += 1
        result[entry.place].formUnion(models)
      }
    }
    return result
  }
}

/// The largest of the values that are added, as many as asked for.
private struct LargestValues {
  private let count: Int
  private var values: [Double] = []  // A heap: each value is at most those at 2i + 1 and 2i + 2.

  init(count: Int) { self.count = count }

  /// The smallest of them; −∞ while there are fewer than asked for.
  var smallest: Double { values.count < count ? -.infinity : values.first ?? .infinity }

  mutating func add(_ value: Double) {
    if values.count < count {
      values.append(value)
      var place = values.count - 1
      while place > 0, values[place] < values[(place - 1) / 2] {
        values.swapAt(place, (place - 1) / 2)
        place = (place - 1) / 2
      }
    } else if count > 0, value > values[0] {
      values[0] = value
      var place = 0
      while true {
        var least = place
        for child in [2 * place + 1, 2 * place + 2] where child < count && values[child] < values[least] {
          least = child
        }
        guard least != place else { return }
        values.swapAt(place, least)
        place = least
      }
    }
  }
}
