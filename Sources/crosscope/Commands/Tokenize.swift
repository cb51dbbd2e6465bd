// `crosscope tokenize` turns text from standard input into token ids, to test tokenizers and chat templates.

import ArgumentParser
import Diffing
import Experiments
import Foundation
import Inference
import Reports
import TUI

struct Tokenize: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Print the token ids of standard input as JSON.",
    discussion: """
      The input is taken as it is. Nothing is added in front or behind, not even a beginning of sequence. No final newline \
      is taken away. <|im_end|> and its like are plain text.

      With --chat the input is a chat: a JSON array of {"role", "content"} (or an object with it under "messages"), \
      which the model's template renders with the assistant's turn opened at the end. Input that begins with \
      neither [ nor { is a chat that has been rendered already: its markers are read as such.
      """)

  @Option(help: ArgumentHelp("The model's GGUF file or Hugging Face folder.", valueName: "path")) var model: String
  @Flag(help: "Read a chat instead of plain text.") var chat = false

  func run() throws {
    let source = try ModelSource(path: model)
    let tokenizer = try source.tokenizer()
    let text = try Self.standardInput()
    let ids: [Int32]
    if !chat {
      ids = tokenizer.encode(text, parseSpecial: false)
    } else if let messages = try Self.messages(text) {
      ids = try source.neededChatTemplate().encode(messages, addGenerationPrompt: true, tokenizer: tokenizer).ids
    } else {
      ids = tokenizer.encode(text, parseSpecial: true)
    }
    writeOut("{\"ids\":[\(ids.map(String.init).joined(separator: ","))]}\n")
  }

  /// All of standard input.
  static func standardInput() throws -> String {
    let data = try FileHandle.standardInput.readToEnd() ?? Data()
    guard let text = String(validating: data, as: UTF8.self) else {
      throw InputError.invalid(source: "standard input", expected: "UTF-8 text", found: "other bytes")
    }
    return text
  }

  /// The messages that `text` holds as JSON; `nil` if it is not JSON.
  static func messages(_ text: String) throws -> [ChatMessage]? {
    struct Chat: Decodable { var messages: [ChatMessage] }
    let first = text.unicodeScalars.first { !$0.properties.isWhitespace }
    guard first == "[" || first == "{" else { return nil }
    do {
      let data = Data(text.utf8)
      return try first == "["
        ? JSONDecoder().decode([ChatMessage].self, from: data) : JSONDecoder().decode(Chat.self, from: data).messages
    } catch let error as DecodingError {
      let roles = ChatMessage.Role.allCases.map(\.rawValue).joined(separator: ", ")
      throw InputError.invalid(
        source: "standard input", expected: "a JSON array of {\"role\", \"content\"} with the roles \(roles)",
        found: error.clause)
    }
  }
}
