// One file of delphi's cache, its activations ordered by latent. Sizes and every location are checked before they are used.

import Experiments
import Foundation
import Inference

/// The activations of some latents.
struct DelphiSplit {
  /// More latents than any dictionary has.
  static let limit = 1 << 22
  /// The latents that the file is about, rising.
  let latents: [Int]
  /// The size of the activations in bytes.
  let bytes: Int
  private let file: SafetensorsFile
  private let contextLength: Int
  private let nSequences: Int
  private let hasTokens: Bool
  /// Where the entries of each latent begin, and their end.
  private let starts: [Int]
  private let sequences: [Int32]
  private let positions: [Int32]
  private let values: [Float]

  /// - Parameter latents: the latents by the file's name; nil for a file that has absolute latents.
  init(path: String, latents named: ClosedRange<Int>?) throws {
    file = try SafetensorsFile(path: path)
    let locations = try file.tensor(named: "locations")
    let activations = try file.tensor(named: "activations")
    let count = activations.count
    guard locations.shape == [count, 3], activations.shape == [count] else {
      throw InferenceError.shapeMismatch(path: path, tensor: "locations", expected: [count, 3], found: locations.shape)
    }
    bytes = locations.bytes.count + activations.bytes.count
    hasTokens = file.hasTensor(named: "tokens")
    let shape = hasTokens ? try file.shape(of: "tokens") : []
    guard shape.isEmpty || shape.count == 2 else {
      throw InferenceError.shapeMismatch(path: path, tensor: "tokens", expected: [0, 0], found: shape)
    }
    (nSequences, contextLength) = hasTokens ? (shape[0], shape[1]) : (Int(Int32.max), Int(Int32.max))
    let first = named?.lowerBound ?? 0
    // The first pass counts, the second one fills.
    var counts = [Int](repeating: 0, count: named?.count ?? 0)
    let chunk = 1 << 18
    func pass(_ body: (_ entry: Int, _ sequence: Int, _ position: Int, _ latent: Int) throws -> Void) throws {
      for start in stride(from: 0, to: count, by: chunk) {
        let end = min(start + chunk, count)
        let numbers = try locations.ints(start * 3..<end * 3)
        for entry in start..<end {
          let at = (entry - start) * 3
          try body(entry, numbers[at], numbers[at + 1], numbers[at + 2])
        }
      }
    }
    let (nSequences, contextLength) = (nSequences, contextLength)
    try pass { entry, sequence, position, latent in
      func invalid(_ expected: String, _ found: Int) -> InputError {
        .invalid(source: "\(path) locations row \(entry + 1)", expected: expected, found: "\(found)")
      }
      guard (0..<nSequences).contains(sequence) else { throw invalid("a sequence below \(nSequences)", sequence) }
      guard (0..<contextLength).contains(position) else { throw invalid("a position below \(contextLength)", position) }
      guard latent >= 0, latent < named?.count ?? Self.limit else {
        throw invalid("a latent of the file's \(named?.count ?? Self.limit)", latent)
      }
      if latent >= counts.count { counts += repeatElement(0, count: latent + 1 - counts.count) }
      counts[latent] += 1
    }
    var starts = [0]
    for count in counts { starts.append(starts[starts.count - 1] + count) }
    var next = starts
    var (sequences, positions) = ([Int32](repeating: 0, count: count), [Int32](repeating: 0, count: count))
    var values = [Float](repeating: 0, count: count)
    let all = try activations.floats()
    try pass { entry, sequence, position, latent in
      guard all[entry].isFinite else {
        throw InputError.invalid(
          source: "\(path) activations row \(entry + 1)", expected: "a finite value", found: "\(all[entry])")
      }
      let at = next[latent]
      (sequences[at], positions[at], values[at]) = (Int32(sequence), Int32(position), all[entry])
      next[latent] += 1
    }
    latents = counts.indices.map { first + $0 }
    (self.starts, self.sequences, self.positions, self.values) = (starts, sequences, positions, values)
  }

  func check() throws { try file.check() }

  /// A latent's figures and its strongest contexts of each band.
  func records(_ number: Int) throws -> [DashboardRecord] {
    let range = starts[number]..<starts[number + 1]
    var latent = DashboardLatent(index: latents[number])
    let active = range.filter { values[$0] > 0 }
    if hasTokens, nSequences * contextLength > 0 {
      latent.frequency = Double(active.count) / Double(nSequences * contextLength)
    }
    latent.maxActivation = active.map { Double(values[$0]) }.max() ?? (hasTokens ? 0 : nil)
    guard hasTokens else { return [.latent(latent)] }
    let contexts = Dictionary(grouping: range, by: { sequences[$0] }).map { (sequence: $0.key, entries: $0.value) }
    let peaks = contexts.map { $0.entries.lazy.map { values[$0] }.max() ?? 0 }
    var taken = [Int](repeating: 0, count: 6)
    var records: [DashboardRecord] = [.latent(latent)]
    let order = contexts.indices.sorted {
      (peaks[$1], contexts[$0].sequence) < (peaks[$0], contexts[$1].sequence)
    }
    for index in order where peaks[index] > 0 {
      let band = DashboardWriter.band(Double(peaks[index]), of: latent.maxActivation)
      guard taken[band] < (band >= 4 ? DelphiCache.mostOnTop : DelphiCache.mostInBand) else { continue }
      taken[band] += 1
      records.append(.context(try context(latent.index, Int(contexts[index].sequence), contexts[index].entries)))
    }
    return records
  }

  private func context(_ latent: Int, _ sequence: Int, _ entries: [Int]) throws -> DashboardContext {
    let ids = try file.tensor(named: "tokens").ints(sequence * contextLength..<(sequence + 1) * contextLength)
    let tokens = try ids.map { id in
      guard let number = Int32(exactly: id), number >= 0 else {
        throw InputError.invalid(
          source: "\(file.path) tokens row \(sequence + 1)", expected: "a token's number", found: "\(id)")
      }
      return DashboardToken.number(number)
    }
    var activations = [Float](repeating: 0, count: contextLength)
    for entry in entries {
      let position = Int(positions[entry])
      guard activations[position] == 0 else {
        throw InputError.invalid(
          source: "\(file.path) latent \(latent)", expected: "one activation a position",
          found: "two at position \(position) of sequence \(sequence)")
      }
      activations[position] = values[entry]
    }
    return DashboardContext(index: latent, tokens: tokens, values: activations, corpus: nil)
  }
}
