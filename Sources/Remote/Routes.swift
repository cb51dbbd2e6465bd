// The service's handler finds the answer for each path. Paths that read the store and the list of models are here, chat
// completions in Routes+Chat.swift, jobs in Routes+Jobs.swift.

import Experiments
import Foundation
import Reports
import Serving
import Storage

/// Everything that answers are made from.
package struct Routes: Sendable {
  package let store: Store
  package let pair: ModelPair
  package let owner: ModelOwner
  package let identity: EngineIdentity
  package let limits: AnswerLimits
  /// When the service started.
  package let created = Date()

  /// The largest number of rows in a list of latents.
  package static let mostRows = 1000

  package init(owner: ModelOwner, limits: AnswerLimits) throws {
    store = owner.store
    pair = try store.modelPair()
    identity = EngineIdentity(pair)
    (self.owner, self.limits) = (owner, limits)
  }

  /// The methods of a path; empty if the path does not exist.
  package static func methods(of path: String) -> [String] {
    switch path {
    case "/health", "/v1/models", "/v1/status", "/v1/latents", "/v1/directions": ["GET"]
    case "/v1/chat/completions": ["POST"]
    default:
      if jobs.contains(where: { $0.path == path }) {
        ["POST"]
      } else {
        latent(at: path) != nil || model(at: path) != nil ? ["GET"] : []
      }
    }
  }

  /// The latent that the path of a page names.
  private static func latent(at path: String) -> Int? {
    path.hasPrefix("/v1/latents/") ? Int(path.dropFirst(12)) : nil
  }

  /// The model that a path names, with its percent escapes decoded.
  private static func model(at path: String) -> String? {
    path.hasPrefix("/v1/models/") ? String(path.dropFirst(11)).removingPercentEncoding : nil
  }

  /// Answers one request.
  @Sendable package func handle(_ request: ServiceRequest) async throws -> ServiceReply {
    switch request.path {
    case "/health": return try document(request, ["status": "ok"])
    case "/v1/models": return try document(request, await models)
    case "/v1/status": return try document(request, await status)
    case "/v1/latents":
      try expect("GET", request)
      return .document(try jsonText(["latents": try latents(request.query)]))
    case "/v1/directions":
      try expect("GET", request)
      return .document(try jsonText(["directions": try store.directions().map(DirectionEntry.init)]))
    case "/v1/chat/completions": return try await chatCompletion(try post(request))
    default:
      if let job = Self.jobs.first(where: { $0.path == request.path }) {
        return try await answer(job, try post(request))
      }
      if !Self.methods(of: request.path).isEmpty { try expect("GET", request) }
      if let id = Self.latent(at: request.path) { return try document(request, try page(id)) }
      if let name = Self.model(at: request.path) { return try document(request, try model(named: name)) }
      throw APIError.notFound("there is nothing at \(request.path); docs/serve.md lists the paths")
    }
  }

  private func expect(_ method: String, _ request: ServiceRequest) throws(APIError) {
    guard request.method == method else { throw .methodWrong(Self.methods(of: request.path)) }
  }

  private func post(_ request: ServiceRequest) throws(APIError) -> Data {
    try expect("POST", request)
    return request.body
  }

  private func document(_ request: ServiceRequest, _ value: some Encodable) throws -> ServiceReply {
    try expect("GET", request)
    if let unknown = request.query.first { throw APIError.unsupported(field: unknown.name) }
    return .document(try jsonText(value))
  }

  private var models: ModelList {
    get async throws {
      var model = model
      model.versions = try await owner.versions()
      return ModelList(data: [model])
    }
  }

  /// The only model that is served.
  private var model: ModelList.Model {
    ModelList.Model(
      id: pair.chat, created: Int(created.timeIntervalSince1970), base: pair.base, identity: identity)
  }

  /// - Throws: `APIError` if it is not the name of the served model.
  package func model(named name: String) throws(APIError) -> ModelList.Model {
    guard name == pair.chat else {
      throw .notFound("there is no model \(name.debugDescription); it is \(pair.chat)", code: "model_not_found")
    }
    return model
  }

  private var status: ServiceStatus {
    get async {
      ServiceStatus(
        answering: await owner.turns.isTaken, waiting: await owner.turns.count,
        steps: owner.steps.load(ordering: .relaxed))
    }
  }

  private func page(_ id: Int) throws -> PageJSON {
    do {
      return PageJSON(
        try store.page(of: id, contextLimit: 100),
        LatentSurroundings(latent: id, contrast: Contrast(), coFiring: try store.coFiring(with: id)))
    } catch StorageError.noSuchLatent {
      throw APIError.notFound("there is no latent \(id); /v1/latents lists them", code: "latent_not_found")
    }
  }

  private func latents(_ query: [URLQueryItem]) throws -> [LatentJSON] {
    var (filter, sort, limit, isReversed) = ("", LatentSort.chatSpecificity, 50, false)
    let metrics = try store.metricNames()
    for item in query {
      let value = item.value ?? ""
      switch item.name {
      case "filter": filter = value
      case "sort":
        guard let known = LatentSort(named: value, metrics: metrics) else {
          throw APIError.invalid("sort: there is no column or metric \(quoted(value))", param: "sort")
        }
        sort = known
      case "limit":
        guard let number = Int(value), (1...Self.mostRows).contains(number) else {
          throw APIError.invalid("limit: a number from 1 to \(Self.mostRows) is expected", param: "limit")
        }
        limit = number
      case "reverse":
        guard let flag = Bool(value) else {
          throw APIError.invalid("reverse: true or false is expected", param: "reverse")
        }
        isReversed = flag
      default: throw APIError.unsupported(field: item.name)
      }
    }
    let condition: Filter
    do {
      condition = try Filter(filter, metrics: metrics)
    } catch {
      throw APIError.invalid("filter: \(error)", param: "filter")
    }
    return try LatentJSON.rows(
      of: store, matching: condition, by: LatentOrder(sort, ascending: sort.ascendsByDefault != isReversed),
      limit: limit
    ).rows
  }
}

/// The answer of /v1/status.
package struct ServiceStatus: Codable {
  /// Whether a job is running; previews do not count.
  package var answering: Bool
  /// The number of waiting jobs.
  package var waiting: Int
  /// See `ModelOwner.steps`.
  package var steps: Int
}

/// The answer of /v1/models: the fields of OpenAI's API, and the model's files.
package struct ModelList: Codable {
  package struct Model: Codable {
    package var id: String
    package var object = "model"
    package var created: Int
    package var owned_by = "crosscope"
    package var base: String
    package var identity: EngineIdentity
    /// Everything beside its settings that decides the bits of a run; see `SteeringContext.versions`.
    package var versions: [String: String]?
  }

  package var object = "list"
  package var data: [Model]
}
