// Translates the columns of a published table into those of a store: names, and the sign of dec_norm_diff (0 = chat only
// there): delta_norm = 1 − dec_norm_diff. A column whose name says on which texts it was measured is also kept under its own
// name, and so is every unknown one. A value that the store's column cannot hold is an error; a renamed column keeps it.

import Diffing
import Experiments
import Inference
import Reports
import Storage

extension LatentTable {
  /// The place of a published column in the store.
  private struct Place {
    let published: String
    /// What it means in a store.
    let note: String
    let set: (inout LatentRecord, Double) -> Void
    /// The published value of a record; nil if it is missing.
    let get: (LatentRecord) -> Double?
    var range: ClosedRange<Double> = -.greatestFiniteMagnitude ... .greatestFiniteMagnitude
    /// Whether the published name says more than the store's, so that the column is kept under it too.
    var isKept = false
  }

  private static let share = 0.0...1.0
  private static let positive = 0.0...Double.greatestFiniteMagnitude

  /// If several columns have the same place, the last one that has a value counts.
  private static var places: [Place] {
    [
      Place(
        published: "dec_norm_diff", note: "delta_norm = 1 − the value (0 means chat only there)",
        set: { $0.deltaNorm = 1 - $1 }, get: { $0.deltaNorm.map { 1 - $0 } }, range: share),
      Place(
        published: "dec_base_norm", note: "dec_norm_base", set: { $0.decNormBase = $1 }, get: { $0.decNormBase },
        range: positive),
      Place(
        published: "dec_instruct_norm", note: "dec_norm_chat", set: { $0.decNormChat = $1 }, get: { $0.decNormChat },
        range: positive),
      Place(
        published: "dec_chat_norm", note: "dec_norm_chat", set: { $0.decNormChat = $1 }, get: { $0.decNormChat },
        range: positive),
      Place(
        published: "dec_ft_norm", note: "dec_norm_chat", set: { $0.decNormChat = $1 }, get: { $0.decNormChat },
        range: positive),
      Place(
        published: "dec_norm", note: "dec_norm_chat, in tables of a dictionary of chat − base",
        set: { $0.decNormChat = $1 }, get: { $0.decNormChat }, range: positive, isKept: true),
      Place(
        published: "dec_cos_sim", note: "cos_base_chat", set: { $0.cosBaseChat = min(1, max(-1, $1)) },
        get: { $0.cosBaseChat },
        range: -1.001...1.001),
      Place(
        published: "beta_error_base", note: "beta_error_base", set: { $0.betaErrorBase = $1 }, get: { $0.betaErrorBase }
      ),
      Place(
        published: "beta_error_chat", note: "beta_error_chat", set: { $0.betaErrorChat = $1 }, get: { $0.betaErrorChat }
      ),
      Place(
        published: "beta_reconstruction_base", note: "beta_reconstruction_base",
        set: { $0.betaReconstructionBase = $1 }, get: { $0.betaReconstructionBase }
      ),
      Place(
        published: "beta_reconstruction_chat", note: "beta_reconstruction_chat",
        set: { $0.betaReconstructionChat = $1 }, get: { $0.betaReconstructionChat }
      ),
      Place(
        published: "beta_activation_base", note: "beta_activation_base", set: { $0.betaActivationBase = $1 },
        get: { $0.betaActivationBase }),
      Place(
        published: "beta_activation_chat", note: "beta_activation_chat", set: { $0.betaActivationChat = $1 },
        get: { $0.betaActivationChat }),
      Place(
        published: "beta_error_ft", note: "beta_error_chat", set: { $0.betaErrorChat = $1 }, get: { $0.betaErrorChat }),
      Place(
        published: "beta_reconstruction_ft", note: "beta_reconstruction_chat", set: { $0.betaReconstructionChat = $1 },
        get: { $0.betaReconstructionChat }),
      Place(
        published: "beta_activation_ft", note: "beta_activation_chat", set: { $0.betaActivationChat = $1 },
        get: { $0.betaActivationChat }),
      Place(published: "beta_ratio_error", note: "nu_error", set: { $0.nuError = $1 }, get: { $0.nuError }),
      Place(
        published: "beta_ratio_reconstruction", note: "nu_reconstruction", set: { $0.nuReconstruction = $1 },
        get: { $0.nuReconstruction }),
      Place(
        published: "max_act_val", note: "max_activation", set: { $0.maxActivation = $1 }, get: { $0.maxActivation },
        range: positive, isKept: true),
      Place(
        published: "max_act_train", note: "max_activation", set: { $0.maxActivation = $1 }, get: { $0.maxActivation },
        range: positive,
        isKept: true),
      Place(
        published: "max_act_validation", note: "max_activation", set: { $0.maxActivation = $1 },
        get: { $0.maxActivation },
        range: positive, isKept: true),
      Place(
        published: "max_act", note: "max_activation", set: { $0.maxActivation = $1 }, get: { $0.maxActivation },
        range: positive),
      Place(
        published: "freq_val", note: "frequency", set: { $0.frequency = $1 }, get: { $0.frequency }, range: share,
        isKept: true),
      Place(
        published: "freq_train", note: "frequency", set: { $0.frequency = $1 }, get: { $0.frequency }, range: share,
        isKept: true),
      Place(
        published: "freq_validation", note: "frequency", set: { $0.frequency = $1 }, get: { $0.frequency },
        range: share,
        isKept: true),
      Place(published: "freq", note: "frequency", set: { $0.frequency = $1 }, get: { $0.frequency }, range: share),
      Place(
        published: "fw_freq", note: "frequency on plain text", set: { $0.frequencyPlain = $1 },
        get: { $0.frequencyPlain }, range: share,
        isKept: true),
      Place(
        published: "fineweb_freq", note: "frequency on plain text", set: { $0.frequencyPlain = $1 },
        get: { $0.frequencyPlain }, range: share,
        isKept: true),
      Place(
        published: "lmsys_freq", note: "frequency on chats", set: { $0.frequencyChat = $1 }, get: { $0.frequencyChat },
        range: share, isKept: true),
      Place(
        published: "lmsys_ctrl_%", note: "share on the template", set: { $0.templateShare = $1 },
        get: { $0.templateShare }, range: share,
        isKept: true),
      Place(published: "dead", note: "dead", set: { $0.dead = $1 == 1 }, get: { $0.dead ? 1 : 0 }, range: share),
    ]
  }

  /// The treatment of each column.
  package static let format = FormatTable(
    "Tables of latents (feature_df.csv, latent_df.csv)", reference: "diffing-toolkit e0b84a5", unknown: .ignored,
    [
      .honoured(
        "the first column",
        "The latent's number; it is called " + indexNames.sorted().dropFirst().joined(separator: ", ")
          + ", or nothing."),
      .honoured("tag", "The class: Chat only (ft_only, IT only), Base only, Shared or Other."),
      .honoured(
        "missing cells", missing.sorted().dropFirst().map { "`\($0)`" }.joined(separator: ", ") + ", and empty ones."),
      .honoured("true and false", "In any of pandas' spellings, as 1 and 0."),
      .withoutEffect("columns of words", "They are left out, and named when the table is read."),
      .honoured("any other column of numbers", "Kept as a metric of its own name."),
    ]
      + places.map { place -> FormatTable.Field in
        .honoured(
          place.published,
          place.isKept ? "Its place is \(place.note); also kept under its own name." : "Its place is \(place.note).")
      })

  /// Whether the table has each latent's largest activation.
  package var hasMaxima: Bool { columns.contains { $0.name.hasPrefix("max_act") && Self.isPlaced($0.name) } }

  private static func isPlaced(_ name: String) -> Bool { places.contains { $0.published == name } }

  /// Sets the columns of records `[F]`, which are ordered by id. A missing cell changes nothing.
  /// - Throws: `InputError.invalid` naming latent and column if a value is out of range.
  package func fill(_ records: inout [LatentRecord]) throws(InputError) {
    precondition(records.count == nLatents, "\(records.count) records for \(nLatents) latents")
    for place in Self.places {
      guard let values = values(place.published) else { continue }
      for (latent, value) in values.enumerated() where !value.isNaN {
        guard place.range.contains(value) else {
          throw .invalid(
            source: "\(path), latent \(latent)",
            expected: "\(place.published) within \(place.range.lowerBound)...\(place.range.upperBound) "
              + "(rename the column to keep its values as they are)", found: "\(value)")
        }
        place.set(&records[latent], value)
      }
    }
    for (latent, tag) in tags.enumerated() {
      guard let tag else { continue }
      records[latent].latentClass = Storage.LatentClass(rawValue: tag.rawValue) ?? .other
    }
    for latent in records.indices {
      if records[latent].nuError == nil {
        records[latent].nuError = Self.ratio(records[latent].betaErrorBase, records[latent].betaErrorChat)
      }
      if records[latent].nuReconstruction == nil {
        records[latent].nuReconstruction = Self.ratio(
          records[latent].betaReconstructionBase, records[latent].betaReconstructionChat)
      }
    }
  }

  private static func ratio(_ base: Double?, _ chat: Double?) -> Double? {
    guard let base, let chat, chat != 0 else { return nil }
    return base / chat
  }

  /// The columns that keep their own names: those without a place, those whose name says more, and those of which the records,
  /// filled by this table, do not give every value back.
  package func metrics(besides records: [LatentRecord]) -> [(name: String, values: [Double])] {
    columns.filter { column in
      guard let place = Self.places.first(where: { $0.published == column.name }) else { return true }
      return place.isKept
        || zip(records, column.values).contains { record, value in
          place.get(record) != (value.isNaN ? nil : value)
        }
    }
  }

  /// The value of a published column in a record; nil if there is no such column or no value.
  package static func value(_ published: String, of record: LatentRecord) -> Double? {
    record.metrics[published] ?? places.first { $0.published == published }?.get(record)
  }

  /// The median relative difference of the table's decoder norms from the crosscoder's, as they are and with base and
  /// chat exchanged; nil if the table has no such columns.
  package func normDifferences(_ geometry: DecoderGeometry) -> (straight: Double, exchanged: Double)? {
    guard let base = values("dec_base_norm"),
      let chat = values("dec_instruct_norm") ?? values("dec_chat_norm") ?? values("dec_ft_norm"),
      let ownBase = geometry.baseNorms, let ownChat = geometry.chatNorms
    else { return nil }
    func median(_ a: [Double], _ b: [Double]) -> Double {
      let differences = (0..<nLatents).filter { !base[$0].isNaN && !chat[$0].isNaN }
        .map { max(abs(base[$0] - a[$0]), abs(chat[$0] - b[$0])) / max(a[$0], b[$0], 1e-12) }.sorted()
      return differences.isEmpty ? 0 : differences[differences.count / 2]
    }
    return (median(ownBase, ownChat), median(ownChat, ownBase))
  }
}
