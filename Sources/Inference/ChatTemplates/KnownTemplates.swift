// The chat templates that are known, by the fingerprint of their canonical text (`TemplateText`). To add one, render it
// with Jinja on the chats of Tests/InferenceTests/Fixtures/chat-templates.json and list its fingerprint here.

import Foundation

/// The list of known templates.
enum KnownTemplates {
  /// The format that a fingerprint stands for. A ChatML template's default system prompt does not count in it.
  private enum Family {
    case chatML
    case qwen3
    case llama3(alwaysOpens: Bool)
    /// The format with two lines of dates, in which today is a fixed day or the day of rendering.
    case llama31(date: String?)
    case gemma(foldsSystem: Bool)
  }

  /// The names of the known templates, for messages.
  static let names = "SmolLM2, ChatML, Llama 3, Qwen 2, 2.5 or 3, Gemma 2 or 3"

  private static let families: [UInt64: Family] = [
    // This is plain ChatML.
    0x51DE_F61F_3159_C7EF: .chatML,
    // SmolLM2 and Qwen 2 have a default system prompt.
    0x4C87_4F20_E8E0_75F3: .chatML,
    // Qwen 2.5 has tools as well.
    0x0DF0_A21C_198A_6F6B: .chatML,
    // These are Qwen 3 as first released, and since the release that checks whether a content is text.
    0x17BF_6F62_677F_985B: .qwen3,
    0x9BC7_F52E_4085_463B: .qwen3,
    // These are Llama 3 as first released, and as corrected later.
    0x266B_1B06_9217_5870: .llama3(alwaysOpens: true),
    0xEC6B_F860_7019_2766: .llama3(alwaysOpens: false),
    // Llama 3.1 and 3.3 name a fixed day, 3.2 names the day of rendering.
    0x0E06_BB31_F9F2_3B82: .llama31(date: "26 Jul 2024"),
    0xED24_1F5B_803E_6506: .llama31(date: nil),
    // These are Gemma 1 and 2, and Gemma 3.
    0x19F6_1D33_7D58_1823: .gemma(foldsSystem: false),
    0x93B3_B57A_6ACC_854F: .gemma(foldsSystem: true),
  ]

  /// The format of a template's text; nil if it is not known.
  /// - Parameter beginning: the text of the token that begins a sequence, if the model's files name one.
  static func format(of template: String, beginning: String?, today: Date) -> (any ChatFormat)? {
    let (text, prompt) = TemplateText(template).withoutSystemPrompt()
    let beginning = beginning ?? ""
    switch families[text.fingerprint] {
    case .chatML: return ChatMLFormat(defaultSystemPrompt: prompt)
    case .qwen3: return Qwen3Format()
    case .llama3(let alwaysOpens): return Llama3Format(date: nil, beginning: beginning, alwaysOpens: alwaysOpens)
    case .llama31(let date): return Llama3Format(date: date ?? day(today), beginning: beginning)
    case .gemma(let foldsSystem): return GemmaFormat(foldsSystem: foldsSystem, beginning: beginning)
    case nil: return nil
    }
  }

  /// A day in the form of `%d %b %Y` in the C locale: `26 Jul 2024`.
  static func day(_ date: Date) -> String {
    let months = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]
    let parts = Calendar(identifier: .gregorian).dateComponents([.day, .month, .year], from: date)
    let (day, month, year) = (parts.day ?? 1, parts.month ?? 1, parts.year ?? 1970)
    return "\(day < 10 ? "0" : "")\(day) \(months[(month - 1) % 12]) \(year)"
  }
}
