// A named direction of the residual stream in a steered stream, beside latents or without any: a difference in means, a
// principal component, a vector from a file. It has no code, so it can only be added or projected out:
//   add      h += α · s · u        s is the direction's own unit, or 1 if strengths are norms
//   project  h −= α · ⟨h − mean, u⟩ u
// It acts after its own block, which need not be the crosscoder's. Mode project needs the residual stream's mean, which
// is known at the crosscoder's block alone.

import Inference
import Kernels

/// What a direction's name stands for.
public struct StreamDirection: Sendable, Equatable {
  /// The block, counted from 0, after whose output it acts.
  public let layer: Int
  /// The norm that strength 1 adds; positive.
  public let unit: Double
  /// Unit vector, `[d]`.
  public let vector: [Float]
  /// SHA-256 of layer, unit and vector, in hex: equal ones steer alike.
  public let sha256: String

  /// - Parameter vector: of any length but 0; it is normalised.
  /// - Throws: `DiffingError.notFinite` for a vector of length 0, or with NaN or infinity.
  public init(layer: Int, unit: Double, vector: [Float]) throws(DiffingError) {
    let norm = vector.reduce(0.0) { $0 + Double($1) * Double($1) }.squareRoot()
    guard norm > 0, norm.isFinite, unit > 0, unit.isFinite else {
      throw .notFinite(what: "the unit vector of a direction", place: "block \(layer)")
    }
    (self.layer, self.unit) = (layer, unit)
    self.vector = vector.map { Float(Double($0) / norm) }
    var bytes = withUnsafeBytes(of: Int64(layer).littleEndian) { Array($0) }
    withUnsafeBytes(of: unit.bitPattern.littleEndian) { bytes += $0 }
    self.vector.withUnsafeBytes { bytes += $0 }
    sha256 = bytes.withUnsafeBytes { SHA256.hex(of: $0) }
  }
}

/// The part of one direction in a steered stream.
public struct SteeredDirection: Sendable, Codable, Equatable {
  /// The effect of a direction, which has no code to read.
  public enum Mode: String, Sendable, Codable, CaseIterable { case add, project }

  /// The name under which the store keeps it.
  public var name: String
  public var mode: Mode
  /// α, in the direction's units (add) or of its component in h (project).
  public var strength: Double
  /// A direction that is off has no effect, but it is still checked.
  public var isOn: Bool
  /// The SHA-256 that the direction must have, as a saved run says it; nil if any will do.
  public var sha256: String?
  /// What the name stands for; nil until it was looked up. Only a plan whose directions are known can be carried out.
  public var known: StreamDirection?

  private enum CodingKeys: String, CodingKey {
    case name, mode, strength, layer, unit, sha256
    case isOn = "on"
  }

  public init(
    name: String, mode: Mode = .add, strength: Double = 1, isOn: Bool = true, known: StreamDirection? = nil
  ) {
    (self.name, self.mode, self.strength, self.isOn, self.known) = (name, mode, strength, isOn, known)
  }

  /// Reads what a request or a saved run says. The mode is add, the strength 1 and the direction on where it does not say
  /// otherwise; layer and unit are there for readers, since the SHA-256 covers them.
  public init(from decoder: any Decoder) throws {
    let fields = try JSONFields(decoder, known: ["name", "mode", "strength", "on", "layer", "unit", "sha256"])
    self.init(
      name: try fields.required("name"), mode: try fields.choice("mode") ?? .add,
      strength: try fields.value("strength") ?? 1, isOn: try fields.value("on") ?? true)
    sha256 = try fields.value("sha256")
  }

  public func encode(to encoder: any Encoder) throws {
    var fields = encoder.container(keyedBy: CodingKeys.self)
    try fields.encode(name, forKey: .name)
    try fields.encode(mode, forKey: .mode)
    try fields.encode(strength, forKey: .strength)
    try fields.encode(isOn, forKey: .isOn)
    try fields.encodeIfPresent(known?.layer, forKey: .layer)
    try fields.encodeIfPresent(known?.unit, forKey: .unit)
    try fields.encodeIfPresent(known?.sha256 ?? sha256, forKey: .sha256)
  }

  /// Equal ones ask for the same; whether the name was looked up makes no difference.
  public static func == (a: SteeredDirection, b: SteeredDirection) -> Bool {
    a.name == b.name && a.mode == b.mode && a.strength == b.strength && a.isOn == b.isOn && a.sha256 == b.sha256
  }

  /// The same direction with its strength multiplied by a factor.
  public func scaled(by factor: Double) -> SteeredDirection {
    var result = self
    result.strength *= factor
    return result
  }

  /// Whether nothing is changed at any token.
  public var isIdle: Bool { !isOn || strength == 0 }
}

extension SteeringPlan {
  /// The lowest block that the plan changes, at most the crosscoder's: a prompt may be shared up to there.
  func lowestLayer(besides layer: Int) -> Int {
    directions.lazy.filter { !$0.isIdle }.compactMap(\.known?.layer).min().map { min($0, layer) } ?? layer
  }

  /// The directions that act after one block, in an order that does not depend on the caller's.
  func directions(at layer: Int) -> [SteeredDirection] {
    directions.filter { !$0.isIdle && $0.known?.layer == layer }
      .sorted { ($0.name, $0.mode.rawValue, $0.strength) < ($1.name, $1.mode.rawValue, $1.strength) }
  }

  /// The vector `[d]` that directions in mode add add after one block; nil if there are none.
  public func addedDirections(at layer: Int, width d: Int) -> [Float]? {
    var sum = [Double](repeating: 0, count: d)
    let added = directions(at: layer).filter { $0.mode == .add }
    for item in added {
      guard let known = item.known else { continue }
      let length = item.strength * (unit == .norm ? 1 : known.unit)
      for (index, value) in known.vector.enumerated() { sum[index] += length * Double(value) }
    }
    return added.isEmpty ? nil : sum.map { Float($0) }
  }

  /// The blocks other than the crosscoder's after which directions act, ascending.
  func otherLayers(than layer: Int) -> [Int] {
    Set(directions.lazy.filter { !$0.isIdle }.compactMap(\.known?.layer)).subtracting([layer]).sorted()
  }

  /// Refuses directions that cannot be carried out.
  /// - Parameters:
  ///   - d: the models' width.
  ///   - nLayers: the number of their blocks.
  /// - Throws: `DiffingError.settingInvalid`.
  func checkDirections(layer: Int, width d: Int, nLayers: Int) throws(DiffingError) {
    for item in directions {
      func invalid(_ what: String, _ expected: String, _ found: String) -> DiffingError {
        .settingInvalid(name: Setting(what, .directions), expected: expected, found: found)
      }
      guard let known = item.known else { throw invalid("direction \(item.name)", "looked up in the store", "a name") }
      guard item.strength.isFinite else {
        throw invalid("strength of direction \(item.name)", "a number", "\(item.strength)")
      }
      guard known.vector.count == d, (0..<nLayers).contains(known.layer) else {
        throw invalid(
          "direction \(item.name)", "of width \(d), after one of the blocks 0…\(nLayers - 1)",
          "of width \(known.vector.count), after block \(known.layer)")
      }
      if item.mode == .project {
        guard unit == .maxActivation else {
          throw .settingInvalid(
            name: Setting("raw strength of direction \(item.name)", .unit), expected: "for mode add alone",
            found: "project")
        }
        guard known.layer == layer else {
          throw invalid(
            "direction \(item.name) in mode project",
            "after block \(layer), where the residual stream's mean is known; or mode add", "after block \(known.layer)"
          )
        }
      }
      guard known.layer == layer || conditions.isEmpty else {
        throw .settingInvalid(
          name: Setting("conditions beside direction \(item.name)", .conditions),
          expected: "none, since it acts after block \(known.layer), and latents are read after block \(layer)",
          found: "\(conditions.count)")
      }
      guard blocks == .own || (known.layer == layer && item.mode == .add) else {
        throw .settingInvalid(
          name: Setting("steering at all layers", .blocks),
          expected: "for directions of block \(layer) in mode add alone",
          found: "\(item.name), after block \(known.layer)")
      }
    }
  }
}
