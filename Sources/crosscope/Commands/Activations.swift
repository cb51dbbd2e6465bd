// `crosscope activations` shows which latents fire on which token of the user's text, and what both models expect next.

import ArgumentParser
import Diffing
import Experiments
import Foundation
import Inference
import Pipeline
import Reports
import Storage
import TUI

struct Activations: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Show which latents fire on which token of a text.",
    discussion: """
      The first table has for each token the strongest latents, in the store's units and as a share of the latent's largest \
      activation, and how far apart the models' next-token distributions are, KL(chat ‖ base) in nats. The second has the \
      latents of the whole text, the largest first. The text's first token and tokens of outlying norm have no latents.
      Latents that are on at more than 1 % of the corpus' tokens are left out (--max-frequency), and tokens of the chat \
      template do not count in the second table (--template).
      """)

  /// How the text is given to the models.
  enum Form: String, EnumerableFlag { case chat, raw }

  @Argument(help: .store, completion: .stores) var store: String
  @Option(
    parsing: .unconditionalSingleValue,
    help:
      "The text; if given several times, the turns of a chat: user, assistant, user, … unless --role says otherwise.")
  var prompt: [String] = []
  @Option(help: "A file with the text, as it is.") var file: String?
  @Flag(help: "Put the text into the chat template, or take it as it is.") var form = Form.chat
  @Option(help: "The role that says each --prompt in turn: user, assistant or system.") var role: [ChatMessage.Role] =
    []
  @Option(help: ArgumentHelp("The most latents to show for a token.", valueName: "k")) var top =
    ActivationsDocument.Options.usualTop
  @Option(help: ArgumentHelp("Show only this latent; may be given several times.", valueName: "id")) var latent: [Int] =
    []
  @Option(help: "The figure that orders the latents of the text.") var aggregate = ActivationAggregate.max
  @Option(help: ArgumentHelp("The most latents to show for the text.", valueName: "n")) var limit =
    ActivationsDocument.Options.usualLimit
  @Flag(help: "Show only chat-specific latents: chat-only by Δ, or ν^ε < 0.2 and ν^r < 0.5.") var chatOnly = false
  @Flag(help: "Count tokens of the chat template too.") var template = false
  @Option(
    help: ArgumentHelp("Leave out latents that are on at a larger share of the corpus; 1 for all.", valueName: "x"))
  var maxFrequency: Double?
  @Option(
    help: ArgumentHelp(
      "Let the chat model answer with at most n tokens, and show their activations too.", valueName: "n"))
  var generate = 0
  @OptionGroup var files: ModelFileOptions
  @OptionGroup var computing: ComputeOptions
  @OptionGroup var engine: EngineOptions
  @Flag(help: "Print one JSON document.") var json = false

  func validate() throws {
    try engine.exclude(files, computing)
    guard prompt.isEmpty != (file == nil) else { throw ValidationError("either --prompt or --file is needed") }
    let turns = max(1, prompt.count)
    guard form == .chat || (turns == 1 && role.isEmpty) else {
      throw ValidationError("--raw takes one text, and no --role")
    }
    guard role.isEmpty || role.count == turns else {
      throw ValidationError("--role: one for each of \(turns) turns is needed, or none; found \(role.count)")
    }
    guard top >= 0, limit >= 0, generate >= 0 else {
      throw ValidationError("--top, --limit and --generate must not be negative")
    }
    guard (0...1).contains(maxFrequency ?? 0) else { throw ValidationError("--max-frequency is a share from 0 to 1") }
  }

  func run() async throws {
    let source = try source()
    guard generate == 0 || source.isOpen else {
      throw InputError.invalid(
        source: "--generate", expected: "a chat whose last turn is not the assistant's", found: "an answered one")
    }
    let store = try Store(path: store, access: .readOnly)
    _ = try store.latents(ids: latent)
    let options = ActivationsDocument.Options(
      only: Set(latent), top: top, limit: limit, aggregate: aggregate, template: template, chatSpecificOnly: chatOnly,
      maxFrequency: maxFrequency)
    let job = TextActivationsJob(source, answerTokens: generate, options: options)
    let found = try await engine.laboratory(on: store, files, computing).outcome(of: job)
    let document = try ActivationsDocument(found, options: options, store: store)
    if json { try printJSON(document) } else { writeOut(document.text(names: found.names)) }
  }

  private func source() throws -> PromptSource {
    var texts = prompt
    if let file {
      guard let text = String(validating: try MappedFile(path: file).contents(), as: UTF8.self) else {
        throw InputError.invalid(source: file, expected: "UTF-8 text", found: "other bytes")
      }
      texts = [text]
    }
    guard form == .chat else { return .raw(texts[0]) }
    return .chat(
      texts.enumerated().map { index, text in
        ChatMessage(role: role.isEmpty ? (index % 2 == 0 ? .user : .assistant) : role[index], content: text)
      })
  }
}

extension ChatMessage.Role: ExpressibleByArgument {}
extension ActivationAggregate: ExpressibleByArgument {}
