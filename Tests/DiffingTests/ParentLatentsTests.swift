// Parents of latents: a planted family is found, and neither a like direction that fires elsewhere nor a latent that
// fires everywhere makes a parent.

import Inference
import Kernels
import Testing

@testable import Diffing

@Suite struct ParentLatentsTests {
  /// Directions `[F, d]`, the same in both models.
  private func crosscoder(_ rows: [[Float]]) -> Crosscoder {
    let values = rows.flatMap { $0 + $0 }
    let matrix = Matrix(rows: rows.count, columns: 2 * rows[0].count, values: values)
    return Crosscoder(
      encoder: matrix, encoderBias: [Float](repeating: 0, count: rows.count), decoder: matrix,
      decoderBias: [Float](repeating: 0, count: 2 * rows[0].count))
  }

  private func codes(_ active: [[Int32]], F: Int) -> SparseCodes {
    var offsets = [0]
    for latents in active { offsets.append(offsets.last.map { $0 + latents.count } ?? 0) }
    return SparseCodes(
      nLatents: F, offsets: offsets, latents: active.flatMap { $0 },
      values: active.flatMap { $0.map { _ in Float(1) } })
  }

  @Test func theParentPointsTheSameWayAndFiresWithIt() {
    // Level 1: 0 and 1; level 2: 2 to 4.
    let rows: [[Float]] = [[1, 0, 0], [0, 1, 0], [0.9, 0.1, 0], [0.1, 0.9, 0], [0, 0, 1]]
    var search = ParentSearch(crosscoder: crosscoder(rows), levels: LatentLevels(sizes: [2, 5]))
    // 2 fires with 0; 3 resembles 1 but fires without it; 4 fires with both and resembles neither.
    search.add(codes: codes([[0, 2], [0, 2], [2], [0, 1, 4]], F: 5))
    search.add(codes: codes([[3], [3], [1], [0, 1, 4]], F: 5))
    let parents = search.parents
    #expect(parents.map { $0?.parent } == [nil, nil, 0, nil, nil])
    #expect(abs((parents[2]?.coFiring ?? 0) - 2.0 / 3) < 1e-12)
    #expect(abs((parents[2]?.cosine ?? 0) - 0.9 / (0.82 as Double).squareRoot()) < 1e-6)
  }

  @Test func aParentMayBeOfAnyLowerLevel() {
    let rows: [[Float]] = [[1, 0.2, 0], [0.2, 1, 0], [0.3, 1, 0]]
    var search = ParentSearch(crosscoder: crosscoder(rows), levels: LatentLevels(sizes: [1, 2, 3]))
    search.add(codes: codes([[0, 1, 2], [0, 1, 2], [0]], F: 3))
    #expect(search.parents.map { $0?.parent } == [nil, 0, 1])
  }

  @Test func levelsCountFromTheFirstLatents() {
    let levels = LatentLevels(sizes: [2, 5, 9])
    #expect((0..<9).map { levels.level(of: $0) } == [0, 0, 1, 1, 1, 2, 2, 2, 2])
    #expect((0..<3).map { levels.latents(of: $0) } == [0..<2, 2..<5, 5..<9])
  }
}
