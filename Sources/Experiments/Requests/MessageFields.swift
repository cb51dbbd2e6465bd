// Reads a chat message in OpenAI's form, as far as it is text.

import Inference

/// Something said in a chat.
package struct MessageFields: Decodable {
  package let message: ChatMessage

  package init(from decoder: any Decoder) throws {
    let fields = try JSONFields(decoder, table: .chatMessage)
    let isDeveloper = try fields.value("role", String.self) == "developer"
    guard let role: ChatMessage.Role = isDeveloper ? .system : try fields.choice("role") else {
      throw fields.invalid("role", "it is missing")
    }
    let content: Content = try fields.required("content")
    message = ChatMessage(role: role, content: content.text)
  }

  /// The content is a text or a list of parts that are texts.
  private struct Content: Decodable {
    let text: String

    init(from decoder: any Decoder) throws {
      if let text = try? decoder.singleValueContainer().decode(String.self) {
        self.text = text
        return
      }
      text = try decoder.singleValueContainer().decode([Part].self).map(\.text).joined()
    }

    private struct Part: Decodable {
      let text: String

      init(from decoder: any Decoder) throws {
        let fields = try JSONFields(decoder, table: .contentPart)
        guard try fields.required("type") == "text" else { throw fields.invalid("type", "only text is understood") }
        text = try fields.required("text")
      }
    }
  }
}
