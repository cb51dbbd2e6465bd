import Testing

@testable import Storage

@Suite struct FilterCompletionTests {
  private func words(_ text: String, metrics: [String] = [], tags: [String] = []) -> [String] {
    FilterCompletion(text, cursor: text.count, metrics: metrics, tags: tags).items.map(\.text)
  }

  @Test func whatFitsIsOffered() {
    #expect(words("nu_") == ["nu_error", "nu_reconstruction"])
    #expect(words("nu_error") == ["<", "<=", ">", ">=", "=", "!="])
    #expect(words("nu_error<0.2 ") == ["and", "or"])
    #expect(words("(nu_error<0.2 ") == ["and", "or", ")"])
    #expect(words("(dead) ") == ["and", "or"])
    #expect(words("nu_error<0.2 and dea") == ["dead"])
    #expect(words("0.1<nu_e") == ["nu_error"])
    #expect(words("0.1<nu_error") == ["and", "or"])
    #expect(words("class:sh") == ["class:shared"])
    #expect(words("not class:") == ["class:chat-only", "class:base-only", "class:shared", "class:other"])
    #expect(words("tag:ref", tags: ["refusal", "zoo", "two words"]) == ["tag:refusal"])
    #expect(words("tag:", tags: ["zoo", "two words"]) == ["tag:zoo", "tag:\"two words\""])
    #expect(words("lmsys", metrics: ["lmsys_freq", "lmsys_ctrl_%"]) == ["lmsys_freq", "[lmsys_ctrl_%]"])
    #expect(words("[base use", metrics: ["base uselessness score"]) == ["[base uselessness score]"])
    #expect(words("\"open text ").isEmpty && words("nu_error<").isEmpty && words("nu_error<0.5") == ["and", "or"])
    #expect(words("frequency").first == "<" && words("frequenc").count == 3)
    #expect(words("").contains("dead") && words("").contains("nu_error"))
  }

  @Test func theWordAtTheCursorIsReplaced() {
    let completion = FilterCompletion("dead and nu_ or id:3", cursor: 12)
    #expect(completion.range == 9..<12 && completion.items.first?.text == "nu_error")
    let joined = FilterCompletion("dead", cursor: 4)
    #expect(joined.entry(joined.items[0], in: "dead") == " and ")
    let negated = FilterCompletion("not", cursor: 3)
    #expect(negated.items.first.map { negated.entry($0, in: "not") } == " id")
    let compared = FilterCompletion("nu_error", cursor: 8)
    #expect(compared.entry(compared.items[0], in: "nu_error") == "<")
    let spaced = FilterCompletion("dead ", cursor: 5)
    #expect(spaced.entry(spaced.items[0], in: "dead ") == "and ")
  }

  /// Taking offers one after the other, a number where one is due, ends in a filter that the parser takes.
  @Test func offersMakeFilters() throws {
    var random = SeededGenerator(8)
    var accepted = 0
    for _ in 0..<500 {
      var text = ""
      for _ in 0..<Int.random(in: 1...8, using: &random) {
        let completion = FilterCompletion(text, cursor: text.count, metrics: ["a b", "plain"], tags: ["x", "y z"])
        #expect((0...text.count).contains(completion.range.upperBound))
        let items = completion.items.filter { !["tag:", "class:", "id:", "\"", "(", ")"].contains($0.text) }
        if let item = items.randomElement(using: &random) {
          let entry = completion.entry(item, in: text)
          text = String(text.prefix(completion.range.lowerBound)) + entry
        } else {
          text += "0.5 "
        }
      }
      do {
        _ = try Filter(text, metrics: ["a b", "plain"])
        accepted += 1
      } catch {
        // Only because it is not at its end yet.
        guard case .filter(let position, _) = error else { throw error }
        let rest = String(text.dropFirst(position)).split(separator: " ")
        #expect(rest.isEmpty, "\(text.debugDescription): \(error)")
      }
    }
    #expect(accepted > 100)
  }
}
