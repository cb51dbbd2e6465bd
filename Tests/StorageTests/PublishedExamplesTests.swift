// Both schemas of examples.db, and every row that breaks one.
import Foundation
import GRDB
import Testing

@testable import Storage

@Suite struct PublishedExamplesTests {
  private let folder: TemporaryFolder
  private var path: String { folder.file("examples.db") }

  init() throws { folder = try TemporaryFolder() }

  private static func blob<Number: BitwiseCopyable>(_ numbers: [Number]) -> Data {
    numbers.withUnsafeBytes { Data($0) }
  }

  private static let older = """
    CREATE TABLE sequences (sequence_idx INTEGER PRIMARY KEY, token_ids BLOB);
    CREATE TABLE quantile_examples (feature_idx INTEGER, quantile_idx INTEGER, activation REAL, sequence_idx INTEGER,
      PRIMARY KEY (feature_idx, sequence_idx));
    CREATE TABLE activation_details (feature_idx INTEGER, sequence_idx INTEGER, positions BLOB, activation_values BLOB,
      PRIMARY KEY (feature_idx, sequence_idx));
    """

  /// Two sequences, latent 3 in both and latent 0 in one; then `edit`.
  private func writeOlder(_ edit: String = "", arguments: StatementArguments = []) throws {
    let queue = try DatabaseQueue(path: path)
    try queue.write { db in
      try db.execute(sql: Self.older)
      for (id, tokens) in [(7, [5, 6, 7, 8]), (9, [1, 2])] as [(Int, [Int32])] {
        try db.execute(sql: "INSERT INTO sequences VALUES (?, ?)", arguments: [id, Self.blob(tokens)])
      }
      let rows: [(Int, Int, Double, Int, [Int32], [Float])] = [
        (3, 1, 2, 9, [1], [2]), (3, 4, 8, 7, [3, 0], [1, 8]), (0, 4, 1, 7, [2, 1], [0, 1]),
      ]
      for row in rows {
        try db.execute(
          sql: "INSERT INTO quantile_examples VALUES (?, ?, ?, ?)", arguments: [row.0, row.1, row.2, row.3])
        try db.execute(
          sql: "INSERT INTO activation_details VALUES (?, ?, ?, ?)",
          arguments: [row.0, row.3, Self.blob(row.4), Self.blob(row.5)])
      }
      if !edit.isEmpty { try db.execute(sql: edit, arguments: arguments) }
    }
    try queue.close()
  }

  private func readAll(nLatents: Int = 4) throws -> ([SequenceRecord], [ExampleRecord], Int) {
    let examples = try PublishedExamples(path: path)
    var (sequences, records): ([SequenceRecord], [ExampleRecord]) = ([], [])
    let numbers = try examples.readSequences(corpus: "c", batch: 1) { sequences += $0 }
    let missing = try examples.readExamples(nLatents: nLatents, sequences: numbers, batch: 1) { records += $0 }
    return (sequences, records, missing)
  }

  @Test func theOlderSchemaIsReadInOrder() throws {
    try writeOlder()
    let (sequences, examples, missing) = try readAll()
    #expect(sequences.map(\.id) == [7, 9])
    #expect(sequences[0].tokenIDs == [5, 6, 7, 8])
    #expect(
      examples == [
        ExampleRecord(latent: 0, quantile: 4, rank: 0, sequence: 7, positions: [1], values: [1]),
        ExampleRecord(latent: 3, quantile: 4, rank: 0, sequence: 7, positions: [0, 3], values: [8, 1]),
        ExampleRecord(latent: 3, quantile: 1, rank: 0, sequence: 9, positions: [1], values: [2]),
      ])
    #expect(missing == 0)
    #expect(try PublishedExamples(path: path).maxima() == [0: 1, 3: 8])
    #expect(try PublishedExamples(path: path).largestToken() == 8)
  }

  @Test(arguments: [true, false]) func theNewerSchemaIsReadWithAndWithoutPositions(hasPositions: Bool) throws {
    let queue = try DatabaseQueue(path: path)
    try queue.write { db in
      try db.execute(
        sql: """
          CREATE TABLE config (key TEXT, value TEXT);
          CREATE TABLE sequences (sequence_uid INTEGER PRIMARY KEY, token_ids BLOB, text TEXT, sequence_length INTEGER,
            dataset_id INTEGER, dataset_name TEXT);
          CREATE TABLE examples (example_id INTEGER PRIMARY KEY, sequence_uid INTEGER, score REAL, latent_idx INTEGER,
            quantile_idx INTEGER, metadata TEXT);
          CREATE TABLE activation_details (example_id INTEGER PRIMARY KEY, \(hasPositions ? "positions BLOB, " : "")
            activation_values BLOB);
          """)
      // A hash as key: too large for a number of the store.
      let key = Int64.max - 5
      try db.execute(
        sql: "INSERT INTO sequences VALUES (?, ?, 'text', 3, 0, 'lmsys')",
        arguments: [key, Self.blob([4, 5, 6] as [Int32])])
      try db.execute(
        sql: "INSERT INTO examples VALUES (11, ?, 5, 2, 3, NULL), (12, ?, 9, NULL, NULL, NULL)", arguments: [key, key])
      if hasPositions {
        try db.execute(
          sql: "INSERT INTO activation_details VALUES (11, ?, ?)",
          arguments: [Self.blob([2, 0] as [Int32]), Self.blob([5, 1] as [Float])])
      } else {
        try db.execute(
          sql: "INSERT INTO activation_details VALUES (11, ?)", arguments: [Self.blob([1, 0, 5] as [Float])])
      }
    }
    try queue.close()
    let (sequences, examples, _) = try readAll()
    #expect(sequences.map(\.corpus) == ["lmsys"])
    #expect(examples.count == 1)
    #expect(examples.first?.positions == [0, 2])
    #expect(examples.first?.values == [1, 5])
    #expect(examples.first?.sequence == sequences.first?.id)
  }

  /// Rewrites the blobs of the older schema in other widths.
  private func widen(tokens: Bool, positions: Bool, values: Bool) throws {
    let queue = try DatabaseQueue(path: path)
    try queue.write { db in
      func change<Old: BitwiseCopyable, New: BitwiseCopyable>(
        _ table: String, _ column: String, _ wider: (Old) -> New
      ) throws {
        for row in try Row.fetchAll(db, sql: "SELECT rowid, \(column) FROM \(table)") {
          let data: Data = row[1]
          let old = data.withUnsafeBytes { Array($0.bindMemory(to: Old.self)) }
          try db.execute(
            sql: "UPDATE \(table) SET \(column) = ? WHERE rowid = ?",
            arguments: [Self.blob(old.map(wider)), row[0] as Int])
        }
      }
      if tokens { try change("sequences", "token_ids") { (id: Int32) in Int64(id) } }
      if positions { try change("activation_details", "positions") { (position: Int32) in Int64(position) } }
      if values { try change("activation_details", "activation_values") { (value: Float) in Double(value) } }
    }
    try queue.close()
  }

  @Test(arguments: [(true, true, false), (true, true, true), (false, true, false), (true, false, true)])
  func numbersOfEightBytesAreReadAsWhatTheyAre(tokens: Bool, positions: Bool, values: Bool) throws {
    try writeOlder()
    let narrow = try readAll()
    try widen(tokens: tokens, positions: positions, values: values)
    let wide = try readAll()
    #expect(wide.0.map(\.tokenIDs) == narrow.0.map(\.tokenIDs))
    #expect(wide.1 == narrow.1)
    #expect(try PublishedExamples(path: path).largestToken() == 8)
  }

  @Test func aWideNumberThatIsNoTokenIsNamed() throws {
    try writeOlder()
    try widen(tokens: true, positions: false, values: false)
    let queue = try DatabaseQueue(path: path)
    let blob = Self.blob([5, 1 << 40] as [Int64])
    try queue.write { try $0.execute(sql: "INSERT INTO sequences VALUES (99, ?)", arguments: [blob]) }
    try queue.close()
    // The sample is no longer all of 8 bytes: read as 4, the high word is a token, and a part of no example.
    let (sequences, _, _) = try readAll()
    #expect(sequences.first { $0.id == 99 }?.tokenIDs == [5, 0, 0, 256])
  }

  /// The newer schema tells how many tokens there are; a sequence of one token would not show it otherwise.
  @Test(arguments: [(8, 1), (4, 2), (2, 4)]) func lengthsTellTheWidthOfTokens(width: Int, length: Int) throws {
    let queue = try DatabaseQueue(path: path)
    try queue.write { db in
      try db.execute(
        sql: """
          CREATE TABLE sequences (sequence_uid INTEGER PRIMARY KEY, token_ids BLOB, sequence_length INTEGER);
          CREATE TABLE examples (example_id INTEGER PRIMARY KEY, sequence_uid INTEGER, score REAL, latent_idx INTEGER,
            quantile_idx INTEGER);
          CREATE TABLE activation_details (example_id INTEGER PRIMARY KEY, positions BLOB, activation_values BLOB);
          """)
      try db.execute(
        sql: "INSERT INTO sequences VALUES (1, ?, \(length))", arguments: [Self.blob([7, 0] as [Int32])])
    }
    try queue.close()
    guard width > 2 else {
      let error = storageError { _ = try readAll() }
      #expect(error.map { "\($0)" }?.contains("2 bytes for each token") == true)
      return
    }
    #expect(try readAll().0.map(\.tokenIDs) == [width == 8 ? [7] : [7, 0]])
  }

  /// Texts that only look the same are two keys.
  @Test func keysAreComparedByTheirScalars() throws {
    let queue = try DatabaseQueue(path: path)
    try queue.write { db in
      try db.execute(
        sql: """
          CREATE TABLE sequences (sequence_uid TEXT PRIMARY KEY, token_ids BLOB);
          CREATE TABLE examples (example_id INTEGER PRIMARY KEY, sequence_uid TEXT, score REAL, latent_idx INTEGER,
            quantile_idx INTEGER);
          CREATE TABLE activation_details (example_id INTEGER PRIMARY KEY, positions BLOB, activation_values BLOB);
          """)
      for (number, key) in ["\u{E9}", "e\u{301}"].enumerated() {
        try db.execute(
          sql: "INSERT INTO sequences VALUES (?, ?)", arguments: [key, Self.blob([Int32(number + 3), 4] as [Int32])])
        try db.execute(sql: "INSERT INTO examples VALUES (?, ?, 2, \(number), 1)", arguments: [number, key])
        try db.execute(
          sql: "INSERT INTO activation_details VALUES (?, ?, ?)",
          arguments: [number, Self.blob([0] as [Int32]), Self.blob([2] as [Float])])
      }
    }
    try queue.close()
    let (sequences, examples, _) = try readAll()
    #expect(sequences.count == 2 && Set(examples.map(\.sequence)).count == 2)
    let tokens = Dictionary(uniqueKeysWithValues: sequences.map { ($0.id, $0.tokenIDs[0]) })
    #expect(examples.allSatisfy { tokens[$0.sequence].map(Int.init) == $0.latent + 3 })
  }

  @Test(arguments: [
    ("UPDATE sequences SET token_ids = x'0102'", "token_ids has 2 bytes"),
    ("UPDATE sequences SET token_ids = x'FFFFFFFF'", "token_ids hold -1"),
    ("UPDATE sequences SET token_ids = 'x'", "not a blob"),
    ("UPDATE activation_details SET positions = x'010203'", "positions has 3 bytes"),
    ("UPDATE activation_details SET positions = x'09000000', activation_values = x'0000803F'", "position 9 is outside"),
    ("UPDATE activation_details SET positions = x'00000000'", "1 positions for"),
    ("UPDATE activation_details SET activation_values = x'0000C07F0000C07F' WHERE feature_idx = 3", "nan"),
    (
      "UPDATE activation_details SET positions = x'0100000001000000', activation_values = x'0000803F0000803F'",
      "position 1 comes twice"
    ),
    ("UPDATE quantile_examples SET sequence_idx = 8 WHERE feature_idx = 0", "no such sequence"),
    ("UPDATE quantile_examples SET feature_idx = 4 WHERE feature_idx = 0", "out of range"),
    ("UPDATE quantile_examples SET quantile_idx = 6", "out of range"),
    ("DROP TABLE sequences", "its tables"),
  ]) func aRowThatBreaksTheFormatIsNamed(edit: String, detail: String) throws {
    try writeOlder(edit)
    let error = storageError { _ = try readAll() }
    let text = try #require(error).description
    #expect(text.contains(detail) && text.contains("examples.db"), "\(text)")
    #expect(!text.contains("\n"))
  }

  @Test func anExampleWithoutDetailsIsCounted() throws {
    try writeOlder("DELETE FROM activation_details WHERE feature_idx = 0")
    let (_, examples, missing) = try readAll()
    #expect(examples.map(\.latent) == [3, 3])
    #expect(missing == 1)
  }

  @Test func otherFilesAreNamed() throws {
    try Data("no database".utf8).write(to: URL(filePath: path))
    #expect(storageError { _ = try PublishedExamples(path: path) }?.description.contains("SQLite") == true)
    #expect(storageError { _ = try PublishedExamples(path: folder.file("no")) } == .missing(path: folder.file("no")))
  }
}

@Suite struct MetricTests {
  @Test func metricsAreFilteredByNameAndBrackets() throws {
    let folder = try TemporaryFolder()
    let content = Content(latents: 60, seed: 31)
    try content.write(to: folder.file())
    let store = try Store(path: folder.file(), access: .readOnly)
    let name = "base uselessness score"
    let expected = content.latents.filter { ($0.metrics[name] ?? 9) < 1.5 }.map(\.id)
    let metrics = try store.metricNames()
    for text in ["[\(name)]<1.5", "[Base Uselessness Score] < 1.5", "1.5>[\(name)]"] {
      #expect(try store.latentIDs(sortedBy: .id, matching: Filter(text, metrics: metrics)) == expected)
    }
    let others = content.latents.map(\.id).filter { !expected.contains($0) }
    #expect(try store.latentIDs(sortedBy: .id, matching: Filter("not [\(name)]<1.5", metrics: metrics)) == others)
    #expect(try Filter("lmsys_freq<1", metrics: ["lmsys_freq"]).root == .compareMetric("lmsys_freq", .less, 1))
    for (text, hint) in [("[x]<1", "[base uselessness score]"), ("[x<1", "add ]"), ("[\(name)]", "comparison")] {
      #expect(storageError { _ = try Filter(text, metrics: metrics) }?.description.contains(hint) == true)
    }
    #expect(storageError { _ = try Filter("[x]<1") }?.description.contains("has none") == true)
    #expect(
      storageError { _ = try store.latentIDs(sortedBy: .metric("x")) } == .noSuchMetric(name: "x", known: [name]))
    #expect(try store.check().isEmpty)
  }

  /// A store from before there were metrics and an index of contexts is read as it is, and brought up to date when it is opened for writing.
  @Test func anOlderStoreIsReadWithoutBeingChanged() throws {
    let folder = try TemporaryFolder()
    try Content(latents: 20, seed: 32).write(to: folder.file())
    let queue = try DatabaseQueue(path: folder.file())
    try queue.write { db in
      try db.execute(
        sql: """
          DROP TABLE latent_metric; DROP TABLE metric; DROP INDEX example_sequence;
          DELETE FROM grdb_migrations WHERE identifier IN ('latent-metrics', 'examples-by-sequence');
          \(TemporaryFolder.withoutSessions)
          """)
    }
    try queue.close()
    let before = try Data(contentsOf: URL(filePath: folder.file()))
    let store = try Store(path: folder.file(), access: .readOnly)
    #expect(try store.metricNames() == [])
    #expect(try store.latents(ids: store.latentIDs().prefix(5)).count == 5)
    let found = try store.latentIDs(matching: Filter("\"nobel\""))
    #expect(!found.isEmpty)
    #expect(try store.check().isEmpty)
    store.close()
    #expect(try Data(contentsOf: URL(filePath: folder.file())) == before)
    let writable = try Store(path: folder.file(), access: .readWrite)
    #expect(try writable.metricNames() == [])
    #expect(try writable.latentIDs(matching: Filter("\"nobel\"")) == found)
    #expect(try writable.check().isEmpty)
  }

  @Test func metricsThatCannotBeNamedOrAreNotFiniteAreRefused() throws {
    let folder = try TemporaryFolder()
    for (name, value) in [("", 1.0), ("a]b", 1), ("a", .nan)] {
      let content = Content(latents: 3, seed: 33)
      let writer = try StoreWriter(replacing: folder.file(), pair: content.pair)
      try writer.add(latents: content.latents)
      #expect(storageError { try writer.add(metric: name, values: [(latent: 0, value: value)]) } != nil)
    }
  }
}
