// Many programs on one store at once, some of them killed, the store replaced under them: nothing that was said to be
// saved is lost. CROSSCOPE_SOAK_CALLS says how many commands each of two writers runs meanwhile (`make soak`: 400).

import Foundation
import Glibc
import Synchronization
import TestSupport
import Testing

@testable import Experiments
@testable import Explorer
@testable import Storage

@Suite(.serialized, .enabled(if: TmuxTerminal.isAvailable, "tmux is missing"))
struct StoreSoakTests {
  private static let calls = ProcessInfo.processInfo.environment["CROSSCOPE_SOAK_CALLS"].flatMap(Int.init) ?? 20

  @Test func explorersAndCommandsSideBySide() async throws {
    let folder = try SoakFolder(crosscoder: "l1")
    try await soak(folder.store, folder, replacement: nil)
  }

  @Test func theStoreIsImportedAgainUnderThem() async throws {
    let folder = try SoakFolder(crosscoder: "l1")
    try await soak(folder.store, folder, replacement: folder.importing)
  }

  @Test func theStoreIsBuiltAgainUnderThem() async throws {
    let build = try TinyBuild()
    try build.run()
    try await soak(build.storePath, build, replacement: ["build", build.configurationPath])
  }

  /// - Parameters:
  ///   - owner: keeps the store's folder.
  ///   - replacement: what puts a new store of the same crosscoder in the place of this one, over and over.
  private func soak(_ path: String, _ owner: AnyObject, replacement: [String]?) async throws {
    let ledger = SoakLedger()
    let latents = try Store(path: path, access: .readOnly).latentIDs(sortedBy: .chatSpecificity)
    let (watched, tagged) = (Array(latents.prefix(2)), Array(latents.dropFirst(2).prefix(30)))
    try await withThrowingTaskGroup(of: Void.self) { group in
      group.addTask {
        await withTaskGroup(of: Void.self) { writers in
          for writer in 0..<2 {
            writers.addTask { await onThread { tagWithCommands(path, writer, tagged, ledger, calls: Self.calls) } }
          }
        }
        ledger.end()
      }
      group.addTask { try await onThread { try saveExperiments(path, ledger) } }
      group.addTask { try await onThread { try writeNotes(path, watched, ledger) } }
      if let replacement {
        group.addTask {
          try await onThread {
            while !ledger.isOver {
              let outcome = try Program.run(replacement)
              #expect(outcome.code == 0, "\(outcome.error)")
              ledger.count(\.replacements)
            }
          }
        }
      }
      try await group.waitForAll()
    }
    let store = try Store(path: path, access: .readWrite)
    #expect(try store.check() == [])
    try ledger.compare(with: store)
    store.close()
    #expect(!FileManager.default.fileExists(atPath: path + "-wal"))
    print("soak: \(ledger.summary)")
    withExtendedLifetime(owner) {}
  }
}

/// A store that was imported, with what imports it again.
private final class SoakFolder {
  let path = FileManager.default.temporaryDirectory.path + "/crosscope-soak-\(UUID().uuidString)"
  let importing: [String]
  var store: String { path + "/soak.crosscope" }

  init(crosscoder: String) throws {
    let fixtures = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
      .appending(path: "DiffingTests/Fixtures")
    importing = ["import", path + "/soak.crosscope", "--crosscoder", fixtures.appending(path: crosscoder).path]
    try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
    #expect(try Program.run(importing).code == 0)
  }

  deinit { try? FileManager.default.removeItem(atPath: path) }
}

/// Work that waits for other programs, away from the few threads that tests share.
private func onThread<T: Sendable>(_ work: @escaping @Sendable () throws -> T) async throws -> T {
  try await withCheckedThrowingContinuation { continuation in
    Thread.detachNewThread { continuation.resume(with: Result { try work() }) }
  }
}

private func onThread(_ work: @escaping @Sendable () -> Void) async {
  await withCheckedContinuation { continuation in
    Thread.detachNewThread {
      work()
      continuation.resume()
    }
  }
}

/// `crosscope tag` in a loop: two of three calls add a new tag to many latents, the third removes an older one; every
/// twentieth is killed on its way.
private func tagWithCommands(_ path: String, _ writer: Int, _ latents: [Int], _ ledger: SoakLedger, calls: Int) {
  var present: [String] = []
  for call in 0..<calls {
    let removes = call % 3 == 2 && !present.isEmpty
    let name = removes ? present.removeFirst() : "w\(writer).\(call)"
    let process = Process()
    process.executableURL = Program.url
    process.arguments = ["tag", path] + latents.map { "\($0)" } + [removes ? "--remove" : "--add", name]
    process.standardError = FileHandle.nullDevice
    guard (try? process.run()) != nil else { continue }
    // Of some 200 reads and writes that it makes.
    if call % 20 == 19 { kill(process, afterReadsAndWrites: Int.random(in: 1...200)) }
    process.waitUntilExit()
    if process.terminationReason == .exit, process.terminationStatus == 0 {
      ledger.acknowledge(tag: name, removes ? [] : latents)
      if !removes { present.append(name) }
    } else {
      ledger.doubt(tag: name, process.terminationReason == .uncaughtSignal)
    }
    ledger.called()
  }
}

/// Kills a program when it has made so many calls that read or write, or has ended before.
private func kill(_ process: Process, afterReadsAndWrites count: Int) {
  func made() -> Int? {
    let file = try? String(contentsOfFile: "/proc/\(process.processIdentifier)/io", encoding: .utf8)
    return file?.split(separator: "\n").filter { $0.hasPrefix("sysc") }
      .compactMap { $0.split(separator: " ").last.flatMap { Int($0) } }.reduce(0, +)
  }
  while process.isRunning, let made = made(), made < count {}
  kill(process.processIdentifier, SIGKILL)
}

/// Experiments saved by this very process, which opens the store again whenever it is replaced: some beside each command.
private func saveExperiments(_ path: String, _ ledger: SoakLedger) throws {
  var store = try Store(path: path, access: .readWrite)
  for number in 1... {
    if number % 8 == 1, !ledger.waitForCall() { return }
    let record = ExperimentRecord(
      created: "2026", prompt: "soak \(number)", kind: "steer", interventions: "[]", parameters: "{}", outputs: "{}",
      versions: "{}")
    while true {
      do {
        try store.save(record)
        break
      } catch StorageError.replaced {
        store = try Store(path: path, access: .readWrite)
      } catch StorageError.busy {
        ledger.count(\.busy)
      }
    }
    ledger.acknowledge(experiment: record.prompt)
    _ = try? store.look()
  }
}

/// Two explorers that write notes in turns, each on a latent of its own; every fifth time one is killed and started again.
private func writeNotes(_ path: String, _ latents: [Int], _ ledger: SoakLedger) throws {
  let terminals = [try TmuxTerminal(), try TmuxTerminal()]
  func start(_ index: Int) throws {
    try terminals[index].explore(path, "--fresh --latent \(latents[index])", until: "› Latent \(latents[index])")
  }
  for index in terminals.indices { try start(index) }
  var turn = 0
  var lastSeen = [String?](repeating: nil, count: terminals.count)
  while !ledger.isOver || turn < 2 {
    let (index, text) = (turn % 2, "turn-\(turn)")
    let (terminal, latent) = (terminals[index], latents[index])
    try terminal.type("n")
    try terminal.wait(for: "Note on latent \(latent)")
    try terminal.press("C-u")
    try terminal.type(text)
    try terminal.press("Enter")
    if turn % 5 == 4 {
      try terminal.signal(SIGKILL)
      ledger.doubt(note: text, latent)
      try terminal.wait(for: "status 137")
      try start(index)
    } else {
      // The page shows what it has read from the store.
      try terminal.waitUntil("\(text) is on the page") { $0.contains(text) && !$0.contains("Note on latent") }
      ledger.acknowledge(note: text, latent)
      // What this process writes is on the other's screen soon after.
      let clock = ContinuousClock()
      let seen = "seen-\(turn)"
      let store = try Store(path: path, access: .readWrite)
      if (try? store.annotate([latent], adding: [seen], removing: [lastSeen[index]].compactMap { $0 })) != nil {
        lastSeen[index] = seen
        let start = clock.now
        try terminal.wait(for: seen)
        ledger.saw(after: clock.now - start)
      }
    }
    turn += 1
  }
  for terminal in terminals {
    try terminal.type("qq")
    try terminal.wait(for: "status 0")
  }
}

/// What was said to be saved, and what may or may not be because its program was killed.
private final class SoakLedger: Sendable {
  struct Counts {
    var writes = 0
    var kills = 0
    var busy = 0
    var replacements = 0
    var slowest = Duration.zero
  }

  private struct Entries {
    var counts = Counts()
    /// The latents that must have a tag.
    var tags: [String: [Int]] = [:]
    var doubtfulTags: Set<String> = []
    var notes: [Int: Set<String>] = [:]
    var experiments: Set<String> = []
  }

  private let entries = Mutex(Entries())
  private let over = Atomic(false)
  /// Counts the commands that have ended.
  private let calls = DispatchSemaphore(value: 0)

  /// Whether all commands have been run: the others then end, too.
  var isOver: Bool { over.load(ordering: .acquiring) }

  func end() {
    over.store(true, ordering: .releasing)
    calls.signal()
  }

  func called() { calls.signal() }

  /// Waits until another command has ended.
  /// - Returns: false once all have.
  func waitForCall() -> Bool {
    calls.wait()
    return !isOver
  }

  func acknowledge(tag: String, _ latents: [Int]) {
    entries.withLock {
      $0.tags[tag] = latents
      $0.counts.writes += max(latents.count, 30)
    }
  }

  func doubt(tag: String, _ wasKilled: Bool) {
    entries.withLock {
      $0.tags[tag] = nil
      $0.doubtfulTags.insert(tag)
      if wasKilled { $0.counts.kills += 1 } else { $0.counts.busy += 1 }
    }
  }

  func acknowledge(note: String, _ latent: Int) {
    entries.withLock {
      $0.notes[latent] = [note]
      $0.counts.writes += 1
    }
  }

  func doubt(note: String, _ latent: Int) {
    entries.withLock {
      $0.notes[latent, default: [""]].insert(note)
      $0.counts.kills += 1
    }
  }

  func acknowledge(experiment: String) {
    entries.withLock {
      $0.experiments.insert(experiment)
      $0.counts.writes += 1
    }
  }

  func saw(after duration: Duration) { entries.withLock { $0.counts.slowest = max($0.counts.slowest, duration) } }

  func count(_ key: sending WritableKeyPath<Counts, Int>) { entries.withLock { $0.counts[keyPath: key] += 1 } }

  var summary: String {
    let counts = entries.withLock { $0.counts }
    return """
      \(counts.writes) writes, \(counts.kills) killed, \(counts.busy) refused as busy, \(counts.replacements) \
      replacements, a change on another's screen after at most \(counts.slowest)
      """
  }

  func compare(with store: Store) throws {
    let entries = entries.withLock { $0 }
    let found = try store.userAnnotations()
    for (tag, latents) in entries.tags {
      #expect(Set(found.tags[tag] ?? []) == Set(latents), "tag \(tag) of \(latents.count) latents")
    }
    for tag in entries.doubtfulTags {
      #expect([0, 30].contains(found.tags[tag]?.count ?? 0), "tag \(tag) is on some latents only")
    }
    for (latent, texts) in entries.notes {
      let note = found.notes.first { $0.latent == latent }?.text ?? ""
      #expect(texts.contains(note), "the note of latent \(latent) is \(note), not one of \(texts)")
    }
    let saved = found.experiments.map(\.prompt)
    #expect(Set(saved) == entries.experiments && saved.count == entries.experiments.count)
    let invented = Set(found.tags.keys).filter { $0.hasPrefix("w") }.subtracting(entries.tags.keys)
    #expect(invented.subtracting(entries.doubtfulTags).isEmpty)
  }
}
