// Writes a whole dictionary, of a store or of a folder, in the forms of SAELens, dictionary_learning and the hub.

import Diffing
import Experiments
import Storage

extension Export {
  /// - Throws: `DiffingError` for what a form cannot hold, such as two models.
  func writeDictionary() throws {
    let dictionary: Crosscoder
    var (model, isOfBase) = ("", false)
    if store.hasSuffix(".crosscope") {
      let opened = try Store(path: store, access: .readOnly)
      let stored = try StoreCrosscoder.stored(in: opened)
      dictionary = stored.crosscoder
      model = dictionary.target == .chat ? stored.pair.chat : "\(stored.pair.chat)-\(stored.pair.base)"
    } else {
      let file = try CrosscoderFile(path: store, choice: said.choice())
      try file.requirePlace()
      dictionary = try file.crosscoder()
      (model, isOfBase) = (file.modelName ?? file.card.modelName ?? "", file.target == .base)
    }
    switch form {
    case .saelens: try dictionary.foldingNormaliser().saveSAELens(folder: out, modelName: model)
    case .dictionaryLearning:
      try dictionary.foldingNormaliser().saveDictionaryLearning(folder: out, modelName: model, isOfBase: isOfBase)
    default: try dictionary.save(folder: out)
    }
  }
}
