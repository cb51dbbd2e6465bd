// The jobs that the explorer asks for, and how their events come back. A job has a kind and a number: only one job of a kind
// runs at a time, and late events of a former one are recognised by their number and dropped.

import Experiments
import Kernels

/// Work for the models that a screen asks for.
enum ExplorerJob: Sendable, Equatable {
  case run(SteeringRequest)
  case sweep(SteeringRequest, withControl: Bool)
  case promptSet(SteeringRequest, PromptSetChoice)
  case preview(SteeringRequest)
  case answerActivations(AnswerActivationsJob)
  case textActivations(TextActivationsJob)
  case causalCheck(Int)

  /// Jobs of one kind take each other's place.
  enum Kind: Sendable, Hashable { case steering, preview, answerActivations, textActivations, causalCheck }

  var kind: Kind {
    switch self {
    case .run, .sweep, .promptSet: .steering
    case .preview: .preview
    case .answerActivations: .answerActivations
    case .textActivations: .textActivations
    case .causalCheck: .causalCheck
    }
  }

  /// The text of the status line during the job.
  var label: String {
    switch self {
    case .run: "generating"
    case .sweep, .promptSet: "sweeping"
    case .preview: "looking ahead"
    case .answerActivations: "reading activations"
    case .textActivations: "reading"
    case .causalCheck: "checking"
    }
  }
}

/// A set of prompts for a sweep, and its control.
struct PromptSetChoice: Sendable, Equatable {
  var path: String
  /// The largest number of prompts, spread evenly over the file.
  var most: Int
  /// How many times the latents are replaced by random living ones.
  var random: Int
  /// The file of the behaviours that are counted; nil for refusals alone.
  var behaviours: String?
}

/// Identifies the job of an event.
struct JobID: Sendable, Equatable {
  var kind: ExplorerJob.Kind
  var number: Int
}

/// An event of a job.
enum JobEvent: Sendable {
  /// The work before the job can begin.
  case loading(String)
  case run(SteeringEvent)
  case sweep(SweepEvent)
  case promptSet(PromptSetEvent)
  case preview(PreviewEvent)
  case answerActivations(AnswerActivations)
  case textActivations(TextActivationsEvent)
  case causalCheck(CausalCheckEvent)
  /// The job ended early, for the given reason.
  case failed(String)
}

extension Laboratory {
  /// Does a job of the explorer and passes its events on; after a cancellation none follow.
  func run(
    _ job: ExplorerJob, readPrompts: @Sendable (String) throws -> [SetPrompt],
    tell: @escaping @Sendable (JobEvent) -> Void
  ) async {
    do {
      switch job {
      case .run(let request): try await hand(on: SteeringJob(request), tell) { .run($0) }
      case .sweep(let request, let withControl):
        try await hand(on: SweepJob(request, withControl: withControl), tell) { .sweep($0) }
      case .promptSet(let request, let choice):
        let prompts = try readPrompts(choice.path).spread(choice.most)
        let behaviours = try choice.behaviours.map { try BehaviourFile(path: $0).behaviours }
        try await hand(
          on: PromptSetJob(request, prompts: prompts, name: choice.path, random: choice.random), tell
        ) { event in .promptSet(behaviours.map { event.counting($0) } ?? event) }
      case .preview(let request): try await hand(on: PreviewJob(request), tell) { .preview($0) }
      case .answerActivations(let job): try await hand(on: job, tell) { .answerActivations($0.activations) }
      case .textActivations(let job): try await hand(on: job, tell) { .textActivations($0) }
      case .causalCheck(let latent):
        try await hand(on: CausalCheckJob(latent, size: .interactive), tell) { .causalCheck($0) }
      }
    } catch is CancellationError {
      return
    } catch {
      tell(.failed(String(describing: error)))
    }
  }

  private func hand<J: Job>(
    on job: J, _ tell: @escaping @Sendable (JobEvent) -> Void, _ form: (J.Event) -> JobEvent
  ) async throws {
    for try await event in events(of: job, loading: { tell(.loading($0)) }) { tell(form(event)) }
  }
}
