// The sections of a plan of evidence: what both models show, single latents added, latents taken away, triggers, and the causal
// divergence.

import Diffing
import Inference
import Storage

extension EvidenceRun {
  private static let base = NamedPlan("base", SteeringPlan(interventions: [], swapsBase: true))

  func shown(_ section: EvidencePlan.Shown) async throws -> EvidenceReport.Shown {
    let prompts = try SetPrompt.read(section.prompts, kinds: section.kinds)
    let found = try await answers(prompts, [Self.base], section: section.name)
    func rate(_ arm: Int) -> Interval {
      let count = found.count { $0.answers[arm].shows(section.behaviour) != section.without }
      return .wilson(rate: Double(count) / Double(found.count), n: found.count)
    }
    return EvidenceReport.Shown(
      name: section.name, behaviour: (section.without ? "not " : "") + section.behaviour, prompts: prompts.count,
      base: rate(1), chat: rate(0))
  }

  // MARK: One latent added

  /// - Returns: nil if no strength of a tried latent gives coherent answers.
  func added(_ section: EvidencePlan.Added) async throws -> EvidenceReport.Added? {
    let candidates = try await candidates(section)
    guard let best = candidates.first else { return nil }
    let prompts = try SetPrompt.read(section.prompts, kinds: section.kinds)
    var request = SteeringRequest(
      prompt: "", plan: best.plan, sampling: GenerationSettings(maxTokens: plan.maxTokens, seed: plan.seed))
    request.strengths = [1]
    let job = PromptSetJob(request, prompts: prompts, name: section.name, random: section.random)
    let report = try await laboratory.outcome(of: job) { event in
      if case .progress(let done, let total) = event { tell(section.name, done, total, "prompts") }
    }
    let counted = report.counting(behaviours, coherent: plan.perplexity)
    func figure(_ kind: EvidenceArm.Kind) -> EvidenceReport.Figure {
      let row = counted.rows.first { $0.arm == kind }
      return EvidenceReport.Figure(
        rate: row?.rate(of: section.behaviour) ?? Interval(value: 0), perplexity: row?.perplexity)
    }
    let steered = report.arms.firstIndex { $0.kind == .steered } ?? 0
    return EvidenceReport.Added(
      name: section.name, behaviour: section.behaviour, prompts: prompts.count, latent: best.latent,
      strength: best.strength, positions: best.positions, unsteered: figure(.baseline), steered: figure(.steered),
      random: figure(.random), draws: section.random, chosenAmong: Array(candidates.prefix(10)),
      choicePrompts: try SetPrompt.read(section.choose, kinds: section.kinds).count,
      examples: counted.outcomes.prefix(4).map { .init(prompt: $0.prompt, answer: $0.answers[steered].text) })
  }

  /// The number of latents that a screening leaves.
  private static let mostScreened = 6

  /// Latents with their best coherent strength on the prompts of the choice, the best latent first.
  private func candidates(_ section: EvidencePlan.Added) async throws -> [EvidenceReport.Candidate] {
    let prompts = try SetPrompt.read(section.choose, kinds: section.kinds)
    var latents = Array(try latents(section.filter).prefix(section.latents))
    if let screen = section.screen, screen < prompts.count, latents.count > Self.mostScreened {
      let screened = try await candidates(
        section, latents: latents, prompts: prompts.spread(screen), name: section.name + ": screening the latents")
      latents = screened.prefix(Self.mostScreened).map(\.latent)
    }
    return try await candidates(
      section, latents: latents, prompts: prompts, name: section.name + ": choosing the latent")
  }

  private func candidates(
    _ section: EvidencePlan.Added, latents: [Int], prompts: [SetPrompt], name: String
  ) async throws -> [EvidenceReport.Candidate] {
    var figures = latents.flatMap { latent in
      section.positions.flatMap { positions in
        section.strengths.map {
          EvidenceReport.Candidate(latent: latent, strength: $0, positions: positions, rate: 0, perplexity: .infinity)
        }
      }
    }
    let arms = figures.map { NamedPlan("\($0.latent):\($0.strength) \($0.positions)", $0.plan) }
    let found = try await answers(prompts, arms, section: name)
    for index in figures.indices {
      let answers = found.map { [$0.answers[index + 1]] }
      figures[index].rate = answers.rate(of: section.behaviour).value
      figures[index].perplexity = answers.perplexity?.value ?? .infinity
    }
    let order = { (a: EvidenceReport.Candidate, b: EvidenceReport.Candidate) in
      (-a.rate, a.perplexity, a.latent) < (-b.rate, b.perplexity, b.latent)
    }
    let coherent = figures.filter { $0.perplexity <= plan.perplexity }
    return Dictionary(grouping: coherent, by: \.latent).values.compactMap { $0.min(by: order) }.sorted(by: order)
  }

  // MARK: Latents taken away

  func removed(_ section: EvidencePlan.Removed) async throws -> EvidenceReport.Removed {
    let prompts = try SetPrompt.read(section.prompts, kinds: section.kinds)
    let own = try latents(section.filter, by: section.order)
    let chosen = Set(own.prefix(section.latents.max() ?? 0))
    let others = try latents("").filter { !chosen.contains($0) }
    var generator = SplitMix64(seed: plan.seed)
    var (arms, kinds): ([NamedPlan], [(kind: String, latents: Int)]) = ([Self.base], [("unsteered", 0), ("base", 0)])
    for count in section.latents {
      guard own.count >= count, others.count >= count else {
        throw InputError.invalid(
          source: section.name, expected: "\(count) latents, and as many others",
          found: "\(own.count) and \(others.count)")
      }
      for (kind, chosen) in [
        ("latents", Array(own.prefix(count))), ("random", Array(others.shuffled(using: &generator).prefix(count))),
      ] {
        kinds.append((kind, count))
        arms.append(
          NamedPlan(
            "\(kind) \(count)",
            SteeringPlan(interventions: chosen.map { Intervention(latent: $0, mode: .difference, strength: -1) })))
      }
    }
    let found = try await answers(prompts, arms, comparesWithBase: true, section: section.name)
    func rate(_ arm: Int, of behaviour: String) -> Interval {
      found.map { [$0.answers[arm]] }.rate(of: behaviour)
    }
    func rate(_ arm: Int) -> Interval { rate(arm, of: section.behaviour) }
    func divergence(_ arm: Int) -> Interval? { Interval.mean(found.compactMap { $0.answers[arm].klToBase }) }
    let (unsteered, ceiling) = (rate(0).value, rate(1).value)
    let whole = divergence(0)?.value ?? 0
    let rows = kinds.enumerated().map { index, arm in
      EvidenceReport.Arm(
        kind: arm.kind, latents: arm.latents, rate: rate(index),
        behaviours: Dictionary(uniqueKeysWithValues: behaviours.names.map { ($0, rate(index, of: $0).value) }),
        ofCeiling: index < 2 || unsteered == ceiling ? nil : (unsteered - rate(index).value) / (unsteered - ceiling),
        klToBase: divergence(index),
        closed: index < 2 || whole == 0 ? nil : divergence(index).map { 1 - $0.value / whole })
    }
    let most = kinds.lastIndex { $0.kind == "latents" } ?? 0
    return EvidenceReport.Removed(
      name: section.name, behaviour: section.behaviour, prompts: prompts.count, arms: rows,
      examples: found.prefix(4).map { .init(prompt: $0.prompt.prompt, answer: $0.answers[most].text) })
  }

  // MARK: Triggers

  func triggers(_ section: EvidencePlan.Triggers) async throws -> EvidenceReport.Triggers {
    let latents = Array(try latents(section.filter).prefix(section.latents))
    func read(_ paths: [String], _ name: String) async throws -> TriggerScores {
      let prompts = try paths.flatMap { try SetPrompt.read($0) }
      let job = PromptActivationsJob(prompts: prompts, latents: latents)
      let found = try await laboratory.outcome(of: job) { event in
        if case .progress(let done, let total) = event { tell(name, done, total, "prompts") }
      }
      return TriggerScores(prompts: prompts, latents: latents, findings: found, kinds: section.kinds)
    }
    let choice = try await read(section.choose, "triggers: choosing the latents")
    let test = try await read(section.prompts, "triggers")
    let rows = section.kinds.indices.compactMap { kind -> EvidenceReport.Trigger? in
      guard let best = choice.best(of: kind, count: 1).first else { return nil }
      return EvidenceReport.Trigger(
        kind: section.kinds[kind], latent: latents[best], chosenAUC: choice.auc[kind][best],
        auc: test.auc.map { $0[best] })
    }
    return EvidenceReport.Triggers(kinds: section.kinds, prompts: test.prompts, rows: rows)
  }

  // MARK: The causal divergence

  func causal(_ section: EvidencePlan.Causal) async throws -> EvidenceReport.Causal {
    let pool = try latents("nu_error>=-0.1 and nu_error<=2 and nu_reconstruction>=-0.1 and nu_reconstruction<=2")
    guard pool.count >= 2 * section.latents else {
      throw InputError.invalid(
        source: store.path, expected: "\(2 * section.latents) latents with scores", found: "\(pool.count)")
    }
    var generator = SplitMix64(seed: plan.seed)
    let top = Array(pool.prefix(section.latents))
    let half = pool.count / 2
    let sets =
      [top, Array(pool.prefix(half)), Array(pool.suffix(half))]
      + (0..<section.random).map { _ in Array(pool.shuffled(using: &generator).prefix(section.latents)) }
    let job = LatentPatchingJob(
      arms: [.none] + sets.map { .latents(Set($0)) }, chats: try readChats(section.chats), name: section.chats,
      limit: section.limit, maxTokens: 512)
    let found = try await laboratory.outcome(of: job) { event in
      if case .progress(let done, let total) = event { tell("causal", done, total, "tokens") }
    }
    func sums(_ arms: [Int]) -> [Double] {
      found.chats.map { chat in
        arms.reduce(0) { $0 + (chat.sums[.response]?[$1] ?? 0) } / Double(max(1, arms.count))
      }
    }
    let none = sums([0])
    func closed(_ arms: [Int]) -> ClusteredRatio? {
      ClusteredRatio(zip(none, sums(arms)).map { $0 - $1 }, over: none)
    }
    return EvidenceReport.Causal(
      chats: found.chats.count, latents: section.latents,
      klOfNone: ClusteredRatio(none, over: found.chats.map { Double($0.tokens[.response] ?? 0) }),
      top: closed([1]), random: closed(Array(4..<4 + section.random)), topHalf: closed([2]), bottomHalf: closed([3]))
  }
}

extension EvidenceReport.Candidate {
  fileprivate var plan: SteeringPlan {
    SteeringPlan(interventions: [Intervention(latent: latent, mode: .add, strength: strength)], positions: positions)
  }
}
