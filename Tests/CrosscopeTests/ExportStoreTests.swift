// What `crosscope export` writes of a store, run as a user runs it: a page for a report that needs neither network nor scripts and
// in which no text is taken for markup, a table, and Neuronpedia's export.

import Foundation
import Storage
import TestSupport
import Testing

@Suite struct ExportStoreTests {
  private let sample: SampleStore
  private let folder = TemporaryFolder()

  init() throws { sample = try SampleStore() }

  private func export(_ arguments: String...) throws -> Program.Outcome {
    try Program.run(["export", sample.path] + arguments)
  }

  @Test func aPageHoldsItsLatentsAndNoTextAsMarkup() throws {
    let hostile = "</p><script>alert('x')</script> & \"quoted\" \u{1b}[31m \u{202e}reversed"
    do {
      let store = try sample.open()
      try store.annotate([7], adding: ["mine"], note: "note " + hostile)
      try store.save(explanations: [ExplanationRecord(latent: 7, source: "<b>me</b>", text: hostile)])
      _ = try store.save(
        ExperimentRecord(
          created: "2026", prompt: "prompt " + hostile, kind: "steer",
          interventions: #"[{"latent":7,"mode":"add","strength":1,"on":true,"conditions":[]}]"#, parameters: "{}",
          outputs: "{}", versions: "{}"))
    }
    let path = folder.path + "/page.html"
    #expect(try export("html", "--latents", "7,0", "--out", path).code == 0)
    let page = try String(contentsOfFile: path, encoding: .utf8)
    for part in ["<h2>Latent 7 ", "<h2>Latent 0 ", "mine", "largest activation", "<mark", "Experiment "] {
      #expect(page.contains(part), "\(part)")
    }
    #expect(
      !page.contains("<script") && !page.contains("<b>me") && !page.contains("\u{1b}") && !page.contains("\u{202e}"))
    #expect(page.contains("&lt;script&gt;alert(&#39;x&#39;)&lt;/script&gt; &amp; &quot;quoted&quot;"))
    #expect(page.ranges(of: "prompt &lt;/p&gt;").count == 1)
    // Nothing is loaded from anywhere.
    for part in ["http:", "https:", "src=", "url(", "@import", "onclick"] { #expect(!page.contains(part), "\(part)") }
    #expect(page.contains("default-src 'none'"))
    // Every element that begins ends.
    for tag in ["section", "p", "mark", "li", "div", "h2", "ol", "dl", "code"] {
      let begun = page.ranges(of: "<\(tag)>").count + page.ranges(of: "<\(tag) ").count
      #expect(begun == page.ranges(of: "</\(tag)>").count, "\(tag)")
    }
    #expect(try export("html", "--latents", "7", "--out", path).code == 1, "a file is not replaced")
  }

  @Test(arguments: [
    (["html", "--latents", "7,7"], "--latents"), (["html", "--latents", "7,x"], "--latents"),
    (["html"], "--latents is needed"),
    (["latent-table", "--latents", "7"], "--latents"), (["neuronpedia-export", "--latent", "7"], "--latent"),
    (["neuronpedia-export", "--force"], "a folder is not replaced"),
  ]) func optionsThatDoNotBelongToAFormAreNamed(arguments: [String], hint: String) throws {
    let outcome = try Program.run(["export", sample.path] + arguments + ["--out", folder.path + "/out"])
    #expect(outcome.code != 0 && outcome.error.contains(hint), "\(outcome.error)")
    #expect(folder.names == [])
  }

  @Test func aLatentThatIsNotThereIsNamed() throws {
    try export("html", "--latents", "7,99999", "--out", folder.path + "/out.html").expectOneLine(
      saying: "no latent 99999")
    #expect(folder.names == [])
  }

  @Test func theTableHasEveryLatent() throws {
    let path = folder.path + "/latents.csv"
    #expect(try export("latent-table", "--out", path).code == 0)
    let lines = try String(contentsOfFile: path, encoding: .utf8).split(separator: "\n")
    #expect(lines.count == SampleStore.latents + 1)
    #expect(lines[0].hasPrefix(",") && lines[0].contains("dec_norm_diff") && lines[0].contains("tag"))
  }

  /// A store of its own goes out and comes in again, without a crosscoder.
  @Test func anExportIsAnImport() throws {
    let (out, again) = (folder.path + "/out", folder.path + "/again.crosscope")
    let store = try sample.open()
    let pair = try store.modelPair()
    if pair.crosscoder != nil {
      // The sample names a file that is not there.
      #expect(try export("neuronpedia-export", "--out", out).code == 1)
      #expect(folder.names == [])
    }
    let fixture = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
      .appending(path: "PipelineTests/Fixtures/neuronpedia/public_columns").path
    let made = try Program.run(["import", again, fixture])
    #expect(made.code == 0, "\(made.error)")
    #expect(try Program.run(["check", again]).code == 0)
    #expect(try Program.run(["export", again, "neuronpedia-export", "--out", out]).code == 0)
    #expect(try Program.run(["import", again, out]).code == 0)
    try Program.run(["steer", again, "--latent", "1", "--prompt", "x"]).expectOneLine(saying: "--model")
    #expect(try Program.run(["import", again]).code != 0)
    #expect(try Program.run(["import", again, fixture, "--crosscoder", fixture]).code != 0)
  }

  /// Latents are the crosscoder's; contexts, explanations and missing figures are the dashboards'.
  @Test func dashboardsAreReadBesideTheirCrosscoder() throws {
    let fixtures = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
      .appending(path: "PipelineTests/Fixtures").path
    let (path, out) = (folder.path + "/t.crosscope", folder.path + "/out")
    let dashboards = fixtures + "/neuronpedia/public_columns"
    let crosscoder = ["--crosscoder", fixtures + "/toolkit/crosscoder/dictionary_model"]
    let table = crosscoder[1] + "/latent_df.csv"
    let made = try Program.run(["import", path, dashboards] + crosscoder + ["--layer", "1", "--latents", table])
    #expect(made.code == 0, "\(made.error)")
    #expect(try Program.run(["check", path]).code == 0)
    let store = try Store(path: path, access: .readOnly)
    #expect(try store.modelPair().nLatents == 64)
    let page = try store.page(of: 0)
    #expect(page.latent.maxActivation.map { Float($0) } == 56.426025, "the table's value stays")
    #expect(page.latent.deltaNorm != nil && !page.contexts.isEmpty && page.explanations.count == 2)
    #expect(try store.page(of: 40).contexts.isEmpty)
    #expect(try store.directions() == [] && store.storedDirection(named: "latent 0") == nil, "the crosscoder has them")
    #expect(try Program.run(["export", path, "neuronpedia-export", "--out", out]).code == 0)
    let wrong = try Program.run(["import", path, dashboards] + crosscoder + ["--layer", "2"])
    #expect(wrong.code == 1 && wrong.error.contains("layer"), "\(wrong.error)")
    let both = try Program.run(["import", path, dashboards] + crosscoder + ["--layer", "1", "--examples", table])
    #expect(both.code != 0 && both.error.contains("not from both"))
  }
}
