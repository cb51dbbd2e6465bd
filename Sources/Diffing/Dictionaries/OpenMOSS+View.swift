// What of a dictionary of OpenMOSS is browsed and steered with: an SAE or a transcoder, the crosscoder of a pair of which the
// user has said which head is base's, or the directions of one block of several. Its directions are read without the encoder.

import Inference
import Kernels

/// What of the dictionary is browsed, and how it becomes a crosscoder.
struct OpenMOSSView: Sendable {
  var target = TrainingTarget.chat
  var card = CrosscoderCard()
  var fault: DiffingError?
  /// The directions alone, in the crosscoder's units.
  let rows: @Sendable () throws(DiffingError) -> DecoderRows
  let make: @Sendable (HeadedDictionary) throws(DiffingError) -> Crosscoder
}

extension DictionaryForm {
  /// The directions of one head, divided by the scale of what it writes.
  private static func rows(
    of head: Int, _ folder: DictionaryFolder, _ settings: OpenMOSSSettings
  ) throws(DiffingError) -> DecoderRows {
    let (d, F) = (settings.d, settings.F)
    let shape = settings.isCrosscoder ? [settings.heads.count, F, d] : [F, d]
    let s = try openMOSSScale(of: settings.output ?? settings.heads[head], folder, settings)
    let values = try folder.reader.rearranged("W_D", shape) { values in
      values[head * F * d..<(head + 1) * F * d].map { Float(Double($0) / s) }
    }
    return DecoderRows(values: values, nLatents: F, dModel: d, layout: .sole(.chat, offset: 0, step: d))
  }

  /// The directions of a pair, as the file has them: base's, then chat's.
  private static func rows(
    ofPair folder: DictionaryFolder, _ settings: OpenMOSSSettings, base: Int
  ) throws(DiffingError) -> DecoderRows {
    let (d, F) = (settings.d, settings.F)
    guard base == 1 else {
      return try folder.reader.decoderRows("W_D", [2, F, d], F: F, d: d, .modelFirst)
    }
    let values = try folder.reader.rearranged("W_D", [2, F, d]) { Array($0[(F * d)...]) + Array($0[..<(F * d)]) }
    return DecoderRows(values: values, nLatents: F, dModel: d, layout: .modelFirst)
  }

  /// s of a place: √d/(average norm) if norms are dataset-wise, else 1.
  static func openMOSSScale(
    of hook: String, _ folder: DictionaryFolder, _ settings: OpenMOSSSettings
  ) throws(DiffingError) -> Double {
    guard settings.norm == "dataset-wise" else { return 1 }
    let average = try folder.reader.floats(OpenMOSSSettings.average(hook), [])[0]
    let scale = Float(Double(settings.d).squareRoot() / Double(average))
    guard average > 0, scale.isFinite, scale > 0 else {
      throw .configurationInvalid(
        path: folder.path, key: OpenMOSSSettings.average(hook), expected: "positive", found: "\(average)")
    }
    return Double(scale)
  }

  static func openMOSSView(
    _ folder: DictionaryFolder, _ fields: FieldReader, _ settings: OpenMOSSSettings
  ) throws(DiffingError) -> OpenMOSSView {
    let heads = settings.heads
    guard heads.count > 1 else {
      let place = PlacedDictionary(heads[0], output: settings.output, path: fields.path)
      var view = OpenMOSSView(
        rows: { () throws(DiffingError) in try rows(of: 0, folder, settings) },
        make: { (dictionary) throws(DiffingError) in try sole(dictionary, folder, settings, place) })
      (view.card, view.fault) = (place.card, place.fault)
      return view
    }
    let places = heads.map { name in
      // A head of a pair has the model's name before the place.
      let start = name.range(of: "blocks.")?.lowerBound ?? name.range(of: "model.layers.")?.lowerBound
      return PlacedDictionary(start.map { String(name[$0...]) } ?? name, path: fields.path)
    }
    if let fault = places.lazy.compactMap(\.fault).first {
      var view = OpenMOSSView(
        rows: { () throws(DiffingError) in try rows(of: 0, folder, settings) },
        make: { (dictionary) in dictionary.directions(of: 0, card: CrosscoderCard()) })
      view.fault = fault
      return view
    }
    let list = zip(heads.indices, heads).prefix(40).map { "\($0) \($1.prefix(80))" }.joined(separator: ", ")
    if heads.count == 2, places[0].layer == places[1].layer {
      var base: Int?
      if let chosen = folder.choice.baseHead {
        base = heads.firstIndex { $0 == chosen } ?? Int(chosen).flatMap { heads.indices.contains($0) ? $0 : nil }
        guard base != nil else {
          throw .settingInvalid(name: "--base-head", expected: "one of the heads \(list)", found: chosen)
        }
      }
      let card = places[0].card
      let first = base ?? 0
      var view = OpenMOSSView(
        rows: { () throws(DiffingError) in try rows(ofPair: folder, settings, base: first) },
        make: { (dictionary) in dictionary.pair(base: first, card: card) })
      (view.target, view.card) = (.pair, card)
      if base == nil {
        view.fault = .notSaid(
          path: fields.path, what: "which head is base's: \(list)", remedy: "give --base-head with the name or number")
      }
      return view
    }
    let chosen = folder.choice.layer.flatMap { layer in places.firstIndex { $0.layer == layer } }
    let card = places[chosen ?? 0].card
    let head = chosen ?? 0
    var view = OpenMOSSView(
      rows: { () throws(DiffingError) in try rows(of: head, folder, settings) },
      make: { (dictionary) in dictionary.directions(of: head, card: card) })
    view.card = chosen == nil ? CrosscoderCard() : card
    if chosen == nil {
      view.fault = .notSaid(
        path: fields.path, what: "which of its places is browsed: \(list)",
        remedy: "give --layer, the block of one of them")
    }
    return view
  }

  /// An SAE or a transcoder, with the scale of its inputs folded in.
  private static func sole(
    _ dictionary: HeadedDictionary, _ folder: DictionaryFolder, _ settings: OpenMOSSSettings, _ place: PlacedDictionary
  ) throws(DiffingError) -> Crosscoder {
    if dictionary.ranksBatch { return dictionary.directions(of: 0, card: place.card) }
    let norms = dictionary.norms[0]
    var weights = SoleWeights(
      d: settings.d, F: settings.F, encoder: dictionary.encoder.values, bias: dictionary.bias,
      decoder: dictionary.decoder.values, decoderBias: dictionary.decoderBias)
    switch dictionary.selection {
    case .positive, .largestOfBatch: break
    case .thresholds(let bounds):
      weights.thresholds = settings.comparesScaled ? HeadedDictionary.bounds(bounds, on: norms) : bounds
    case .largest(let k): weights.selection = .largest(k, scaled: settings.comparesScaled)
    }
    (weights.tokenStep, weights.readsElsewhere) = (dictionary.tokenStep, place.readsElsewhere)
    if let input = dictionary.normaliser?.scales[0] {
      var output = Double(input)
      if let hook = settings.output { output = try openMOSSScale(of: hook, folder, settings) }
      weights.scaleInput(by: Double(input), output: output)
    }
    return weights.crosscoder(card: place.card)
  }
}
