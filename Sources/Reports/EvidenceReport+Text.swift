// The tables of a run over a plan of evidence, for the terminal and as Markdown for a README.

import Diffing
import Experiments

extension EvidenceReport {
  /// One table: a title, heads of columns and rows.
  package struct Table {
    package let title: String
    package let heads: [String]
    package var rows: [[String]]
    /// What the figures are.
    package let note: String
  }

  /// All tables that have rows.
  package var tables: [Table] {
    [shownTable, addedTable, removedTable, triggerTable, causalTable].compactMap { $0 }.filter { !$0.rows.isEmpty }
  }

  /// The tables for a terminal, each under its title.
  package var text: String {
    tables.map { table in
      var lines = TextTable(table.heads.map { TextTable.Column(title: $0) })
      for row in table.rows { lines.add(row) }
      return "\(table.title)\n\n\(lines.text)\(table.note)\n"
    }.joined(separator: "\n")
  }

  /// The tables in Markdown.
  package var markdown: String {
    tables.map { table in
      "**\(table.title)**\n\n" + markdownTable(table.heads, table.rows) + "\n\(table.note)\n"
    }.joined(separator: "\n")
  }

  private func percent(_ interval: Interval) -> String { interval.text(0, times: 100, unit: " %") }

  private var shownTable: Table {
    Table(
      title: "What both models do, unsteered", heads: ["prompts", "n", "behaviour", "base", "chat"],
      rows: shown.map { [$0.name, "\($0.prompts)", $0.behaviour, percent($0.base), percent($0.chat)] },
      note: "Rates of greedy answers, 95 % Wilson intervals; base is chat with base's residual stream swapped in.")
  }

  private var addedTable: Table {
    Table(
      title: "One latent added",
      heads: [
        "behaviour", "latent", "strength", "at", "n", "unsteered", "steered", "perplexity", "random latents",
        "perplexity",
      ],
      rows: added.map { row in
        [
          row.behaviour, "\(row.latent)", shortNumber(row.strength), row.positions.rawValue, "\(row.prompts)",
          percent(row.unsteered.rate),
          percent(row.steered.rate), row.steered.perplexity?.text(1) ?? "-", percent(row.random.rate),
          row.random.perplexity?.text(1) ?? "-",
        ]
      }
        + (incoherent ?? []).map { row in
          [row.behaviour, "none of \(row.latents)", "-", "-", "-", "-", "-", "-", "-", "-"]
        },
      note:
        "Latent, strength and positions were chosen on other prompts, where perplexity under the unsteered model is at "
        + "most \(shortNumber(perplexity)) (none: no latent has such a strength); random latents change the residual stream by the same norm. The column at says "
        + "where the latent is added: prompt is all tokens of the prompt, last its last one, template those of the chat "
        + "template in it.")
  }

  private var removedTable: Table {
    Table(
      title: "Latents taken away (mode difference, −1)",
      heads: [
        "prompts", "n", "behaviour", "arm", "shown", "of what base takes away", "most shown instead", "KL to base",
        "closed",
      ],
      rows: removed.flatMap { section in
        section.arms.map { arm in
          [
            section.name, "\(section.prompts)", section.behaviour,
            arm.latents > 0 ? "\(arm.latents) \(arm.kind)" : arm.kind, percent(arm.rate),
            arm.ofCeiling.map { fixed($0 * 100, 0) + " %" } ?? "", Self.instead(section.behaviour, arm),
            arm.klToBase?.text(2) ?? "-",
            arm.closed.map { fixed($0 * 100, 0) + " %" } ?? "",
          ]
        }
      },
      note: "KL(base ‖ arm) in nats a token along base's own answers, and the share of the unsteered chat model's that "
        + "is closed.")
  }

  /// The other behaviour that most answers of an arm show.
  private static func instead(_ behaviour: String, _ arm: Arm) -> String {
    let others = arm.behaviours.filter { !$0.key.hasPrefix(behaviour) && $0.value > 0 }
    guard let most = others.max(by: { ($0.value, $1.key) < ($1.value, $0.key) }) else { return "none" }
    return "\(most.key) \(fixed(most.value * 100, 0)) %"
  }

  private var triggerTable: Table? {
    triggers.map { triggers in
      Table(
        title: "Which latent fires before the answer to which kind of prompt",
        heads: ["latent of"] + triggers.kinds.map { "\($0) (\(triggers.prompts[$0] ?? 0))" },
        rows: triggers.rows.map { row in ["\(row.kind): \(row.latent)"] + row.auc.map { fixed($0, 2) } },
        note: "Area under the curve for each kind against all other prompts; each latent was chosen on other prompts. "
          + "\(triggers.prompts["others"] ?? 0) prompts are of no kind.")
    }
  }

  private var causalTable: Table? {
    causal.map { causal in
      func share(_ ratio: ClusteredRatio?) -> String {
        ratio.map { ratio in
          fixed(ratio.value * 100, 1) + " %" + (ratio.halfWidth.map { " ± " + fixed($0 * 100, 1) } ?? "")
        } ?? "-"
      }
      let none = causal.klOfNone.map { fixed($0.value, 3) } ?? "-"
      return Table(
        title: "Causal divergence closed by latents, added to base's residual stream",
        heads: ["latents", "closed"],
        rows: [
          ["the \(causal.latents) most chat-specific", share(causal.top)],
          ["\(causal.latents) random", share(causal.random)],
          ["the more chat-specific half", share(causal.topHalf)], ["the other half", share(causal.bottomHalf)],
        ],
        note: "Share of KL(chat ‖ base), \(none) nats a prediction over the answers of \(causal.chats) chats; 95 % "
          + "intervals clustered by chat.")
    }
  }
}
