// The activations of a text as two tables: its tokens with their latents, and the latents of the whole text.

import Experiments
import Storage
import TUI

extension ActivationsDocument {
  /// Both tables as text.
  /// - Parameter names: every token of the text, whose bytes may be a part of a character.
  package func text(names: [Int32: TokenRecord]) -> String {
    let texts = tokenTexts(tokens.map(\.id), names)
    func percentage(_ share: Double?) -> String? { share.map { fixed($0 * 100, 0) + "%" } }
    var table = TextTable([
      .init(title: "#", isNumber: true), .init(title: "token"), .init(title: "KL", isNumber: true),
      .init(title: "latents: activation, share of the latent's largest"),
    ])
    for (position, token) in tokens.enumerated() {
      let list = token.activations.map { activation in
        "\(activation.latent): \(fixed(Double(activation.activation), 1))"
          + (percentage(activation.share).map { " " + $0 } ?? "")
      }
      table.add([
        "\(position)", "\"\(texts[position])\"", token.kl_chat_base.map { fixed($0, 3) } ?? "-",
        token.left_out ? "left out" : list.joined(separator: "  "),
      ])
    }
    guard !latents.isEmpty else { return table.text + "\nno latent passes the filters\n" }
    var second = TextTable([
      .init(title: "latent", isNumber: true), .init(title: "max", isNumber: true),
      .init(title: "share", isNumber: true), .init(title: "at"), .init(title: "mean", isNumber: true),
      .init(title: "tokens", isNumber: true), .init(title: "freq", isNumber: true), .init(title: "class"),
      .init(title: "tags, tokens"),
    ])
    for latent in latents {
      let record = latent.latent.latent
      let about = latent.latent.tags + [latent.latent.summary].compactMap { $0 }
      second.add([
        "\(record.id)", fixed(Double(latent.max), 1), percentage(latent.share) ?? "-",
        "\(latent.peak) \"\(texts[latent.peak])\"", fixed(latent.mean, 2), "\(latent.tokens)",
        percent(record.frequency), record.latentClass.rawValue, truncated(about.joined(separator: ", "), to: 60),
      ])
    }
    return table.text + "\n" + second.text
  }
}
