// The result of `crosscope evidence`, as data/evidence.json has it: each figure with its 95 % interval and its control.

import Diffing
import Inference

/// Everything that was measured for a plan.
package struct EvidenceReport: Codable, Sendable, Equatable {
  /// A rate on some prompts, with what the answers' text is worth under the unsteered chat model.
  package struct Figure: Codable, Sendable, Equatable {
    package var rate: Interval
    /// The geometric mean over prompts.
    package var perplexity: Interval?
  }

  package struct Shown: Codable, Sendable, Equatable {
    package var name, behaviour: String
    package var prompts: Int
    /// Base is chat with base's residual stream in the place of its own.
    package var base, chat: Interval
  }

  /// A section of one latent added for which no tried latent has a strength whose answers are coherent.
  package struct Incoherent: Codable, Sendable, Equatable {
    package var name, behaviour: String
    /// The number of latents that were tried.
    package var latents: Int
  }

  package struct Added: Codable, Sendable, Equatable {
    package var name, behaviour: String
    package var prompts: Int
    package var latent: Int
    package var strength: Double
    package var positions: TokenPositions
    package var unsteered, steered: Figure
    /// As many random latents as `draws`, with the same ‖Δh‖; each prompt's mean counts once.
    package var random: Figure
    package var draws: Int
    /// How the latent was chosen: the best candidates on the prompts of the choice.
    package var chosenAmong: [Candidate]
    package var choicePrompts: Int
    /// The steered answers to the first prompts.
    package var examples: [Example]

    private enum CodingKeys: String, CodingKey {
      case name, behaviour, prompts, latent, strength, positions, unsteered, steered, random, draws, examples
      case chosenAmong = "chosen_among"
      case choicePrompts = "choice_prompts"
    }
  }

  package struct Candidate: Codable, Sendable, Equatable {
    package var latent: Int
    package var strength: Double
    package var positions: TokenPositions
    package var rate: Double
    package var perplexity: Double
  }

  package struct Example: Codable, Sendable, Equatable {
    package var prompt, answer: String
  }

  package struct Removed: Codable, Sendable, Equatable {
    package var name, behaviour: String
    package var prompts: Int
    package var arms: [Arm]
    /// The answers to the first prompts with the most latents taken away.
    package var examples: [Example]
  }

  package struct Arm: Codable, Sendable, Equatable {
    /// `unsteered`, `base` (base's residual stream swapped in, the ceiling), `latents` or `random`.
    package var kind: String
    package var latents: Int
    package var rate: Interval
    /// The rates of all behaviours, which say what comes instead.
    package var behaviours: [String: Double]
    /// The share of what the ceiling takes away that is taken away; nil for the ceiling itself.
    package var ofCeiling: Double?
    /// KL(base ‖ arm) in nats a token along base's answer, and the share of the unsteered one that is closed.
    package var klToBase: Interval?
    package var closed: Double?

    private enum CodingKeys: String, CodingKey {
      case kind, latents, rate, behaviours, closed
      case ofCeiling = "of_ceiling"
      case klToBase = "kl_to_base"
    }
  }

  package struct Triggers: Codable, Sendable, Equatable {
    package var kinds: [String]
    /// The number of prompts by kind; what is of none of the kinds is `others`.
    package var prompts: [String: Int]
    package var rows: [Trigger]
  }

  /// The latent that tells one kind of prompts best on the prompts of the choice.
  package struct Trigger: Codable, Sendable, Equatable {
    package var kind: String
    package var latent: Int
    /// The area under the curve on the prompts of the choice.
    package var chosenAUC: Double
    /// For each kind in the order of the table, how well this latent tells it from all other prompts.
    package var auc: [Double]

    private enum CodingKeys: String, CodingKey {
      case kind, latent, auc
      case chosenAUC = "chosen_auc"
    }
  }

  package struct Causal: Codable, Sendable, Equatable {
    package var chats: Int
    package var latents: Int
    /// KL(chat ‖ base) in nats a prediction of the assistant's text.
    package var klOfNone: ClusteredRatio?
    /// The share of it that the sets close.
    package var top, random, topHalf, bottomHalf: ClusteredRatio?

    private enum CodingKeys: String, CodingKey {
      case chats, latents, top, random
      case klOfNone = "kl_of_none"
      case topHalf = "top_half"
      case bottomHalf = "bottom_half"
    }
  }

  package var store: String
  package var versions: [String: String]
  package var maxTokens: Int
  package var perplexity: Double
  package var shown: [Shown] = []
  package var added: [Added] = []
  /// The sections of added latents without a coherent strength; nil if there are none.
  package var incoherent: [Incoherent]?
  package var removed: [Removed] = []
  package var triggers: Triggers?
  package var causal: Causal?

  private enum CodingKeys: String, CodingKey {
    case store, versions, perplexity, shown, added, incoherent, removed, triggers, causal
    case maxTokens = "max_tokens"
  }
}
