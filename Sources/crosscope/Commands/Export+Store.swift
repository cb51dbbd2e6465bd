// The forms of `crosscope export` that write what a store holds: Neuronpedia's export, the table of latents, the page of some.

import ArgumentParser
import Diffing
import Experiments
import Foundation
import Inference
import Pipeline
import Reports
import Storage
import TUI

extension Export {
  func writeStore(_ store: Store) throws {
    switch form {
    case .neuronpediaExport:
      guard !output.force else {
        throw ValidationError("--force: a folder is not replaced; remove \(out), or give another name")
      }
      // Kept lines have their directions; others come from the crosscoder if the store names one, else from the store.
      let needsNone = try store.keepsPublishedLines() || store.modelPair().crosscoder == nil
      let stored = try needsNone ? nil : StoreCrosscoder(store)
      let folder = try NeuronpediaWriter(store: store, folder: out) { latent in
        if let crosscoder = stored?.crosscoder, latent < crosscoder.nLatents {
          return Array(crosscoder.decoderDirection(latent, .chat))
        }
        return try? store.storedDirection(named: DirectionRecord.name(ofLatent: latent))?.vector
      }.write()
      return writeError("\(termSafe(folder)) is written")
    case .latentTable: try LatentTableWriter.write(store, to: out, replacing: output.force)
    case .html: try output.write(LatentsPage(store: store, latents: latents?.values ?? []).html(), to: out)
    case .controlVector, .safetensors, .neuronpedia, .crosscoder, .saelens, .dictionaryLearning: return
    }
    writeError("\(termSafe(out)) is written")
  }
}

/// The option's value `ID,ID,…`.
struct LatentNumbers: ExpressibleByArgument, Equatable {
  let values: [Int]

  init?(argument: String) {
    let parts = argument.split(separator: ",", omittingEmptySubsequences: false).map { Int($0) }
    let values = parts.compactMap(\.self)
    guard values.count == parts.count, values.allSatisfy({ $0 >= 0 }), Set(values).count == values.count else {
      return nil
    }
    self.values = values
  }
}
